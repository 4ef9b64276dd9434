package tencentcloud

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// maxAnswer bounds an answer, in bytes. One hundred described instances take well under 1 MiB.
const maxAnswer = 4 << 20

// transport sends the SDK's requests through the connection's client, whose redirect and time-out
// rules the SDK would otherwise replace by its own, and lets only answers of the API pass. What
// looks like no such answer (a proxy's page, a redirect, null) is an *answerError, since the SDK
// takes some of these for success and panics at others.
type transport struct {
	client *http.Client
	// clock is taught by the answers' Date; nil: they teach none.
	clock *cloud.RemoteClock
}

// newTransport copies the client, so that it follows no redirect whatever the original does.
func newTransport(client *http.Client) transport {
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return transport{client: &c}
}

// answerError is an answer that is not the API's: nothing can be concluded from it.
type answerError struct {
	status     int
	retryAfter time.Duration
}

func (e *answerError) Error() string {
	return fmt.Sprintf("HTTP %d without a readable answer", e.status)
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := cloud.ReadClocks()
	resp, err := t.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxAnswer || !isAnswer(resp.StatusCode, body) {
		return nil, &answerError{status: resp.StatusCode, retryAfter: cloud.RetryAfter(resp.Header.Get("Retry-After"), time.Now())}
	}
	if t.clock != nil {
		t.clock.Learn(resp.Header.Get("Date"), sent, cloud.ReadClocks())
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	// The SDK reads other types as event streams, which this API has none of.
	resp.Header.Set("Content-Type", "application/json")
	return resp, nil
}

// isAnswer reports whether a body is an API answer: {"Response": {...}}, with an error that has a
// code, or with status 200 and no error. Success and failure both come with status 200.
func isAnswer(status int, body []byte) bool {
	var envelope struct {
		Response *struct {
			Error *struct{ Code string }
		}
	}
	if json.Unmarshal(body, &envelope) != nil || envelope.Response == nil {
		return false
	}
	if e := envelope.Response.Error; e != nil {
		return e.Code != ""
	}
	return status == http.StatusOK
}
