package aws

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// documented are the codes of the EC2 error page that any action or the actions of this package may
// answer, the common errors of STS, and those that the SDK's iam package lists for access keys, each with the kind the rotation core
// must see.
var documented = map[cloud.Kind][]string{
	cloud.NotFound: {"InvalidInstanceID.NotFound", "InvalidKeyPair.NotFound", "NoSuchEntity"},
	cloud.Denied: {
		"AuthFailure", "Blocked", "IncompleteSignature", "IncompleteSignatureException", "InvalidClientTokenId", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "OptInRequired",
		"PendingVerification", "RequestExpired", "UnauthorizedOperation", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException",
		"AccessDenied", "AccessDeniedException", "NotAuthorized", "RegionDisabledException", "InvalidAccessKeyId", "UnrecognizedClientException",
		"InvalidSignatureException",
	},
	cloud.Refused: {
		"DryRunOperation", "IdempotentParameterMismatch", "InvalidAction", "InvalidCharacter", "InvalidPaginationToken", "InvalidParameter",
		"InvalidParameterCombination", "InvalidParameterDependency", "InvalidParameterValue", "InvalidQueryParameter", "MalformedQueryString",
		"MissingAction", "MissingParameter", "UnknownParameter", "UnsupportedInstanceAttribute", "UnsupportedOperation", "UnsupportedProtocol",
		"ValidationError", "InvalidInstanceID", "InvalidInstanceId", "InvalidInstanceID.Malformed", "IncorrectInstanceState", "IncorrectState",
		"Unsupported",
		"FilterLimitExceeded", "InvalidFilter", "InvalidInput", "InvalidNextToken", "NoSuchVersion", "RequestResourceCountExceeded",
		"LimitExceeded",
	},
	cloud.Throttled: {"RequestLimitExceeded", "Throttling", "ThrottlingException"},
	cloud.Unknown: {
		"InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "ServiceUnavailableException", "Unavailable",
		"RequestTimeout", "RequestTimeoutException", "ServiceFailure",
	},
}

