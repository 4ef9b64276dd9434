package azure

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// apiError is an error that ARM answered with.
type apiError struct {
	status                   int
	Code, Message, RequestID string
	// throttled is set where the answer says that there were too many requests.
	throttled  bool
	retryAfter time.Duration
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

// maxAnswer bounds an answer, in bytes; the connection's own client bounds it, too.
const maxAnswer = 4 << 20

// detail is one of an error's details.
type detail struct{ Code, Target, Message string }

// failure is the body of an error. ARM wraps it as "error"; Compute's throttles are not wrapped
// (troubleshooting-throttling-errors.md of Microsoft's SupportArticles-docs).
type failure struct {
	Code, Message string
	Details       []detail
}

// codeThrottled is the code of a throttle in a detail, and of some throttles themselves.
const codeThrottled = "TooManyRequests"

// read reads an answer. A success is of status 200 to 204 and has the form of answer, or no body where answer is nil or the
// status promises none; a failure has a code. What looks like neither, such as a proxy's page, is an *answerError.
func read(response *http.Response, answer any) error {
	unreadable := &answerError{status: response.StatusCode, retryAfter: cloud.RetryAfter(response.Header.Get("Retry-After"), time.Now())}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return unreadable
	}
	if response.StatusCode >= http.StatusBadRequest {
		return readFailure(response, body, unreadable)
	}
	switch response.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
	default:
		return unreadable
	}
	return readSuccess(response.StatusCode, body, answer, unreadable)
}

// readSuccess reads the body of a success.
func readSuccess(status int, body []byte, answer any, unreadable *answerError) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		if answer == nil || status == http.StatusNoContent || status == http.StatusAccepted {
			return nil
		}
		return unreadable
	}
	if answer == nil {
		answer = &struct{}{}
	}
	if body[0] != '{' || json.Unmarshal(body, answer) != nil {
		return unreadable
	}
	return nil
}

// readFailure reads both forms of an error's body.
func readFailure(response *http.Response, body []byte, unreadable *answerError) error {
	var envelope struct {
		Error *failure
		failure
	}
	if json.Unmarshal(body, &envelope) != nil {
		return unreadable
	}
	told := envelope.failure
	if envelope.Error != nil {
		told = *envelope.Error
	}
	if told.Code == "" {
		return unreadable
	}
	e := &apiError{status: response.StatusCode, Code: told.Code, Message: told.Message, RequestID: requestID(response.Header),
		retryAfter: unreadable.retryAfter}
	e.throttled = response.StatusCode == http.StatusTooManyRequests || told.Code == codeThrottled
	for _, one := range told.Details {
		e.throttled = e.throttled || one.Code == codeThrottled
		if said := strings.TrimSpace(one.Code + " " + one.Message); said != "" && told.Code != one.Code && !e.throttled {
			e.Message = strings.TrimSpace(e.Message + " " + said)
		}
	}
	return e
}

// requestID is the cloud's id of a request.
func requestID(header http.Header) string {
	return cmp.Or(header.Get("X-Ms-Request-Id"), header.Get("X-Ms-Correlation-Request-Id"))
}

func asAPIError(err error) (*apiError, bool) {
	var refusal *apiError
	ok := errors.As(err, &refusal)
	return refusal, ok
}

// statusOf is the HTTP status of an answer that was an error; 0 if there was no answer.
func statusOf(err error) int {
	if refusal, ok := asAPIError(err); ok {
		return refusal.status
	}
	var answer *answerError
	if errors.As(err, &answer) {
		return answer.status
	}
	return 0
}
