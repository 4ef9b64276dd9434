package azure

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// throttledBody is Compute's throttle, as troubleshooting-throttling-errors.md of SupportArticles-docs shows it: without the
// wrapper of other errors.
const throttledBody = `{"code":"OperationNotAllowed","message":"The server rejected the request because too many requests have been ` +
	`received for this subscription.","details":[{"code":"TooManyRequests","target":"HighCostGet","message":"{}"}]}`

func TestKindsOfErrors(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   any
		kind   cloud.Kind
		says   string
	}{
		"a bad token":    {401, errorBody("InvalidAuthenticationToken", ""), cloud.Denied, "the next call gets another"},
		"an old token":   {401, errorBody("ExpiredAuthenticationToken", ""), cloud.Denied, "the next call gets another"},
		"some other 401": {401, errorBody("SomethingNew", ""), cloud.Denied, "the next call gets another"},
		"another tenant": {401, errorBody("InvalidAuthenticationTokenTenant", ""), cloud.Denied, "tenant_id"},
		"no permission": {403, errorBody("AuthorizationFailed", "The client 'c' has no authorization."), cloud.Denied,
			permitRunCommandsWrite},
		"no linked permission": {403, errorBody("LinkedAuthorizationFailed", ""), cloud.Denied, permitRunCommandsWrite},
		"a policy":             {403, errorBody("RequestDisallowedByPolicy", ""), cloud.Denied, "Azure Policy"},
		"a lock":               {409, errorBody("ScopeLocked", ""), cloud.Denied, "az lock list"},
		"no machine":           {404, errorBody("ResourceNotFound", ""), cloud.NotFound, "no such virtual machine"},
		"no machine above it":  {404, errorBody("ParentResourceNotFound", ""), cloud.NotFound, "no such virtual machine"},
		"no group":             {404, errorBody("ResourceGroupNotFound", ""), cloud.NotFound, "no such virtual machine"},
		"no subscription":      {404, errorBody("SubscriptionNotFound", ""), cloud.Denied, "subscription_id"},
		"not running": {409, errorBody("OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running."),
			cloud.Refused, "must be running"},
		"conflict":             {409, errorBody("Conflict", ""), cloud.Refused, "under way"},
		"an interrupted write": {409, errorBody("ConflictingConcurrentWriteNotAllowed", ""), cloud.Unknown, "whether the command was taken"},
		"25 commands": {400,
			errorBody("BadRequest", "The maximum number of managed Run commands (max=25, current=25) has been exceeded."), cloud.Refused, "max=25"},
		"throttled by ARM":      {429, errorBody("SubscriptionRequestsThrottled", ""), cloud.Throttled, "too many requests"},
		"throttled, any code":   {429, errorBody("SomethingNew", ""), cloud.Throttled, "too many requests"},
		"throttled by Compute":  {429, throttledBody, cloud.Throttled, "too many requests"},
		"throttled as a 409":    {409, throttledBody, cloud.Throttled, "too many requests"},
		"throttled, no body":    {429, "", cloud.Unknown, "whether the command was taken"},
		"a timeout":             {408, errorBody("RequestTimeout", ""), cloud.Unknown, "whether the command was taken"},
		"a server error":        {500, errorBody("InternalServerError", ""), cloud.Unknown, "internal failure"},
		"known, but of a 5xx":   {503, errorBody("Conflict", ""), cloud.Unknown, "internal failure"},
		"an unlisted 4xx":       {400, errorBody("SomethingNew", ""), cloud.Unknown, "does not know"},
		"an unlisted 404":       {404, errorBody("SomethingNew", ""), cloud.Unknown, "does not know"},
		"a proxy's page":        {403, "<html>Forbidden</html>", cloud.Unknown, "proxies"},
		"a proxy's 404":         {404, "<html>Not found</html>", cloud.Unknown, "proxies"},
		"JSON without a code":   {404, object{"error": object{"message": "x"}}, cloud.Unknown, "proxies"},
		"a gateway's 502":       {502, "<html>", cloud.Unknown, "internal failure"},
		"an error without wrap": {409, object{"code": "Conflict", "message": "Busy."}, cloud.Refused, "Busy."},
		"the reason in a detail": {409,
			object{"error": object{"code": "OperationNotAllowed", "message": "No.",
				"details": array{object{"code": "CannotModifyExtensionsWhenVMNotRunning", "message": "Stopped."}}}}, cloud.Refused,
			"CannotModifyExtensionsWhenVMNotRunning Stopped."},
	} {
		p, f := answering(t, func(asked) (int, any) { return c.status, c.body })
		f.header = http.Header{"X-Ms-Correlation-Request-Id": {testRequestID}, "Retry-After": {"17"}}
		err := p.exchange(t.Context(), runCommandsUpdate, anyGet, nil)
		if cloud.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %s: %v", name, cloud.KindOf(err), err)
			continue
		}
		e := errorOfKind(t, err, c.kind)
		if want := map[bool]time.Duration{true: 17 * time.Second}[c.kind == cloud.Throttled]; e.RetryAfter != want {
			t.Errorf("%s: retry after %s", name, e.RetryAfter)
		}
		if e.Code != "" && e.RequestID != testRequestID {
			t.Errorf("%s: request id %q", name, e.RequestID)
		}
		if permission := strings.HasPrefix(name, "no permission") || strings.HasPrefix(name, "no linked"); permissionMissing(err) != permission {
			t.Errorf("%s: a missing permission: %t", name, !permission)
		}
		if len(f.seen()) != 1 {
			t.Errorf("%s: sent %d times", name, len(f.seen()))
		}
	}
}

func errorBody(code, message string) object {
	return object{"error": object{"code": code, "message": message}}
}

// What reads is repeated for a waiting client, and a gateway's own throttle is believed.
func TestThrottledReads(t *testing.T) {
	answers := 0
	p, f := answering(t, func(asked) (int, any) {
		if answers++; answers < 3 {
			return http.StatusTooManyRequests, "slow down"
		}
		return http.StatusOK, paged("")
	})
	f.header = http.Header{}
	if err := p.Verify(cloud.WithInteractive(t.Context())); err != nil || answers != 3 {
		t.Errorf("%v after %d", err, answers)
	}
	answers = 0
	f.header = http.Header{"Retry-After": {"1200"}}
	if e := errorOfKind(t, p.Verify(t.Context()), cloud.Throttled); e.RetryAfter != 20*time.Minute || answers != 1 {
		t.Errorf("%v after %d", e, answers)
	}
}

// A cloud that repeats what it was sent shows no secret of it.
func TestErrorsHoldNoSecrets(t *testing.T) {
	p, _ := answering(t, func(r asked) (int, any) {
		return http.StatusBadRequest, errorBody("Bad"+testPassword, "got "+r.body+" with "+r.header.Get("Authorization"))
	})
	r := request{method: http.MethodPut, path: anyGet.path, body: object{"a": testPassword}}
	_ = errorOfKind(t, p.ask(t.Context(), runCommandsUpdate, r, nil, testPassword), cloud.Unknown)
}
