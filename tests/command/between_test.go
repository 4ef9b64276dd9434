//go:build e2e

package command

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// between is the way from a desk to Vault. It can be cut, and answers can be held back.
type between struct {
	url      string
	listener net.Listener
	server   *http.Server

	mu     sync.Mutex
	hold   string        // answers to paths with this in them
	held   chan struct{} // closed when one is held
	resume chan struct{} // closed to let it pass
}

// standBetween serves the way.
func standBetween(t *testing.T, e *env) *between {
	t.Helper()
	to, err := url.Parse(e.Address)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &between{url: "http://" + listener.Addr().String(), listener: listener, held: make(chan struct{}), resume: make(chan struct{})}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		b.mu.Lock()
		hold := b.hold != "" && strings.Contains(r.Request.URL.Path, b.hold) && r.StatusCode == http.StatusOK
		if hold {
			b.hold = ""
		}
		b.mu.Unlock()
		if hold {
			close(b.held)
			<-b.resume
		}
		return nil
	}
	proxy.ErrorLog = nil
	b.server = &http.Server{Handler: proxy, ReadHeaderTimeout: within}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = b.server.Serve(listener)
	}()
	t.Cleanup(func() {
		b.cut()
		<-served
	})
	return b
}

// cut ends all connections and takes no more.
func (b *between) cut() { _ = b.server.Close() }

// holdNext holds back the next good answer of a path.
func (b *between) holdNext(path string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold = path
}

// TestSSHWithoutVault: Vault is out of reach during the session. The lease ends by its ttl, while the session lasts.
func TestSSHWithoutVault(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, map[string]any{"ttl": "20s", "max_ttl": "1h"})
	way := standBetween(t, e)
	d.vault = way.url
	s := e.shell(t, d, id, token)
	way.cut()
	s.await(t, "the lease is not renewed")
	e.given(t, id)
	s.send(t, "whoami\r")
	s.await(t, "whoami\r\nubuntu")
	s.send(t, "exit 4\r")
	if code := s.code(t); code != 4 {
		t.Errorf("exit code %d, want that of the shell, 4", code)
	}
	d.empty(t)
}

// TestSSHCannotGiveBack: the person is told until when the lease lives, and how to give it back.
func TestSSHCannotGiveBack(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id, token := e.leased(t, map[string]any{"ttl": "1h", "max_ttl": "2h"})
	way := standBetween(t, e)
	d.vault = way.url
	s := e.shell(t, d, id, token)
	way.cut()
	s.send(t, "exit\r")
	s.await(t, "the lease is not given back")
	s.await(t, "try: cloudpw give cloudpw/creds/web/"+id+"/")
	if code := s.code(t); code != 2 {
		t.Errorf("exit code %d, want 2: the shell has ended with 0, and Vault was not reached", code)
	}
	if n := e.leases(t, id); n != 1 {
		t.Errorf("%d leases, want the one that could not be given back", n)
	}
}

// TestInterruptDuringTheRead: the lease comes after Ctrl-C, and is given back.
func TestInterruptDuringTheRead(t *testing.T) {
	t.Parallel()
	e := start(t)
	id, token := e.leased(t, map[string]any{"ttl": "1h", "max_ttl": "2h"})
	for _, command := range []string{"ssh", "take"} {
		t.Run(command, func(t *testing.T) {
			d := newDesk(t)
			e.trust(t, d, id)
			e.ready(t, id)
			way := standBetween(t, e)
			d.vault = way.url
			way.holdNext("/creds/")
			s := e.open(t, d, token, command, "web/"+id)
			select {
			case <-way.held:
			case <-time.After(within):
				t.Fatal("no password is read")
			}
			if n := e.leases(t, id); n != 1 {
				t.Fatalf("%d leases, want the one whose answer is held back", n)
			}
			s.send(t, "\x03")
			s.await(t, "waiting for Vault's answer")
			close(way.resume)
			if code := s.code(t); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			if n := e.leases(t, id); n != 0 {
				t.Errorf("%d leases after the end of the command", n)
			}
			d.empty(t)
		})
	}
	t.Run("twice", func(t *testing.T) {
		d := newDesk(t)
		e.ready(t, id)
		way := standBetween(t, e)
		d.vault = way.url
		way.holdNext("/creds/")
		s := e.open(t, d, token, "take", "web/"+id)
		<-way.held
		s.send(t, "\x03")
		s.await(t, "waiting for Vault's answer")
		s.send(t, "\x03")
		s.await(t, "ends by itself")
		if code := s.code(t); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		close(way.resume)
	})
}

// TestInterruptBeforeThePassword: nothing can be handed out yet, and Ctrl-C ends the wait without a lease.
func TestInterruptBeforeThePassword(t *testing.T) {
	t.Parallel()
	e, d := start(t), newDesk(t)
	id := e.role(t, "web", map[string]any{"mode": "static", "rotation_period": "24h"}, "ubuntu-1")[0] // its first rotation is skipped
	token := e.token(t, "rita", "Reader")
	s := e.open(t, d, token, "ssh", "web/"+id)
	s.await(t, "waiting: ")
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := s.code(t); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	s.await(t, "interrupted")
}
