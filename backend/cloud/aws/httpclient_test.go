package aws

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// closableBody answers io.EOF from WriteTo once it is closed, as the SDK's bodies do.
type closableBody struct {
	*bytes.Reader
	closed bool
}

func (b *closableBody) WriteTo(w io.Writer) (int64, error) {
	if b.closed {
		return 0, io.EOF
	}
	return b.Reader.WriteTo(w)
}

func (b *closableBody) Close() error { b.closed = true; return nil }

type keepRequest struct{ seen *http.Request }

func (k *keepRequest) RoundTrip(r *http.Request) (*http.Response, error) {
	k.seen = r
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func TestBodyOutlivesTheSDKsClose(t *testing.T) {
	const form = "Action=DescribeInstances"
	transport := &keepRequest{}
	client := BodyKeeper{&http.Client{Transport: transport}}
	body := &closableBody{Reader: bytes.NewReader([]byte(form))}
	r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(form))
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := r.Body.Close(); err != nil { // the SDK, when the answer's header is there
		t.Fatal(err)
	}
	var sent bytes.Buffer
	if _, err := io.Copy(&sent, transport.seen.Body); err != nil || sent.String() != form {
		t.Errorf("sent %q, error %v", sent.String(), err)
	}
	if n, err := io.Copy(io.Discard, transport.seen.Body); n != 0 || err != nil {
		t.Errorf("the look for more after the end: %d bytes, error %v", n, err)
	}
	if transport.seen.ContentLength != int64(len(form)) {
		t.Errorf("length %d", transport.seen.ContentLength)
	}
}

func TestNoBodyStaysNoBody(t *testing.T) {
	transport := &keepRequest{}
	r, err := http.NewRequest(http.MethodGet, "http://127.0.0.1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := BodyKeeper{&http.Client{Transport: transport}}.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if transport.seen.Body != nil && transport.seen.Body != http.NoBody {
		t.Errorf("body %v", transport.seen.Body)
	}
}
