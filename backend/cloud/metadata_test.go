package cloud

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestMetadataClientReachesOnlyTheAllowed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/endless":
			_, _ = w.Write(bytes.Repeat([]byte("x"), maxMetadata+1))
		default:
			_, _ = w.Write([]byte("role"))
		}
	}))
	t.Cleanup(server.Close)
	get := func(client *http.Client, url string) (int, int, error) {
		resp, err := client.Get(url)
		if err != nil {
			return 0, 0, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, len(body), err
	}
	near := NewMetadataClient(netip.MustParsePrefix("127.0.0.0/8"))
	t.Cleanup(near.CloseIdleConnections)
	for path, want := range map[string][2]int{"/": {200, 4}, "/moved": {302, 24}, "/endless": {200, maxMetadata}} {
		if status, length, err := get(near, server.URL+path); err != nil || status != want[0] || length != want[1] {
			t.Errorf("%s: status %d, %d bytes, %v; want %v", path, status, length, err, want)
		}
	}
	far := NewMetadataClient(netip.MustParsePrefix("169.254.169.254/32"))
	t.Cleanup(far.CloseIdleConnections)
	// By name, too: what counts is the address that is dialled.
	for _, url := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), "http://169.254.169.253/"} {
		if _, _, err := get(far, url); !errors.Is(err, errNotMetadata) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestMetadataClientIgnoresProxies(t *testing.T) {
	if transport := NewMetadataClient().Transport.(bounded).Transport; transport.Proxy != nil {
		t.Error("uses a proxy")
	}
}

// Whatever goes wrong, the call that needed credentials was not sent, and the error says what is not there.
func TestMetadataReader(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cut" {
			w.Header().Set("Content-Length", "10")
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("role"))
	}))
	t.Cleanup(server.Close)
	reader := MetadataReader{Client: NewMetadataClient(netip.MustParsePrefix("127.0.0.0/8")), Without: "no credentials here"}
	t.Cleanup(reader.Client.CloseIdleConnections)
	send := func(ctx context.Context, url string) (int, string, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		status, body, err := reader.Send(request)
		return status, string(body), err
	}
	if status, body, err := send(t.Context(), server.URL); err != nil || status != http.StatusTeapot || body != "role" {
		t.Errorf("status %d, %q, %v", status, body, err)
	}
	abandoned, cancel := context.WithCancel(t.Context())
	cancel()
	for name, sent := range map[string]func() (int, string, error){
		"cut":       func() (int, string, error) { return send(t.Context(), server.URL+"/cut") },
		"elsewhere": func() (int, string, error) { return send(t.Context(), "http://192.0.2.1/") },
		"abandoned": func() (int, string, error) { return send(abandoned, server.URL) },
	} {
		_, _, err := sent()
		if KindOf(err) != Unavailable || !strings.HasPrefix(err.Error(), "no credentials here: ") {
			t.Errorf("%s: %s, %v", name, KindOf(err), err)
		}
	}
	if err := reader.Errorf("no role %d", 1); err.Kind != Unavailable || err.Error() != "no credentials here: no role 1" {
		t.Error(err)
	}
}

// TestMetadataToken: a service that has no token to give is asked without one, and what is no header's value is none.
func TestMetadataToken(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"given":     {http.StatusOK, "abc==\n", "abc=="},
		"none":      {http.StatusNotFound, "abc", ""},
		"two lines": {http.StatusOK, "abc\r\nX-Other: 1", ""},
		"a page":    {http.StatusOK, "<p>no such page</p> ", ""},
		"empty":     {http.StatusOK, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPut || r.Header.Get("X-Ttl") != "60" {
					t.Errorf("%s %v", r.Method, r.Header)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			t.Cleanup(server.Close)
			m := MetadataReader{Client: NewMetadataClient(netip.MustParsePrefix("127.0.0.1/32")), Without: "none"}
			if got, err := m.Token(t.Context(), server.URL, "X-Ttl"); got != c.want || err != nil {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}
