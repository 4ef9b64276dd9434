package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Witness stands between a client and Vault and writes down the passwords that Vault answers.
type Witness struct {
	// URL takes the place of Vault's address.
	URL string

	mu      sync.Mutex
	answers []Answer
}

// Answer is a password that Vault has answered.
type Answer struct {
	Path                 string // such as cloudpw/creds/web
	InstanceID, Password string
	Asked, Given         time.Time // when the question came by and when the answer did
}

// StartWitness serves on a free port of this machine.
func (v *Vault) StartWitness(tb testing.TB) *Witness {
	tb.Helper()
	vault, err := url.Parse(v.Address)
	if err != nil {
		tb.Fatalf("Vault's address: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("witness: %v", err)
	}
	w := &Witness{URL: "http://" + listener.Addr().String()}
	server := &http.Server{
		Handler: &httputil.ReverseProxy{
			Transport: &hearing{w},
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(vault) },
		},
		ReadHeaderTimeout: 10 * time.Second,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // returns when it is closed
	}()
	tb.Cleanup(func() { _ = server.Close(); <-served })
	return w
}

// Answers are the passwords answered so far, oldest first.
func (w *Witness) Answers() []Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Answer(nil), w.answers...)
}

// hearing writes down what passes.
type hearing struct{ *Witness }

func (h *hearing) RoundTrip(request *http.Request) (*http.Response, error) {
	asked := time.Now()
	response, err := direct.RoundTrip(request)
	path := strings.TrimPrefix(request.URL.Path, "/v1/")
	if err != nil || !strings.HasPrefix(path, Mount+"/creds/") {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	var answer struct {
		Data struct {
			InstanceID string `json:"instance_id"`
			Password   string `json:"password"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.Data.Password != "" {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.answers = append(h.answers, Answer{
			Path: path, InstanceID: answer.Data.InstanceID, Password: answer.Data.Password, Asked: asked, Given: time.Now(),
		})
	}
	return response, nil
}
