package cloud

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"
)

// Variables of the process that TestProxyFromTheEnvironment starts. Go reads proxies once per process.
const (
	proxyVariable = "CLOUDPW_TEST_PROXY"
	proxyCA       = "CLOUDPW_TEST_CA"
)

// Requests to a cloud go through the proxy that HTTPS_PROXY names, inside TLS that ends at the cloud.
func TestProxyFromTheEnvironment(t *testing.T) {
	cloud := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "answered to "+r.Header.Get("Authorization"))
	}))
	t.Cleanup(cloud.Close)
	var tunnels atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "example.com:443" || r.Header.Get("Authorization") != "" {
			t.Errorf("the proxy was asked for %s %s with Authorization %q", r.Method, r.Host, r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		tunnels.Add(1)
		tunnel(w, cloud.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)

	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cloud.Certificate().Raw})
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), proxyVariable+"="+proxy.URL, proxyCA+"="+string(ca))
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := tunnels.Load(); n != 1 {
		t.Errorf("%d tunnels, want 1", n)
	}
}

// tunnel connects a client of a proxy to an address and returns when both have ended.
func tunnel(w http.ResponseWriter, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	go func() {
		_, _ = io.Copy(there, buffered)
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
}

// throughTheProxy is the process that TestProxyFromTheEnvironment starts, see TestMain.
func throughTheProxy(proxy string) error {
	err := errors.Join(os.Setenv("HTTPS_PROXY", proxy), os.Setenv("HTTP_PROXY", proxy))
	if err != nil {
		return err
	}
	client, err := NewHTTPClient(os.Getenv(proxyCA), 20*time.Second)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://example.com/", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "a signature")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "answered to a signature" {
		return fmt.Errorf("%q, %w", body, err)
	}
	// What stands on this host is reached without the proxy.
	direct := httptest.NewServer(http.NotFoundHandler())
	defer direct.Close()
	if answer, err = client.Get(direct.URL); err != nil {
		return err
	}
	return answer.Body.Close()
}
