//go:build e2e

package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// freeRDP puts a program at the desk that asks as FreeRDP of a version does, and ends with 12 if it gets the password that the test has.
// It says when it has been started, and waits for the file `go`.
func freeRDP(t *testing.T, d *desk, version, ask string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	script := `#!/bin/sh
if [ "$1" = /version ]; then
	echo "This is FreeRDP version ` + version + ` (n/a)"
	exit 1
fi
cd ` + dir + `
printf '%s\n' "$@" >arguments
` + ask + `
printf %s "$password" >got
echo "the desktop is open"
while [ ! -e go ]; do sleep 0.1; done
exit 12
`
	if err := os.WriteFile(filepath.Join(dir, "xfreerdp"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	d.more = append(d.more, "PATH="+dir+":"+os.Getenv("PATH"))
	return dir
}

// TestRDP: both versions of FreeRDP get the password in the way that they take it. What they do was tried with FreeRDP 2.11 and 3.15.
func TestRDP(t *testing.T) {
	t.Parallel()
	e := start(t)
	id, token := e.leased(t, map[string]any{"ttl": "1h", "max_ttl": "2h"})
	for version, ask := range map[string]string{
		"2.11.7": `read -r password`,
		"3.15.0": `password=$(sh -c -- "$FREERDP_ASKPASS 'FreeRDP authentication
Password:        '")`,
	} {
		t.Run(version, func(t *testing.T) {
			e.ready(t, id)
			d := newDesk(t)
			dir := freeRDP(t, d, version, ask)
			stop := watch(t)
			s := e.open(t, d, token, "rdp", "web/"+id, "--host", "127.0.0.1:3390", "--", "/size:800x600")
			s.await(t, "the desktop is open")
			processes := stop()
			password := e.password(t)
			got, err := os.ReadFile(filepath.Join(dir, "got"))
			if err != nil || string(got) != password {
				t.Errorf("FreeRDP has not got the password: %v", err)
			}
			if strings.Contains(processes, password) {
				t.Error("the password was in the arguments or the environment of a process")
			}
			arguments, _ := os.ReadFile(filepath.Join(dir, "arguments"))
			wants(t, "the arguments", string(arguments), "/v:127.0.0.1:3390\n", "/u:ubuntu\n", "/d:\n", "/size:800x600\n")
			if n := e.leases(t, id); n != 1 {
				t.Errorf("%d leases, want 1", n)
			}
			if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if code := s.code(t); code != 12 {
				t.Errorf("exit code %d, want FreeRDP's, 12", code)
			}
			if n := e.leases(t, id); n != 0 {
				t.Errorf("%d leases after the end", n)
			}
			if strings.Contains(s.text(), password) {
				t.Error("the terminal has shown the password")
			}
			d.empty(t)
		})
	}
	t.Run("a password that is refused", func(t *testing.T) {
		e.ready(t, id)
		d := newDesk(t)
		freeRDP(t, d, "3.15.0", `for try in 1 2; do sh -c -- "$FREERDP_ASKPASS 'FreeRDP authentication
Password: '" >/dev/null; done`)
		s := e.open(t, d, token, "rdp", "web/"+id, "--host", "127.0.0.1")
		s.await(t, "has refused the password of ubuntu")
		if code := s.code(t); code == 0 {
			t.Error("exit code 0")
		}
		e.given(t, id)
	})
	t.Run("a gateway's password", func(t *testing.T) {
		e.ready(t, id)
		d := newDesk(t)
		dir := freeRDP(t, d, "3.15.0", `password=$(sh -c -- "$FREERDP_ASKPASS 'FreeRDP authentication
GatewayPassword: '")`)
		s := e.open(t, d, token, "rdp", "web/"+id, "--host", "127.0.0.1")
		s.await(t, "GatewayPassword: ")
		s.send(t, "the-persons-own\r")
		s.await(t, "the desktop is open")
		if got, err := os.ReadFile(filepath.Join(dir, "got")); err != nil || string(got) != "the-persons-own" {
			t.Errorf("the gateway gets %d bytes, want what was typed: %v", len(got), err)
		}
		if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s.code(t)
		e.given(t, id)
	})
}

// TestRDPFile: a file for another client has no password, and the clipboard has it as long as the lease is held.
func TestRDPFile(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, map[string]any{"ttl": "1h", "max_ttl": "2h"})
	content := board(t, d)
	path := filepath.Join(t.TempDir(), "web.rdp")
	s := e.open(t, d, token, "rdp", "web/"+id, "--host", "10.0.0.7", "--file", path)
	s.await(t, "the password is in the clipboard until Enter or Ctrl-C")
	password := e.password(t)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "full address:s:10.0.0.7\r\nusername:s:ubuntu\r\nprompt for credentials:i:1\r\n"; string(file) != want {
		t.Errorf("the file is %q, want %q", file, want)
	}
	if in, err := os.ReadFile(content); err != nil || string(in) != password {
		t.Errorf("the clipboard does not hold the password: %v", err)
	}
	s.send(t, "\x03")
	if code := s.code(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if in, err := os.ReadFile(content); err != nil || len(in) > 0 {
		t.Errorf("the clipboard still holds %d bytes: %v", len(in), err)
	}
	e.given(t, id)

	e.ready(t, id)
	again := e.open(t, d, token, "rdp", "web/"+id, "--host", "10.0.0.7", "--file", path)
	again.await(t, "--file")
	if code := again.code(t); code != 1 {
		t.Errorf("a file that is there: exit code %d, want 1", code)
	}
	e.given(t, id)
}
