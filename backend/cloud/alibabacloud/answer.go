package alibabacloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// apiError is an error that the API answered with.
type apiError struct {
	status                   int
	Code, Message, RequestID string
	retryAfter               time.Duration
	// bodyUnread is set where the cloud refused the request since it did not read the parameters in its body.
	bodyUnread bool
}

func (e *apiError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.status, e.Code) }

// answerError is an answer that is not the API's: nothing can be concluded from it.
type answerError struct {
	status     int
	retryAfter time.Duration
}

func (e *answerError) Error() string {
	return fmt.Sprintf("HTTP %d without a readable answer", e.status)
}

func asAPIError(err error) (*apiError, bool) {
	var refusal *apiError
	ok := errors.As(err, &refusal)
	return refusal, ok
}

// maxAnswer bounds an answer, in bytes; the connection's own client bounds it, too.
const maxAnswer = 4 << 20

// read reads an answer. A success is a JSON object of the expected form with a request id; a failure is one with a code.
// What looks like neither, such as a proxy's page, is an *answerError.
func read(response *http.Response, answer any) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	unreadable := &answerError{status: response.StatusCode, retryAfter: cloud.RetryAfter(response.Header.Get("Retry-After"), time.Now())}
	var envelope struct {
		RequestID     string `json:"RequestId"`
		Code, Message string
	}
	if len(body) > maxAnswer || json.Unmarshal(body, &envelope) != nil {
		return unreadable
	}
	switch {
	case response.StatusCode >= http.StatusBadRequest && envelope.Code != "":
		return &apiError{status: response.StatusCode, Code: envelope.Code, Message: envelope.Message, RequestID: envelope.RequestID,
			retryAfter: unreadable.retryAfter}
	case response.StatusCode != http.StatusOK || envelope.RequestID == "":
		return unreadable
	case json.Unmarshal(body, answer) != nil:
		return unreadable
	}
	return nil
}

// misses reports whether the cloud says that a parameter is missing which was sent: then it has read none of the body, and
// has done nothing. Codes are MissingRegionId, MissingParam.InstanceId and the like, or MissingParameter with the name in
// its message.
func (e *apiError) misses(sent url.Values) bool {
	rest, missing := strings.CutPrefix(e.Code, "Missing")
	if !missing {
		return false
	}
	words := strings.FieldsFunc(e.Message, func(c rune) bool { return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') })
	for name := range sent {
		name, _, _ = strings.Cut(name, ".") // InstanceId.1
		if rest == name || strings.HasSuffix(rest, "."+name) || rest == "Parameter" && slices.Contains(words, name) {
			return true
		}
	}
	return false
}
