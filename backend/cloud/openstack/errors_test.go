package openstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

var passwordCall = call{action: actionPassword, instance: "05184ba3-00ba-4fbc-b7a2-03b62b884931", permission: permissionPassword}

// refusal is gophercloud's error for an answer.
func refusal(status int, body string, header http.Header) error {
	return gophercloud.ErrUnexpectedResponseCode{Actual: status, Body: []byte(body), ResponseHeader: header}
}

// documented reads a list of status and code.
func documented(t *testing.T, path string) (rows []struct {
	status int
	code   string
}) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var row struct {
			status int
			code   string
		}
		if _, err := fmt.Sscan(line, &row.status, &row.code); err != nil {
			t.Fatalf("%s: %q: %v", path, line, err)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestEveryDocumentedCode walks the error tables of both vendors. Whatever is not listed in want has
// the kind of its status, written here a second time.
func TestEveryDocumentedCode(t *testing.T) {
	denied, refused, unknown, throttled := cloud.Denied, cloud.Refused, cloud.Unknown, cloud.Throttled
	want := map[string]cloud.Kind{
		"APIGW.0502": denied,
		"Ecs.0002":   unknown, "Ecs.0004": denied, "Ecs.0011": cloud.PasswordRefused, "Ecs.0023": denied, "Ecs.0114": cloud.NotFound,
		"Ecs.0614": cloud.NotFound,
		"Ecs.0301": unknown, "Ecs.0603": refused,
		"Ecs.1000": unknown, "Ecs.1001": unknown, "Ecs.1002": unknown, "Ecs.1100": unknown,
		"Common.0018": denied, "Common.0024": throttled, "Common.0999": unknown,
	}
	byStatus := map[int]cloud.Kind{
		400: refused, 401: denied, 403: denied, 404: refused, 405: refused, 413: refused, 414: refused, 429: throttled,
		494: refused, 500: unknown, 502: unknown, 503: unknown, 504: unknown,
	}
	seen := map[string]bool{}
	for _, table := range []struct {
		path, body string
		rows       int
	}{
		{"testdata/apigw_error_codes.txt", `{"error_code":%q,"error_msg":"reason of the cloud","request_id":"req-1"}`, 40},
		{"testdata/ecs_error_codes.txt", `{"error":{"code":%q,"message":"reason of the cloud"}}`, 140},
	} {
		rows := documented(t, table.path)
		if len(rows) < table.rows {
			t.Errorf("%s has %d rows, want at least %d", table.path, len(rows), table.rows)
		}
		for _, row := range rows {
			t.Run(fmt.Sprintf("%s/%d", row.code, row.status), func(t *testing.T) {
				seen[row.code] = true
				kind, ok := want[row.code]
				if !ok {
					kind, ok = byStatus[row.status]
				}
				if !ok {
					t.Fatalf("the test has no kind for status %d", row.status)
				}
				e := translate(passwordCall, refusal(row.status, fmt.Sprintf(table.body, row.code), nil), nil)
				if e.Kind != kind || e.Code != row.code {
					t.Errorf("kind %q, code %q; want %q, %q", e.Kind, e.Code, kind, row.code)
				}
				lead, rest, _ := strings.Cut(e.Message, ": ")
				if lead != passwordCall.String() || strings.HasPrefix(rest, ";") || !strings.Contains(rest, "the cloud says: reason of the cloud") {
					t.Errorf("the message must name the call, a way out and the cloud's reason: %q", e.Message)
				}
			})
		}
	}
	for code := range codeMeanings {
		if !seen[code] {
			t.Errorf("%s is not in the documented tables", code)
		}
	}
}

func TestAnswerShapes(t *testing.T) {
	request := http.Header{"X-Openstack-Request-Id": {"req-abc"}}
	list := call{action: actionList, permission: permissionList}
	token := call{action: actionToken, identity: true}
	tests := []struct {
		name   string
		call   call
		status int
		body   string
		header http.Header
		kind   cloud.Kind
		code   string
		id     string
		text   string // part of the message
	}{
		{"wrong signature", passwordCall, 401,
			`{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: verify aksk signature fail","request_id":"r-1"}`, nil,
			cloud.Denied, "APIGW.0301", "r-1", "check access_key, secret_key"},
		{"the gateway's other prefix", passwordCall, 401,
			`{"error_code":"APIG.0301","error_msg":"Incorrect IAM authentication information: decrypt token fail","request_id":"r-1"}`, nil,
			cloud.Denied, "APIGW.0301", "r-1", "does not accept the token"},
		{"a clock that is off", passwordCall, 401,
			`{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: calc aksk signature fail:signature expired, signature time:20211217T064303Z,server time:20211217T065804Z","request_id":"r-1"}`, nil, cloud.Denied, "APIGW.0301", "r-1", "clock right"},
		{"locked access key", passwordCall, 401,
			`{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: AK access failed to reach the limit,forbidden","request_id":"r-1"}`, nil, cloud.Denied, "APIGW.0301", "r-1", "locked after five wrong signatures"},
		{"unknown access key", passwordCall, 401,
			`{"error_code":"APIGW.0301","error_msg":"Get secretKey failed,ak:AK,err:ak not exist","request_id":"r-1"}`, nil, cloud.Denied,
			"APIGW.0301", "r-1", "does not know the access key"},
		{"missing permission, ECS", passwordCall, 403, `{"error":{"code":"Ecs.0110","message":"Contact the main account"}}`, request,
			cloud.Denied, "Ecs.0110", "req-abc", "ecs:serverPasswords:manage"},
		{"missing permission, PDP", passwordCall, 403,
			`{"code":"Pdp.0001","message":"Policy does not allow ecs:serverPasswords:manage to be performed."}`, request, cloud.Denied, "Pdp.0001",
			"req-abc", "lack the permission ecs:serverPasswords:manage"},
		{"missing permission, Nova", list, 403, `{"forbidden":{"code":403,"message":"Policy doesn't allow it"}}`, request, cloud.Denied,
			"forbidden", "req-abc", "ecs:servers:list"},
		{"Nova 401", passwordCall, 401,
			`{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}`, nil, cloud.Denied, "",
			"", "requires authentication"},
		{"no such instance, Nova", passwordCall, 404, `{"itemNotFound":{"code":404,"message":"Instance could not be found."}}`, request,
			cloud.NotFound, "itemNotFound", "req-abc", "no such instance"},
		{"no such instance, ECS", passwordCall, 404, `{"error":{"code":"Ecs.0114","message":"The ECS does not exist."}}`, nil, cloud.NotFound,
			"Ecs.0114", "", "no such instance"},
		{"a list is no instance", list, 404, `{"itemNotFound":{"code":404,"message":"Project not found"}}`, nil, cloud.Refused, "itemNotFound",
			"", "endpoints.ecs"},
		{"wrong path, Nova", passwordCall, 404, `{"code":"404 Not Found","title":"Not Found","message":"The resource could not be found."}`, nil,
			cloud.Refused, "", "", "endpoints.ecs"},
		{"no such operation, Nova", call{action: actionChange, instance: unknownID, plain: true}, 404,
			`{"itemNotFound":{"code":404,"message":"The resource could not be found."}}`, request, cloud.Refused, "itemNotFound", "req-abc",
			"endpoints.compute"},
		{"wrong path, gateway", passwordCall, 404, `{"error_code":"APIGW.0101","error_msg":"The API does not exist","request_id":"r-1"}`, nil,
			cloud.Refused, "APIGW.0101", "r-1", "endpoints.ecs"},
		{"wrong host", passwordCall, 404, `<html>nginx</html>`, nil, cloud.Refused, "", "", "HTTP status 404"},
		{"wrong identity address", token, 404, `{"error_code":"APIGW.0101","error_msg":"The API does not exist","request_id":"r-1"}`, nil,
			cloud.Refused, "APIGW.0101", "r-1", "auth_url"},
		{"wrong user", token, 401, `{"error":{"code":401,"message":"The username or password is wrong.","title":"Unauthorized"}}`, nil,
			cloud.Denied, "", "", "check username, password"},
		{"user without project", token, 403, `{"error":{"code":403,"message":"no roles","title":"Forbidden"}}`, nil, cloud.Denied, "", "",
			"may not use this project"},
		{"conflict", passwordCall, 409, `{"conflictingRequest":{"code":409,"message":"Cannot do it while it is in vm_state building"}}`, nil,
			cloud.Refused, "conflictingRequest", "", "state"},
		{"bad request", passwordCall, 400, `{"badRequest":{"code":400,"message":"Malformed request url"}}`, nil, cloud.Refused, "badRequest", "",
			"Malformed"},
		{"Nova's old throttle", passwordCall, 413, `{"overLimit":{"code":413,"message":"too fast","retryAfter":"7"}}`, nil, cloud.Throttled,
			"overLimit", "", "max_requests_per_second"},
		{"throttle with status 202", passwordCall, 202, `{"error":{"code":"Common.0024","message":"Flow limit exceeded."}}`, nil, cloud.Throttled,
			"Common.0024", "", "max_requests_per_second"},
		{"not offered", passwordCall, 501, `{"notImplemented":{"code":501,"message":"no"}}`, nil, cloud.Refused, "notImplemented", "",
			"does not offer"},
		{"server fault", passwordCall, 500, `{"computeFault":{"code":500,"message":"oops"}}`, request, cloud.Unknown, "computeFault", "req-abc",
			"oops"},
		{"gateway timeout", passwordCall, 504, `{"error_code":"APIGW.0201","error_msg":"Backend timeout.","request_id":"r-1"}`, nil,
			cloud.Unknown, "APIGW.0201", "r-1", "cannot say"},
		{"redirect", passwordCall, 302, ``, http.Header{"Location": {"https://evil.example"}}, cloud.Refused, "", "", "redirects"},
		{"foreign JSON", passwordCall, 400, `{"secretName":{"message":"m"}}`, nil, cloud.Refused, "", "", "does not accept"},
		{"status without meaning", passwordCall, 299, ``, nil, cloud.Unknown, "", "", "cannot say"},
		{"hostile request id", passwordCall, 401, `{"error_code":"APIGW.0301","error_msg":"m","request_id":"a\nb"}`,
			http.Header{"X-Request-Id": {"x y"}}, cloud.Denied, "APIGW.0301", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := translate(test.call, refusal(test.status, test.body, test.header), nil)
			if e.Kind != test.kind || e.Code != test.code || e.RequestID != test.id || !strings.Contains(e.Message, test.text) {
				t.Errorf("got kind %q, code %q, id %q, message %q\nwant %q, %q, %q, %q", e.Kind, e.Code, e.RequestID, e.Message, test.kind, test.code,
					test.id, test.text)
			}
		})
	}
}

