package harness

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"
)

// askedForNetwork says that the test was run once more to have a network of its own.
const askedForNetwork = "CLOUDPW_ASKED_FOR_NETWORK"

// InOwnNetwork is true in a test that may change its network. Elsewhere it runs the test once more, by scripts/own-network.sh, and
// is false. A machine that gives no network to a test runs nothing of it, and the log says so.
func InOwnNetwork(t *testing.T) bool {
	t.Helper()
	switch {
	case os.Getenv(OwnNetwork) != "":
		return true
	case os.Getenv(askedForNetwork) != "":
		t.Log("this machine gives no network of its own to a test")
		return false
	}
	command := exec.CommandContext(t.Context(), "../../scripts/own-network.sh", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), askedForNetwork+"=yes")
	out, err := command.CombinedOutput()
	t.Logf("in a network of its own:\n%s", out)
	if err != nil {
		t.Errorf("the test in a network of its own: %v", err)
	}
	return false
}

// Listener serves http at an address of the test's own network.
type Listener struct {
	handler atomic.Pointer[http.HandlerFunc]
}

// ListenAt gives this machine an address, and listens there.
func ListenAt(tb testing.TB, address string) *Listener {
	tb.Helper()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		tb.Fatal(err)
	}
	ip(tb, "link", "set", "lo", "up")
	ip(tb, "address", "add", host+"/32", "dev", "lo")
	listener, err := net.Listen("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	l := &Listener{}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler := l.handler.Load(); handler != nil {
			(*handler)(w, r)
			return
		}
		http.NotFound(w, r)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // returns when it is closed
	}()
	tb.Cleanup(func() { _ = server.Close(); <-served })
	return l
}

// Serve has requests answered by a handler, until the test ends.
func (l *Listener) Serve(tb testing.TB, handler http.HandlerFunc) {
	tb.Helper()
	l.handler.Store(&handler)
	tb.Cleanup(func() { l.handler.Store(nil) })
}
