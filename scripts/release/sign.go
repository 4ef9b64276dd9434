package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// signer is a tool that signs SHA256SUMS, and so all files that it names, if its variable says with which key.
type signer struct {
	variable string
	tool     string
	// signature is the file that it makes.
	signature string
	// args are those of the tool for a key, the file to sign and the signature to write.
	args func(key, file, signature string) []string
	// key tells in which forms the variable names a key.
	key string
}

// The arguments are those of cosign 2 and 3, and of GnuPG 2. Neither gets a secret among them: cosign takes the password of a key
// from COSIGN_PASSWORD or the terminal, GnuPG from its agent.
var signers = []signer{
	{
		variable: "COSIGN_KEY", tool: "cosign", signature: sumsFile + ".sigstore.json",
		args: func(key, file, signature string) []string {
			return []string{"sign-blob", "--yes", "--key", key, "--bundle", signature, file}
		},
		key: "a file, env://VARIABLE, or a key in a KMS such as awskms:///ALIAS",
	},
	{
		variable: "GPG_KEY", tool: "gpg", signature: sumsFile + ".asc",
		args: func(key, file, signature string) []string {
			return []string{"--batch", "--yes", "--local-user", key, "--armor", "--output", signature, "--detach-sign", file}
		},
		key: "a fingerprint, a key id or an e-mail address",
	},
}

// signing is what the environment asks for.
type signing []chosen

type chosen struct {
	signer
	key  string
	path string // of the tool
}

// findSigning reads the environment before anything is built. A tool that is missing, or a key where its name belongs, is an
// error: whoever asked for a signature never gets a release without it.
func findSigning(env func(string) string) (signing, error) {
	var all signing
	for _, s := range signers {
		key := env(s.variable)
		if key == "" {
			continue
		}
		if strings.ContainsAny(key, "\r\n") || strings.Contains(key, "-----BEGIN") {
			return nil, fmt.Errorf("%s: holds a key itself, and would show it among the arguments of %s; give %s", s.variable, s.tool, s.key)
		}
		if strings.HasPrefix(key, "-") {
			return nil, fmt.Errorf("%s: begins like a flag of %s; give %s", s.variable, s.tool, s.key)
		}
		path, err := exec.LookPath(s.tool)
		if err != nil {
			return nil, fmt.Errorf("%s is set, and there is no %s to sign with: %w; install it, or unset %s for a release without its signature",
				s.variable, s.tool, err, s.variable)
		}
		all = append(all, chosen{signer: s, key: key, path: path})
	}
	return all, nil
}

// sign makes the signatures of a file beside it, and returns their names.
func (all signing) sign(ctx context.Context, file string) ([]string, error) {
	var names []string
	for _, s := range all {
		signature := filepath.Join(filepath.Dir(file), s.signature)
		cmd := exec.CommandContext(ctx, s.path, s.args(s.key, file, signature)...)
		cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr // it may ask for a password
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("%s could not sign with the key that %s names, so there is no release: %w", s.tool, s.variable, err)
		}
		info, err := os.Stat(signature)
		if err == nil && info.Size() == 0 {
			err = errors.New("it is empty")
		}
		if err != nil {
			return nil, fmt.Errorf("%s reported success and left no signature %s: %w", s.tool, s.signature, err)
		}
		names = append(names, s.signature)
	}
	return names, nil
}