func TestTransportErrors(t *testing.T) {
	lost := func(err error) error {
		return &url.Error{Op: "Get", URL: "https://ecs.example.com/?q=SECRET", Err: err}
	}
	for _, test := range []struct {
		name string
		err  error
		kind cloud.Kind
		text string
	}{
		{"no connection", lost(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), cloud.Unavailable, "connection refused"},
		{"unknown host", lost(&net.DNSError{Name: "ecs.example.com"}), cloud.Unavailable, "cannot resolve"},
		{"lost before the answer", lost(io.EOF), cloud.Unknown, "no answer"},
		{"time-out", lost(context.DeadlineExceeded), cloud.Unknown, "request_timeout"},
		{"canceled", lost(context.Canceled), cloud.Unknown, "abandoned"},
		{"lost inside the answer", io.ErrUnexpectedEOF, cloud.Unknown, "no answer"},
		{"empty answer", io.EOF, cloud.Unknown, "cannot be read"},
		{"no JSON", &json.SyntaxError{}, cloud.Unknown, "cannot be read"},
		{"other JSON", errAnswerForm, cloud.Unknown, "cannot be read"},
		{"translated already", &cloud.Error{Kind: cloud.Throttled, Message: "limiter"}, cloud.Throttled, "limiter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := translate(passwordCall, test.err, nil)
			if e.Kind != test.kind || !strings.Contains(e.Error(), test.text) || strings.Contains(e.Error(), "SECRET") {
				t.Errorf("got %q: %v", e.Kind, e)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	e := translate(passwordCall, refusal(429, "", http.Header{"Retry-After": {"7"}}), nil)
	if e.Kind != cloud.Throttled || e.RetryAfter != 7*time.Second {
		t.Errorf("kind %q, retry after %s", e.Kind, e.RetryAfter)
	}
}

func TestReasonIsCleaned(t *testing.T) {
	secret := "p@ss word&1"
	r := redactor{secret, "", "abc"}
	got := r.line("a\r\n b\x00 abc " + secret + " " + url.QueryEscape(secret) + " " + url.PathEscape(secret))
	if want := "a b\uFFFD abc [redacted] [redacted] [redacted]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// What is dropped later must not hide a secret from what looks for it.
	if got := r.line("it is p@ss\u200B \x00word\uFEFF&1."); got != "it is [redacted]." {
		t.Errorf("got %q", got)
	}
	long := redactor{}.line(strings.Repeat("ü", cloud.MaxText+1))
	if utf8.RuneCountInString(long) > cloud.MaxText+3 || !strings.HasSuffix(long, "ü...") {
		t.Errorf("a long reason became %d bytes ending in %q", len(long), long[len(long)-6:])
	}
}

// Only Keystone's "not found", and of our own application credential, says that it is gone.
func TestUnknownApplicationCredential(t *testing.T) {
	const own = "aa11"
	for name, c := range map[string]struct {
		call   call
		status int
		says   string
		gone   bool
	}{
		"gone":           {call{identity: true, applicationCredential: own}, 404, "Could not find Application Credential: aa11.", true},
		"a wrong secret": {call{identity: true, applicationCredential: own}, 401, "Application credential aa11 is wrong.", false},
		"another's":      {call{identity: true, applicationCredential: own}, 404, "Could not find Application Credential: bb22.", false},
		"another thing":  {call{identity: true, applicationCredential: own}, 404, "Could not find project: aa11.", false},
		"of Nova":        {call{applicationCredential: own}, 404, "Could not find Application Credential: aa11.", false},
		"none in use":    {call{identity: true}, 404, "Could not find Application Credential: aa11.", false},
	} {
		a := answer{status: c.status, reason: c.says}
		if got := a.unknownApplicationCredential(c.call); got != c.gone {
			t.Errorf("%s: %t", name, got)
		}
	}
}
