package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

func TestTheFleet(t *testing.T) {
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	defer w.sim.Close()
	clouds, addresses, windows := map[model.Cloud]bool{}, map[string]string{}, 0
	for name, s := range w.servers {
		clouds[s.Cloud] = true
		if s.IsWindows() {
			windows++
		}
		if other := addresses[s.PrivateIP]; other != "" {
			t.Errorf("%s and %s have one address", name, other)
		}
		addresses[s.PrivateIP] = name
	}
	if len(w.servers) != 40 || len(clouds) != len(model.Clouds()) || windows == 0 || windows == len(w.servers) {
		t.Errorf("%d servers, %d of Windows, in %d clouds", len(w.servers), windows, len(clouds))
	}
	roles := map[string]bool{}
	for _, g := range fleet() {
		if roles[g.role] {
			t.Errorf("two groups have the role %s", g.role)
		}
		roles[g.role] = true
	}
	for _, p := range people() {
		for _, role := range p.reads {
			if !roles[role] {
				t.Errorf("%s reads %s, which is no role", p.name, role)
			}
		}
	}
}

// ssh as a person types it finds the simulated server behind a private address, and knows its host key.
func TestSSHConfiguration(t *testing.T) {
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	defer w.sim.Close()
	p := &playground{dir: t.TempDir(), world: w}
	config, known, err := p.ssh()
	if err != nil {
		t.Fatal(err)
	}
	s := w.servers["web-1"]
	_, after, found := strings.Cut(config, "Host "+s.PrivateIP+"\n\tHostName 127.0.0.1\n\tPort ")
	port, _, _ := strings.Cut(after, "\n")
	if !found {
		t.Fatalf("no %s in\n%s", s.PrivateIP, config)
	}
	if err := sshd.Login(t.Context(), net.JoinHostPort("127.0.0.1", port), s.DefaultUser(), s.InitialPassword); err != nil {
		t.Errorf("behind the address of web-1: %v", err)
	}
	key, err := w.sim.SSHHostKey(s.ID)
	if err != nil || !strings.Contains(known, "[127.0.0.1]:"+port+" "+key+"\n") {
		t.Errorf("the host key %s of port %s is not in\n%s", key, port, known)
	}
	if strings.Count(config, "\nHost 10.20.") != 40 || strings.Count(known, "\n") != 40 {
		t.Errorf("%d hosts, %d keys", strings.Count(config, "\nHost "), strings.Count(known, "\n"))
	}
}

func TestPoliciesOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/vault-policies.md")
	if err != nil {
		t.Fatal(err)
	}
	got, err := policies(string(page), []string{"db"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people() {
		for _, name := range p.policies {
			if got[name] == "" {
				t.Errorf("%s has the policy %s, which the page does not have", p.name, name)
			}
		}
	}
	reader := got["reader-db"]
	if strings.Contains(reader, "web") || strings.Count(reader, "creds/db") != strings.Count(got["reader"], "creds/web") {
		t.Errorf("the reader of db may\n%s", reader)
	}
	if _, err := policies(strings.ReplaceAll(string(page), "creds/web", "creds/other"), nil); err == nil {
		t.Error("a page without the reader's policy is taken")
	}
}

func TestFlags(t *testing.T) {
	t.Setenv("VAULT_BIN", "")
	for says, args := range map[string][]string{
		"-vault: which Vault?":     {"-version", "v1"},
		"-version: which version":  {"-vault", "x"},
		"unexpected argument":      {"-vault", "x", "-version", "v1", "more"},
		"flag provided but not de": {"-nonsense"},
	} {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, &out, &errOut); code != 2 || !strings.Contains(errOut.String(), says) {
			t.Errorf("%q: exit %d, %s", args, code, errOut.String())
		}
	}
	if code := run(t.Context(), []string{"-h"}, &bytes.Buffer{}, &bytes.Buffer{}); code != 0 {
		t.Errorf("-h: exit %d", code)
	}
	t.Setenv("VAULT_BIN", "/opt/vault")
	if o, err := parse([]string{"-version", "v1"}, &bytes.Buffer{}); err != nil || o.vault != "/opt/vault" || !filepath.IsAbs(o.bin) {
		t.Errorf("%+v, %v", o, err)
	}
}

