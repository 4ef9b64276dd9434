package realssh

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// loginWithin bounds one login: PAM waits about two seconds after a wrong password.
const loginWithin = 30 * time.Second

// sshpassWrong is how sshpass ends where the password is asked for again.
const sshpassWrong = "exit status 5"

// Login logs in as people do, by ssh(1), with a password that sshpass(1) types, and reports whether the server let it in. Everything but
// a yes or a no to the password fails the test.
func (s *Server) Login(tb testing.TB, user, password string) bool {
	tb.Helper()
	accepted, text := s.TryLogin(tb, user, password)
	if !accepted && !strings.Contains(text, "Permission denied") && !strings.HasSuffix(text, sshpassWrong) {
		tb.Fatalf("log in as %s: %s", user, text)
	}
	return accepted
}

// TryLogin is Login for a server that may say something else: what ssh prints is returned.
func (s *Server) TryLogin(tb testing.TB, user, password string) (accepted bool, text string) {
	tb.Helper()
	known := filepath.Join(tb.TempDir(), "known_hosts")
	line := fmt.Sprintf("[%s]:%d %s\n", s.Address, s.Port, s.HostKey(tb, "ed25519"))
	if err := os.WriteFile(known, []byte(line), 0o600); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), loginWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sshpass", "-d", "3", "ssh", "-F", "none", "-p", strconv.Itoa(s.Port), "-o", "UserKnownHostsFile="+known,
		"-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlgorithms=ssh-ed25519", "-o", "PubkeyAuthentication=no",
		"-o", "NumberOfPasswordPrompts=1", user+"@"+s.Address, "true")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	// By a pipe: the arguments of a process are for all to read.
	read, write, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	defer read.Close()
	if _, err := write.WriteString(password + "\n"); err != nil {
		tb.Fatal(err)
	}
	_ = write.Close()
	cmd.ExtraFiles = []*os.File{read}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return false, strings.TrimSpace(out.String()) + ": " + err.Error()
	}
	return true, out.String()
}
