package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// onPath puts a program of one line of shell on the PATH, which holds nothing else but the shell's own programs.
func onPath(t *testing.T, name, script string) {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
}

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

// sumsToSign is a file as a release has it, in a folder of its own.
func sumsToSign(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), sumsFile)
	if err := os.WriteFile(file, []byte("sums\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSigningIsAskedForByTheEnvironment(t *testing.T) {
	onPath(t, "cosign", "exit 0")
	none, err := findSigning(env(map[string]string{"COSIGN_KEY": "", "COSIGN_PASSWORD": "x"}))
	if err != nil || len(none) != 0 {
		t.Errorf("nothing is asked for: %v, %v", none, err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"a key":                        {map[string]string{"COSIGN_KEY": "cosign.key"}, ""},
		"a key in a KMS":               {map[string]string{"COSIGN_KEY": "awskms:///alias/release"}, ""},
		"no tool":                      {map[string]string{"GPG_KEY": "0123"}, "GPG_KEY is set, and there is no gpg"},
		"one of two tools":             {map[string]string{"COSIGN_KEY": "cosign.key", "GPG_KEY": "0123"}, "there is no gpg"},
		"a key where its name belongs": {map[string]string{"COSIGN_KEY": "-----BEGIN PRIVATE KEY-----\nsecret"}, "holds a key itself"},
		"a key on one line":            {map[string]string{"GPG_KEY": "-----BEGIN PGP PRIVATE KEY BLOCK-----secret"}, "holds a key itself"},
		"a flag":                       {map[string]string{"COSIGN_KEY": "--secret"}, "like a flag"},
	} {
		found, err := findSigning(env(c.env))
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || err == nil && len(found) != 1 {
			t.Errorf("%s: %v, %v; want %q", name, found, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func TestNoReleaseWithoutTheSignatureThatWasAskedFor(t *testing.T) {
	for name, c := range map[string]struct{ script, says string }{
		"the tool fails":         {`echo sig > "$6"; exit 3`, "exit status 3"},
		"it writes nothing":      {"exit 0", "left no signature"},
		"it writes an empty one": {`: > "$6"`, "it is empty"},
		"it signs":               {`echo "$*" > "$6"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			onPath(t, "cosign", c.script)
			keys, err := findSigning(env(map[string]string{"COSIGN_KEY": "cosign.key"}))
			if err != nil {
				t.Fatal(err)
			}
			scratch, out := filepath.Dir(sumsToSign(t)), t.TempDir()
			err = finish(t.Context(), out, scratch, keys, []byte("about"), nil, sums{"sums\n"})
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want %q", err, c.says)
			}
			var files []string
			entries, err := os.ReadDir(out)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				files = append(files, e.Name())
			}
			want := []string{buildFile, pluginSumsFile, sumsFile, sumsFile + ".sigstore.json"}
			if c.says != "" {
				want = nil
			}
			if !slices.Equal(files, want) {
				t.Errorf("the folder has %q, want %q", files, want)
			}
		})
	}
}

// What GnuPG has signed it also verifies, with the command of docs/operations.md, and not what was changed afterwards.
func TestSignatureOfGnuPG(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("there is no gpg")
	}
	home, err := os.MkdirTemp("", "gpg") //nolint:usetesting // the agent's socket needs a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GNUPGHOME", home)
	gpg := func(args ...string) error {
		_, err := output(exec.Command("gpg", args...))
		return err
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--kill", "all").Run()
		_ = os.RemoveAll(home)
	})
	if err := gpg("--batch", "--passphrase", "", "--quick-generate-key", "release@example.com", "ed25519", "sign", "never"); err != nil {
		t.Fatal(err)
	}
	file := sumsToSign(t)
	for key, works := range map[string]bool{"release@example.com": true, "nobody@example.com": false} {
		keys, err := findSigning(env(map[string]string{"GPG_KEY": key}))
		if err != nil {
			t.Fatal(err)
		}
		names, err := keys.sign(t.Context(), file)
		if (err == nil) != works || works && !slices.Equal(names, []string{sumsFile + ".asc"}) {
			t.Errorf("the key of %s: %q, %v", key, names, err)
		}
	}
	if err := gpg("--batch", "--verify", file+".asc", file); err != nil {
		t.Errorf("the signature is not accepted: %v", err)
	}
	if err := os.WriteFile(file, []byte("other sums\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := gpg("--batch", "--verify", file+".asc", file); err == nil {
		t.Error("the signature of another content is accepted")
	}
}
