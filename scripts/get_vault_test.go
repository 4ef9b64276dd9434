// Package scripts tests the shell scripts beside it.
package scripts

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program writes a program that answers `version` with a line, and returns its path.
func program(t *testing.T, folder, name, line string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	script := "#!/bin/sh\n[ \"$1\" = version ] && echo '" + line + "'\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// tools is a folder with what the script needs, and no vault or bao that happens to be installed.
func tools(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"bash", "dirname", "basename", "sed"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(folder, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// Which Vault or OpenBao the demo and the tests run against. Nothing is built here: every case ends before that.
func TestGetVault(t *testing.T) {
	here := t.TempDir()
	vault := program(t, here, "vault-new", "Vault v1.21.2 (abc), built 2026-01-01T00:00:00Z")
	oldVault := program(t, here, "vault-old", "Vault v1.15.9 (abc)")
	bao := program(t, here, "bao-new", "OpenBao v2.6.2 (abc), committed 2026-08-18T00:00:00Z")
	baoBeta := program(t, here, "bao-beta", "OpenBao v2.6.0-beta20260622 (abc)")
	oldBao := program(t, here, "bao-old", "OpenBao v1.9.9")
	other := program(t, here, "other", "Nomad v2.0.0")
	tools, withVault, withBao := tools(t), t.TempDir(), t.TempDir()
	vaultOnPath := program(t, withVault, "vault", "Vault v1.16.0 (abc)")
	program(t, withBao, "vault", "Vault v1.16.0 (abc)")
	baoOnPath := program(t, withBao, "bao", "OpenBao v2.0.0 (abc)")

	for name, c := range map[string]struct {
		path string // before the tools
		env  []string
		want string // what it prints
		says string // what it says, if it fails
	}{
		"Vault by name":          {env: []string{"VAULT_BIN=" + vault}, want: vault},
		"an old Vault":           {env: []string{"VAULT_BIN=" + oldVault}, says: "is Vault v1.15.9, and v1.16 or later is needed"},
		"no Vault":               {env: []string{"VAULT_BIN=" + other}, says: "is not a Vault binary"},
		"OpenBao as Vault":       {env: []string{"VAULT_BIN=" + bao}, says: "is OpenBao v2.6.2; name it with BAO_BIN"},
		"Vault on the PATH":      {path: withVault, want: vaultOnPath},
		"Vault beside OpenBao":   {path: withBao, want: filepath.Join(withBao, "vault")},
		"OpenBao by name":        {env: []string{"BAO_BIN=" + bao}, want: bao},
		"a beta of OpenBao":      {env: []string{"BAO_BIN=" + baoBeta, "BAO=1"}, want: baoBeta},
		"OpenBao on the PATH":    {path: withBao, env: []string{"BAO=1"}, want: baoOnPath},
		"no OpenBao on the PATH": {path: withVault, env: []string{"BAO=1"}, says: "there is no bao on the PATH; install OpenBao v2.0 or later"},
		"an old OpenBao":         {env: []string{"BAO_BIN=" + oldBao}, says: "is OpenBao v1.9.9, and v2.0 or later is needed"},
		"Vault as OpenBao":       {env: []string{"BAO_BIN=" + vault}, says: "is not an OpenBao binary"},
		"a folder as OpenBao":    {env: []string{"BAO_BIN=" + here}, says: "is not an executable file"},
		"nothing as OpenBao":     {env: []string{"BAO_BIN=" + here + "/nothing"}, says: "is not an executable file"},
		"both by name":           {env: []string{"BAO_BIN=" + bao, "VAULT_BIN=" + vault}, says: "unset one of them"},
		"Vault named and BAO=1":  {path: withBao, env: []string{"BAO=1", "VAULT_BIN=" + vault}, says: "unset one of them"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "bash", "get-vault.sh")
			path := tools
			if c.path != "" {
				path = c.path + ":" + tools
			}
			cmd.Env = append(c.env, "PATH="+path, "HOME="+here)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if c.says == "" && (err != nil || strings.TrimSpace(string(out)) != c.want) {
				t.Errorf("%q, %v: %s; want %s", out, err, &stderr, c.want)
			}
			if c.says != "" && (err == nil || len(out) != 0 || !strings.Contains(stderr.String(), c.says)) {
				t.Errorf("%q, %v: %s; want a failure that says %q", out, err, &stderr, c.says)
			}
		})
	}
}
