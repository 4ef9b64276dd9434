package realssh

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Direction is one way through a proxy.
type Direction int

// The two ways.
const (
	ToServer Direction = iota
	ToClient
)

func (d Direction) String() string {
	if d == ToServer {
		return "to the server"
	}
	return "to the client"
}

// keptOfConnection is how many bytes of each direction a proxy keeps.
const keptOfConnection = 256 << 10

// Connection is what went through a proxy in one connection.
type Connection struct {
	// Bytes counts both directions, Sent has what the client sent, up to keptOfConnection.
	Bytes [2]int64
	Sent  []byte
	// Cut is set if the proxy has ended it.
	Cut bool
}

// Proxy leads connections to a server, counts their bytes, and can end them.
type Proxy struct {
	// Address and Port are where it listens.
	Address string
	Port    int

	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu          sync.Mutex
	cutting     bool
	direction   Direction
	after       int64
	silently    bool
	connections []*Connection
	open        map[net.Conn]bool
	closed      bool
}

// StartProxy serves a proxy before target, host:port, until the test ends.
func StartProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	p := &Proxy{Address: address.IP.String(), Port: address.Port, target: target, listener: listener, open: map[net.Conn]bool{}}
	p.running.Go(p.serve)
	tb.Cleanup(p.close)
	return p
}

// CutAfter ends each connection that comes from now on after n bytes in a direction: those bytes still arrive.
func (p *Proxy) CutAfter(d Direction, n int64) { p.set(true, d, n, false) }

// FreezeAfter is CutAfter for a network that swallows what is sent: the connection stays open and nothing passes any more.
func (p *Proxy) FreezeAfter(d Direction, n int64) { p.set(true, d, n, true) }

// Pass lets connections that come from now on through.
func (p *Proxy) Pass() { p.set(false, ToServer, 0, false) }

func (p *Proxy) set(cutting bool, d Direction, n int64, silently bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutting, p.direction, p.after, p.silently = cutting, d, n, silently
}

// Cuts is how many connections the proxy has ended, or has frozen.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.connections {
		if c.Cut {
			n++
		}
	}
	return n
}

// Connections returns what has gone through, the oldest first.
func (p *Proxy) Connections() []Connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Connection, len(p.connections))
	for i, c := range p.connections {
		all[i] = *c
	}
	return all
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for conn := range p.open {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.lead(client) })
	}
}

// lead serves one connection.
func (p *Proxy) lead(client net.Conn) {
	defer client.Close()
	server, err := net.DialTimeout("tcp", p.target, 10*time.Second)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	c := &Connection{}
	p.connections = append(p.connections, c)
	p.open[client], p.open[server] = true, true
	limit := [2]int64{-1, -1}
	if p.cutting {
		limit[p.direction] = p.after
	}
	silently := p.silently
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, client)
		delete(p.open, server)
	}()

	end := func() { _, _ = client.Close(), server.Close() }
	frozen := make(chan struct{}) // closed when nothing passes any more
	var once sync.Once
	cut := func() {
		p.mu.Lock()
		c.Cut = true
		p.mu.Unlock()
		if silently {
			once.Do(func() { close(frozen) })
			return
		}
		reset(client)
		reset(server)
		end()
	}
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client, c, ToServer, limit[ToServer], frozen, cut, end) })
	both.Go(func() { p.copy(client, server, c, ToClient, limit[ToClient], frozen, cut, end) })
	both.Wait()
}

// copy passes one direction on, at most limit bytes of it unless that is negative.
func (p *Proxy) copy(to io.Writer, from io.Reader, c *Connection, d Direction, limit int64, frozen chan struct{}, cut, end func()) {
	buffer := make([]byte, 32<<10)
	if limit == 0 {
		cut()
	}
	for passed := int64(0); ; {
		n, err := from.Read(buffer)
		select {
		case <-frozen:
			n = 0
		default:
		}
		if limit >= 0 {
			n = int(min(int64(n), limit-passed))
		}
		if n > 0 {
			p.note(c, d, buffer[:n])
			if _, err := to.Write(buffer[:n]); err != nil {
				end()
				return
			}
			if passed += int64(n); passed == limit {
				cut()
			}
		}
		if err != nil {
			end()
			return
		}
	}
}

func (p *Proxy) note(c *Connection, d Direction, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.Bytes[d] += int64(len(b))
	if d == ToServer {
		c.Sent = append(c.Sent, b[:min(len(b), keptOfConnection-len(c.Sent))]...)
	}
}

// reset has the connection end without waiting for what was not sent.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}
