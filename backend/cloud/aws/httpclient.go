package aws

import (
	"bytes"
	"io"
	"net/http"
)

// BodyKeeper is the HTTP client that the SDK is given: the connection's own client, with a request
// body that the SDK cannot take away.
//
// The SDK closes its request body as soon as the answer's header is there. If net/http is at that
// moment still checking that the body ends where its length says, the SDK's body answers io.EOF from
// WriteTo, which net/http takes for a failed write: it closes the connection, and the rest of a long
// answer is lost with "use of closed network connection". Near endpoints answer fast enough for
// that. Bodies of this package are short forms, so a copy costs nothing. Tests that use the SDK themselves
// need it too: they are the nearest clients of all.
type BodyKeeper struct{ Client *http.Client }

// Do sends the request once, with a copy of its body.
func (k BodyKeeper) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return k.Client.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	own := *r
	own.Body = io.NopCloser(bytes.NewReader(body))
	own.ContentLength = int64(len(body))
	return k.Client.Do(&own)
}