// Every documented code goes through the real SDK: as an EC2 answer and as an STS answer.
func TestEveryDocumentedCodeHasItsKind(t *testing.T) {
	f := newFakeEC2(t)
	cfg := testConfig(t, f.URL)
	cfg.Endpoints[endpointSTS] = f.URL
	p := newTestProvider(t, cfg)

	want := map[string]cloud.Kind{}
	for kind, codes := range documented {
		for _, code := range codes {
			want[code] = kind
		}
	}
	for code := range retry.DefaultThrottleErrorCodes {
		want[code] = cloud.Throttled
	}
	for code := range retry.DefaultRetryableErrorCodes {
		want[code] = cloud.Unknown
	}
	for code, kind := range want {
		status := http.StatusBadRequest
		if kind == cloud.Unknown || kind == cloud.Throttled {
			status = http.StatusServiceUnavailable
		}
		f.on("GetPasswordData", func(w http.ResponseWriter, _ url.Values) { fail(w, status, code, "the text") })
		f.on("GetCallerIdentity", func(w http.ResponseWriter, _ url.Values) { failSTS(w, status, code, "the text") })
		_, err := p.InitialPassword(context.Background(), "i-1234abcd")
		checkError(t, err, kind, code, "ec2 GetPasswordData for i-1234abcd: ")
		checkError(t, p.Verify(context.Background()), kind, code, "sts GetCallerIdentity: ")

		f.on("GetPasswordData", func(w http.ResponseWriter, _ url.Values) { fail(w, status, "Client."+code, "the text") })
		_, err = p.InitialPassword(context.Background(), "i-1234abcd")
		checkError(t, err, kind, code, "ec2 GetPasswordData for i-1234abcd: ")
	}
	for code := range meanings {
		if _, ok := want[code]; !ok {
			t.Errorf("code %s is translated but in no documented list", code)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(want)) {
		if _, ok := meanings[code]; !ok {
			t.Errorf("code %s is documented but only translated by its HTTP status", code)
		}
	}
}

// documentedCommands are the codes that the service model of Systems Manager (2014-11-06) lists for the actions
// that this package calls, and those that its protocol has for malformed requests.
var documentedCommands = map[cloud.Kind][]string{
	cloud.NotFound: {"InvocationDoesNotExist"},
	cloud.Refused: {
		"DuplicateInstanceId", "InvalidCommandId", "InvalidDocument", "InvalidDocumentVersion", "InvalidFilterKey", "InvalidInstanceId",
		"InvalidInstanceInformationFilterValue", "InvalidNextToken", "InvalidNotificationConfig", "InvalidOutputFolder", "InvalidParameters",
		"InvalidPluginName", "InvalidRole", "MaxDocumentSizeExceeded", "SerializationException", "UnknownOperationException",
		"UnsupportedPlatformType", "ValidationException",
	},
	cloud.Unknown:   {"InternalServerError"},
	cloud.Denied:    {"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"},
	cloud.Throttled: {"ThrottlingException"},
}

// Every documented code of Systems Manager goes through the real SDK.
func TestEveryDocumentedCommandCodeHasItsKind(t *testing.T) {
	s := startCommanded(t)
	reset := s.reset(t, s.creds.Servers["linux-1"])
	known := map[string]bool{}
	for kind, codes := range documentedCommands {
		for _, code := range codes {
			known[code] = true
			if _, err := s.world.AddFault(model.Fault{Service: "ssm", Kind: model.FaultRefuse, Code: code, Count: 1,
				Message: "the text, with chpasswd"}); err != nil {
				t.Fatal(err)
			}
			_, err := s.StartReset(t.Context(), reset)
			wantFailure(t, err, kind, code, "ssm SendCommand for "+reset.InstanceIDs[0]+": ")
			if m := commandMeanings[code]; m.own && strings.Contains(err.Error(), "chpasswd") || strings.ContainsAny(err.Error(), "{}") {
				t.Errorf("%s: %v", code, err)
			}
		}
	}
	for code := range commandMeanings {
		if !known[code] {
			t.Errorf("code %s is translated but in no documented list", code)
		}
	}
}

func checkError(t *testing.T, err error, kind cloud.Kind, code, prefix string) {
	t.Helper()
	var failure *cloud.Error
	if !errors.As(err, &failure) {
		t.Errorf("%s: error %T %v, want a *cloud.Error", code, err, err)
		return
	}
	if failure.Kind != kind || failure.Code != code || failure.RequestID != testRequestID {
		t.Errorf("%s: kind %q, code %q, request id %q, want kind %q", code, failure.Kind, failure.Code, failure.RequestID, kind)
	}
	if !strings.HasPrefix(failure.Message, prefix) || len(failure.Message) < len(prefix)+20 {
		t.Errorf("%s: message %q names no call or no way out", code, failure.Message)
	}
	if strings.ContainsAny(failure.Message, "{}") {
		t.Errorf("%s: message %q has a placeholder left", code, failure.Message)
	}
	if strings.Contains(err.Error(), testSecretKey) {
		t.Errorf("%s: the error holds the secret", code)
	}
}

func TestAnswersWithoutKnownCode(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(http.ResponseWriter, url.Values)
		kind   cloud.Kind
		text   string // part of the message
	}{
		"unknown code, 400": {func(w http.ResponseWriter, _ url.Values) { fail(w, 400, "SomethingNew", "a reason") }, cloud.Refused, "a reason"},
		"unknown code, 403": {func(w http.ResponseWriter, _ url.Values) { fail(w, 403, "SomethingNew", "a reason") }, cloud.Denied,
			"ec2:GetPasswordData"},
		"unknown code, 500": {func(w http.ResponseWriter, _ url.Values) { fail(w, 500, "SomethingNew", "a reason") }, cloud.Unknown, "a reason"},
		"unknown thing": {func(w http.ResponseWriter, _ url.Values) { fail(w, 400, "InvalidThing.NotFound", "") }, cloud.NotFound,
			"does not know"},
		"status 429":     {func(w http.ResponseWriter, _ url.Values) { w.WriteHeader(429) }, cloud.Throttled, "max_requests_per_second"},
		"proxy says 403": {func(w http.ResponseWriter, _ url.Values) { http.Error(w, "blocked", 403) }, cloud.Denied, "HTTP 403"},
		"proxy says 404": {func(w http.ResponseWriter, _ url.Values) { http.Error(w, "<html>", 404) }, cloud.Refused, "endpoints.ec2"},
		"proxy says 408": {func(w http.ResponseWriter, _ url.Values) { http.Error(w, "too slow", 408) }, cloud.Unknown, "HTTP 408"},
		"proxy says 502": {func(w http.ResponseWriter, _ url.Values) { http.Error(w, "bad gateway", 502) }, cloud.Unknown, "retry"},
		"redirect": {func(w http.ResponseWriter, _ url.Values) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(307)
		}, cloud.Unknown, "redirect"},
		"200 that is no XML": {func(w http.ResponseWriter, _ url.Values) { _, _ = w.Write([]byte("welcome < to the portal")) }, cloud.Unknown,
			"endpoints.ec2"},
		"lost in mid-answer": {func(w http.ResponseWriter, _ url.Values) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("<GetPasswordDataResponse><instanceId>i-12"))
		}, cloud.Unknown, "middle of the answer"},
		"200 cut short": {func(w http.ResponseWriter, _ url.Values) {
			_, _ = w.Write([]byte("<GetPasswordDataResponse><instanceId>i-12"))
		}, cloud.Unknown, "cannot be read"},
		"answer about others": {func(w http.ResponseWriter, _ url.Values) {
			answer(w, "GetPasswordData", "<instanceId>i-99999999</instanceId><passwordData>QQ==</passwordData>")
		}, cloud.Unknown, "another instance"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeEC2(t)
			f.on("GetPasswordData", tc.answer)
			p := newTestProvider(t, testConfig(t, f.URL))
			_, err := p.InitialPassword(context.Background(), "i-1234abcd")
			if cloud.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("kind %q, error %v; want kind %q and %q", cloud.KindOf(err), err, tc.kind, tc.text)
			}
			if n := len(f.sent()); n != 1 {
				t.Errorf("%d requests, want 1: no retries, no redirects", n)
			}
		})
	}
}

func TestThrottlingKeepsTheCloudsDelay(t *testing.T) {
	f := newFakeEC2(t)
	f.on("GetPasswordData", func(w http.ResponseWriter, _ url.Values) {
		w.Header().Set("Retry-After", "7")
		fail(w, http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
	})
	p := newTestProvider(t, testConfig(t, f.URL))
	_, err := p.InitialPassword(context.Background(), "i-1234abcd")
	var failure *cloud.Error
	if !errors.As(err, &failure) || failure.Kind != cloud.Throttled || failure.RetryAfter != 7*time.Second {
		t.Fatalf("error %#v, want throttled for 7 s", err)
	}
	if n := len(f.sent()); n != 1 {
		t.Fatalf("%d requests, want 1", n)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		" plain ":            "plain",
		"two\nlines\x1b[31m": "two lines\uFFFD[31m",
		"not UTF-8 \xff":     "not UTF-8 \uFFFD",
		"You may not. Encoded authorization failure message: 8kX-9vAAA": "You may not.",
		strings.Repeat("ä", cloud.MaxText+1):                            strings.Repeat("ä", cloud.MaxText) + "...",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
