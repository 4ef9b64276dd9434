// Package keyhost is an SSH server in memory whose user has an authorized_keys file on disk and a real shell: what a test of the
// replacement of keys needs of a host. It can be dead, refuse keys, and cut its connections after so many bytes.
package keyhost

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// nobody is whom the scripts run as where the tests run as root, whom no mode of a file stops.
const nobody = 65534

// Account is a user's home directory, in which the script runs.
type Account struct {
	Home  string
	Shell []string
	Env   []string // beside HOME
}

// NewAccount makes a user with an empty .ssh, in a directory that ends with the test.
func NewAccount(t testing.TB, shell []string) *Account {
	t.Helper()
	// Not below the test's own directory, which nobody may not enter.
	home, err := os.MkdirTemp("", "cloudpw-roll-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	a := &Account{Home: home, Shell: shell}
	if err := os.Mkdir(a.Dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	a.Own(t, home)
	a.Own(t, a.Dir())
	return a
}

// Dir is the directory of the keys.
func (a *Account) Dir() string { return filepath.Join(a.Home, ".ssh") }

// File has the keys.
func (a *Account) File() string { return filepath.Join(a.Dir(), "authorized_keys") }

// Own gives a file to the user.
func (a *Account) Own(t testing.TB, path string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := os.Lchown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

// Write gives the file its content and mode.
func (a *Account) Write(t testing.TB, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(a.File(), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	a.Own(t, a.File())
	if err := os.Chmod(a.File(), mode); err != nil {
		t.Fatal(err)
	}
}

// Read is what the file has.
func (a *Account) Read(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile(a.File())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Run runs a script as the user, as sshd does: by the shell, from standard input.
func (a *Account) Run(ctx context.Context, script []byte) (sshclient.Result, error) {
	cmd := exec.CommandContext(ctx, a.Shell[0], append(a.Shell[1:], "-s")...)
	cmd.Env = append(append(os.Environ(), "HOME="+a.Home), a.Env...)
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return sshclient.Result{ExitCode: cmd.ProcessState.ExitCode(), Output: out.String()}, err
}
