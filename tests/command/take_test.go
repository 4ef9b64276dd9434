//go:build e2e

package command

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a terminal obeys: its second screen and its first.
const (
	otherScreen = "\x1b[?1049h"
	firstScreen = "\x1b[?1049l"
)

// TestTakeOnATerminal: the password is shown on the second screen until somebody has seen it.
func TestTakeOnATerminal(t *testing.T) {
	t.Parallel()
	e := start(t)
	id, token := e.leased(t, map[string]any{"ttl": "1h", "max_ttl": "2h"})
	ways := map[string]func(s *screen) error{
		"Enter":             func(s *screen) error { _, err := s.master.WriteString("\r"); return err },
		"Ctrl-C":            func(s *screen) error { _, err := s.master.WriteString("\x03"); return err },
		"SIGTERM":           func(s *screen) error { return s.cmd.Process.Signal(syscall.SIGTERM) },
		"a closed terminal": func(s *screen) error { s.hangUp(); return nil },
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			e.ready(t, id)
			d := newDesk(t)
			s := e.open(t, d, token, "take", "web/"+id)
			s.await(t, "hides it, and gives the lease back")
			password := e.password(t)
			before, shown, _ := strings.Cut(s.text(), otherScreen)
			if before != "" || !strings.Contains(shown, "Password  "+password+"\r\n") || !strings.Contains(shown, "ubuntu-1") {
				t.Error("the second screen does not show the password of ubuntu-1")
			}
			if n := e.leases(t, id); n != 1 {
				t.Errorf("%d leases, want 1", n)
			}
			if err := end(s); err != nil {
				t.Fatal(err)
			}
			if code := s.code(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if n := e.leases(t, id); n != 0 {
				t.Errorf("%d leases after the end", n)
			}
			if name != "a closed terminal" {
				s.await(t, "\x1b[2J\x1b[H"+firstScreen)
				_, after, _ := strings.Cut(s.text(), firstScreen)
				if strings.Contains(after, password) {
					t.Error("the first screen shows the password")
				}
			}
		})
	}
	d := newDesk(t)
	d.more = []string{"TERM=dumb"}
	s := e.open(t, d, token, "take", "web/"+id)
	s.await(t, "TERM=dumb")
	if code := s.code(t); code != 1 {
		t.Errorf("a terminal that cannot hide anything: exit code %d, want 1", code)
	}
}

// TestTakeForAProgram: the password is printed, and the lease stays until it is given back or ends.
func TestTakeForAProgram(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, map[string]any{"ttl": "1h", "max_ttl": "2h"})
	r := e.batch(t, d, token, "take", "web/"+id)
	password := e.password(t)
	if r.code != 0 || r.out != password+"\n" {
		t.Errorf("exit code %d, and it has printed another thing than the password", r.code)
	}
	wants(t, "stderr", r.err, "cloudpw give cloudpw/creds/web/"+id+"/")
	if strings.Contains(r.err, password) {
		t.Error("stderr has the password")
	}
	if n := e.leases(t, id); n != 1 {
		t.Errorf("%d leases, want 1", n)
	}

	r = e.batch(t, d, token, "take", "web/"+id, "-o", "json", "--ttl", "2m")
	taken := decoded[struct {
		Server   string    `json:"instance_id"`
		Name     string    `json:"instance_name"`
		Role     string    `json:"role"`
		User     string    `json:"username"`
		Password string    `json:"password"`
		Lease    string    `json:"lease_id"`
		Until    time.Time `json:"lease_until"`
	}](t, r.out)
	if taken.Server != id || taken.Name != "ubuntu-1" || taken.Role != "web" || taken.User != "ubuntu" || taken.Password != password {
		t.Error("the JSON is not that of ubuntu-1")
	}
	secret, err := e.Client.Sys().Lookup(taken.Lease)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(taken.Until); left <= 0 || left > 2*time.Minute {
		t.Errorf("lease_until is in %s, want at most the ttl of 2m: %v", left, secret.Data["ttl"])
	}

	for _, c := range [][]string{{"--ttl", "10s"}, {"--wait", "-1s"}, {"-o", "csv"}, {"--clip", "-o", "json"}, {"other"}} {
		if r := e.batch(t, d, token, append([]string{"take", "web/" + id}, c...)...); r.code != 1 || r.out != "" {
			t.Errorf("take %v: %s", c, r)
		}
	}
	if n := e.leases(t, id); n != 2 {
		t.Errorf("%d leases, want 2", n)
	}
}

// board makes a clipboard of a file at a desk, behind the name and the arguments of xclip.
func board(t *testing.T, d *desk) (content string) {
	t.Helper()
	dir := t.TempDir()
	content = filepath.Join(dir, "clipboard")
	script := `#!/bin/sh
case "$*" in
"-in -selection clipboard") cat >` + content + ` ;;
"-out -selection clipboard") cat ` + content + ` ;;
*) exit 2 ;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "xclip"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	d.more = append(d.more, "PATH="+dir+":"+os.Getenv("PATH"), "DISPLAY=:0", "WAYLAND_DISPLAY=")
	return content
}

// TestTakeIntoTheClipboard: the clipboard is cleared at the end, unless it holds something else by then.
func TestTakeIntoTheClipboard(t *testing.T) {
	t.Parallel()
	e := start(t)
	id, token := e.leased(t, map[string]any{"ttl": "1h", "max_ttl": "2h"})
	for name, other := range map[string]string{"ours": "", "another's": "copied meanwhile"} {
		t.Run(name, func(t *testing.T) {
			e.ready(t, id)
			d := newDesk(t)
			content := board(t, d)
			s := e.open(t, d, token, "take", "--clip", "web/"+id)
			s.await(t, "is in the clipboard until Enter or Ctrl-C")
			password := e.password(t)
			if in, err := os.ReadFile(content); err != nil || string(in) != password {
				t.Errorf("the clipboard does not hold the password: %v", err)
			}
			if other != "" {
				if err := os.WriteFile(content, []byte(other), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s.send(t, "\r")
			if code := s.code(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if in, err := os.ReadFile(content); err != nil || string(in) != other {
				t.Errorf("the clipboard holds %d bytes, want %q: %v", len(in), other, err)
			}
			if n := e.leases(t, id); n != 0 {
				t.Errorf("%d leases after the end", n)
			}
			if strings.Contains(s.text(), password) {
				t.Error("the terminal has shown the password")
			}
		})
	}
	d := newDesk(t)
	d.more = []string{"DISPLAY=", "WAYLAND_DISPLAY="}
	if r := e.batch(t, d, token, "take", "--clip", "web/"+id); r.code != 1 || !strings.Contains(r.err, "no clipboard") {
		t.Errorf("without a desktop: %s", r)
	}
}
