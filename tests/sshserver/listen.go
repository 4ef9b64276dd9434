package sshserver

import (
	"net"
	"strconv"
	"sync"
	"testing"
)

// Listener takes connections on loopback.
type Listener struct {
	// Address is an IP address.
	Address string
	Port    int

	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	open     map[net.Conn]struct{}
	accepted int
	ended    bool
}

// Listen opens a port, which ends with the test.
func Listen(t testing.TB) *Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().(*net.TCPAddr)
	l := &Listener{Address: at.IP.String(), Port: at.Port, listener: listener, open: map[net.Conn]struct{}{}}
	t.Cleanup(func() {
		_ = listener.Close()
		l.mu.Lock()
		l.ended = true
		l.mu.Unlock()
		l.Cut()
		l.running.Wait()
	})
	return l
}

// Start gives each connection to serve, in a goroutine of its own, and closes it when serve returns. It does not wait. When the test ends,
// so do the connections, and serve must return.
func (l *Listener) Start(serve func(net.Conn)) {
	l.running.Go(func() {
		for {
			conn, err := l.listener.Accept()
			if err != nil {
				return
			}
			forget := l.remember(conn)
			l.running.Go(func() {
				defer forget()
				serve(conn)
			})
		}
	})
}

// remember has Cut know a connection until it is closed by what is returned.
func (l *Listener) remember(conn net.Conn) (forget func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	l.open[conn] = struct{}{}
	if l.ended { // accepted in the last moment
		_ = conn.Close()
	}
	return func() {
		_ = conn.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, conn)
	}
}

// Endpoint is where it listens, as HOST:PORT.
func (l *Listener) Endpoint() string { return net.JoinHostPort(l.Address, strconv.Itoa(l.Port)) }

// Accepted is how many connections there were.
func (l *Listener) Accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

// Cut ends all connections.
func (l *Listener) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.open {
		_ = conn.Close()
	}
}

// Stop takes no more connections, and waits until those that there are have come to their own end.
func (l *Listener) Stop() {
	_ = l.listener.Close()
	l.running.Wait()
}