// A Vault that cannot be started ends the playground with the end of its log, and leaves no folder.
func TestVaultThatEnds(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	vault := filepath.Join(t.TempDir(), "vault")
	if err := os.WriteFile(vault, []byte("#!/bin/sh\necho no licence\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{"-vault", vault, "-version", "v1", "-console=false"}, &out, &errOut)
	if code != 1 || !strings.Contains(errOut.String(), "vault has ended (exit status 3); its log ends with:\nno licence") {
		t.Errorf("exit %d: %s", code, errOut.String())
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v behind: %v", left, err)
	}
}

func TestInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	vault, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no sleep")
	}
	var out, errOut bytes.Buffer
	if code := run(ctx, []string{"-vault", vault, "-version", "v1"}, &out, &errOut); code != 0 {
		t.Errorf("exit %d: %s", code, errOut.String())
	}
}

// What the user's own environment says of Vault does not reach the playground's shell.
func TestEnvironmentOfTheShell(t *testing.T) {
	p := &playground{dir: "/play ground", vault: &server{address: "http://127.0.0.1:1"}}
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	defer w.sim.Close()
	p.world = w
	c, err := client("http://127.0.0.1:1", "the-token")
	if err != nil {
		t.Fatal(err)
	}
	p.people = map[string]*api.Client{me: c}
	got := p.environment([]string{"HOME=/me", "VAULT_ADDR=https://prod", "VAULT_NAMESPACE=x", "CLOUDPW_MOUNT=other", "PATH=/usr/bin",
		"BAO_ADDR=https://prod", "BAO_TOKEN=x"})
	for _, want := range []string{"HOME=/me", "VAULT_ADDR=http://127.0.0.1:1", "VAULT_TOKEN=the-token", "PATH=/play ground/bin:/usr/bin",
		"CLOUDPW_SSH_ARGS=-F /play ground/ssh_config"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	for _, entry := range got {
		if strings.Contains(entry, "prod") || strings.HasPrefix(entry, "VAULT_NAMESPACE") || strings.HasPrefix(entry, "CLOUDPW_MOUNT") ||
			strings.HasPrefix(entry, "BAO_") {
			t.Errorf("%s is passed on", entry)
		}
	}
	script := p.env() + `printf '%s\n' "$VAULT_ADDR" "$PLAYGROUND" "${PATH%%:*}" "${VAULT_NAMESPACE-none}" "${BAO_ADDR-unset}"`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Env = append(os.Environ(), "VAULT_NAMESPACE=x", "BAO_ADDR=https://prod")
	out, err := cmd.Output()
	if want := "http://127.0.0.1:1\n/play ground\n/play ground/bin\nnone\nunset\n"; err != nil || string(out) != want {
		t.Errorf("the file for a shell gives %q, want %q: %v", out, want, err)
	}
}

// Who waits for Ctrl-C learns that Vault has ended meanwhile.
func TestWaitEndsWithTheProgram(t *testing.T) {
	p, err := startProcess("vault", filepath.Join(t.TempDir(), "log"), nil, "/bin/sh", "-c", "echo out of memory; read line; exit 4")
	if err != nil {
		t.Skip(err)
	}
	defer p.stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := p.wait(ctx); err == nil || !strings.Contains(err.Error(), "vault has ended (exit status 4); its log ends with:\nout of memory") {
		t.Errorf("it ends: %v", err)
	}
	sleeps, err := startProcess("vault", filepath.Join(t.TempDir(), "log"), nil, "/bin/sh", "-c", "sleep 600")
	if err != nil {
		t.Skip(err)
	}
	defer sleeps.stop()
	cancel()
	if err := sleeps.wait(ctx); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}
