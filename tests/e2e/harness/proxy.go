package harness

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Proxy is an HTTPS proxy (CONNECT) between one node's plugin and the simulated clouds. It leads every name to this
// machine, and its connections come from an address of its own, so that the simulator's log tells nodes apart.
type Proxy struct {
	// URL is what the environment variable HTTPS_PROXY takes.
	URL string
	// Source is the address that the simulator sees.
	Source string
}

// StartProxy serves a proxy on a free port of an address, with connections that come from source, which is any address
// in 127.0.0.0/8.
func StartProxy(tb testing.TB, listen, source string) *Proxy {
	tb.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(listen, "0"))
	if err != nil {
		tb.Fatalf("proxy: %v", err)
	}
	p := &proxy{dialer: net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}}
	p.ctx, p.end = context.WithCancel(context.Background())
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // returns when it is closed
	}()
	tb.Cleanup(func() {
		_ = server.Close()
		p.end()
		<-served
		p.tunnels.Wait()
	})
	return &Proxy{URL: "http://" + listener.Addr().String(), Source: source}
}

type proxy struct {
	dialer  net.Dialer
	ctx     context.Context // ends the tunnels
	end     context.CancelFunc
	tunnels sync.WaitGroup
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, port, err := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || err != nil {
		http.Error(w, "only CONNECT host:port is served", http.StatusMethodNotAllowed)
		return
	}
	cloud, err := p.dialer.DialContext(r.Context(), "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = cloud.Close()
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	p.tunnels.Go(func() {
		stop := context.AfterFunc(p.ctx, func() { _, _ = client.Close(), cloud.Close() })
		defer stop()
		if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
			_, _ = client.Close(), cloud.Close()
			return
		}
		var both sync.WaitGroup
		both.Go(func() { pass(cloud, buffered, client) })
		both.Go(func() { pass(client, cloud, cloud) })
		both.Wait()
	})
}

// pass copies one direction and ends both when it has ended, as a dropped connection does.
func pass(to net.Conn, from io.Reader, behind net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), behind.Close()
}
