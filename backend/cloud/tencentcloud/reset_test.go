package tencentcloud

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

func testReset() cloud.Reset {
	return cloud.Reset{InstanceIDs: []string{"ins-r8hr2upy"}, Username: "root", Password: testPassword, ForceStop: true}
}

func TestStartResetSendsOneRequest(t *testing.T) {
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { reply(w, map[string]any{}) })
	cfg := testConfig(t, f.URL)
	p := newTestProvider(t, cfg)
	for _, force := range []bool{true, false} {
		reset := testReset()
		reset.InstanceIDs = []string{"ins-r8hr2upy", "ins-5d8a23rs"}
		reset.ForceStop = force
		started, err := p.StartReset(t.Context(), reset)
		if err != nil {
			t.Fatal(err)
		}
		if started.RequestID != testRequestID || started.Done {
			t.Errorf("started %+v", started)
		}
		seen := f.seen()
		last := seen[len(seen)-1]
		want := map[string]any{
			"InstanceIds": []any{"ins-r8hr2upy", "ins-5d8a23rs"}, "UserName": "root",
			"Password": testPassword, "ForceStop": force,
		}
		if !reflect.DeepEqual(last.body, want) {
			t.Errorf("force_stop=%t sends %v, want %v", force, last.body, want)
		}
		for name, want := range map[string]string{
			"X-TC-Version": "2017-03-12", "X-TC-Region": "ap-guangzhou", "X-TC-Language": "en-US",
		} {
			if got := last.header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	if n := len(f.seen()); n != 2 {
		t.Errorf("%d requests for 2 resets", n)
	}
	if n := cfg.Limiter.(*contract.CountLimiter).Count("ResetInstancesPassword"); n != 0 {
		t.Errorf("the limiter was waited for %d times; the caller has done that", n)
	}
}

func TestStartResetRefusesBadInputUnsent(t *testing.T) {
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { reply(w, map[string]any{}) })
	p := newTestProvider(t, testConfig(t, f.URL))
	many := make([]string, maxResetIDs+1)
	for i := range many {
		many[i] = fmt.Sprintf("ins-%08d", i)
	}
	for name, c := range map[string]struct {
		change func(*cloud.Reset)
		kind   cloud.Kind
	}{
		"no instance":       {func(r *cloud.Reset) { r.InstanceIDs = nil }, cloud.Refused},
		"too many":          {func(r *cloud.Reset) { r.InstanceIDs = many }, cloud.Refused},
		"malformed id":      {func(r *cloud.Reset) { r.InstanceIDs = []string{"ins-r8hr2upy", "../x"} }, cloud.Refused},
		"id given twice":    {func(r *cloud.Reset) { r.InstanceIDs = []string{"ins-r8hr2upy", "ins-r8hr2upy"} }, cloud.Refused},
		"no username":       {func(r *cloud.Reset) { r.Username = "" }, cloud.Refused},
		"username too long": {func(r *cloud.Reset) { r.Username = strings.Repeat("u", 65) }, cloud.Refused},
		"no password":       {func(r *cloud.Reset) { r.Password = "" }, cloud.PasswordRefused},
	} {
		t.Run(name, func(t *testing.T) {
			reset := testReset()
			c.change(&reset)
			_, err := p.StartReset(t.Context(), reset)
			wantKind(t, err, c.kind)
		})
	}
	if n := len(f.seen()); n != 0 {
		t.Errorf("%d requests sent", n)
	}
	reset := testReset()
	reset.InstanceIDs = many[:maxResetIDs]
	if _, err := p.StartReset(t.Context(), reset); err != nil {
		t.Errorf("a full batch: %v", err)
	}
}

// TestStartResetWithUnusableAnswers has a server or something before it answer what proves nothing.
func TestStartResetWithUnusableAnswers(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"HTTP 500 page":         func(w http.ResponseWriter) { http.Error(w, "<html>"+testPassword, 500) },
		"HTTP 502 JSON":         func(w http.ResponseWriter) { w.WriteHeader(502); w.Write([]byte(`{"Response":{"RequestId":"r"}}`)) },
		"HTTP 429":              func(w http.ResponseWriter) { w.WriteHeader(429) },
		"HTTP 403 page":         func(w http.ResponseWriter) { http.Error(w, "forbidden by proxy", 403) },
		"not JSON":              func(w http.ResponseWriter) { w.Write([]byte(testPassword)) },
		"null":                  func(w http.ResponseWriter) { w.Write([]byte("null")) },
		"null response":         func(w http.ResponseWriter) { w.Write([]byte(`{"Response":null}`)) },
		"empty object":          func(w http.ResponseWriter) { w.Write([]byte("{}")) },
		"no request id":         func(w http.ResponseWriter) { w.Write([]byte(`{"Response":{}}`)) },
		"request id of no type": func(w http.ResponseWriter) { w.Write([]byte(`{"Response":{"RequestId":7}}`)) },
		"error without code":    func(w http.ResponseWriter) { w.Write([]byte(`{"Response":{"Error":{},"RequestId":"r"}}`)) },
		"empty":                 func(http.ResponseWriter) {},
		"event stream": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Write([]byte("data: {}\n\n"))
		},
		"odd encoding": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "br")
			w.Write([]byte("\x0b\x02\x80"))
		},
		"redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"cut body": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte(`{"Response":`))
		},
		"connection lost": func(w http.ResponseWriter) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				conn.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { answer(w) })
			cfg := testConfig(t, f.URL)
			cfg.HTTPClient.CheckRedirect = nil // even a client that would follow
			_, err := newTestProvider(t, cfg).StartReset(t.Context(), testReset())
			wantKind(t, err, cloud.Unknown)
			if n := len(f.seen()); n != 1 {
				t.Errorf("%d requests sent, want 1", n)
			}
		})
	}
}

// TestStartResetBelievesTheBodyNotItsType: an accepted reset stays accepted if a gateway relabels it.
func TestStartResetBelievesTheBodyNotItsType(t *testing.T) {
	for _, kind := range []string{"text/event-stream", "application/octet-stream", "text/html"} {
		f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) {
			w.Header().Set("Content-Type", kind)
			w.Write([]byte(`{"Response":{"RequestId":"` + testRequestID + `"}}`))
		})
		started, err := newTestProvider(t, testConfig(t, f.URL)).StartReset(t.Context(), testReset())
		if err != nil || started.RequestID != testRequestID {
			t.Errorf("%s: %+v, %v", kind, started, err)
		}
	}
}

func TestStartResetThatIsNeverSent(t *testing.T) {
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { reply(w, map[string]any{}) })
	p := newTestProvider(t, testConfig(t, f.URL))

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.StartReset(canceled, testReset())
	wantKind(t, err, cloud.Unavailable)

	stale := cloud.WithSendDeadline(t.Context(), time.Now().Add(-time.Second))
	_, err = p.StartReset(stale, testReset())
	wantKind(t, err, cloud.Unavailable)

	if n := len(f.seen()); n != 0 {
		t.Fatalf("%d requests sent", n)
	}
	f.Close()
	_, err = p.StartReset(t.Context(), testReset())
	wantKind(t, err, cloud.Unavailable)
}

func TestStartResetAbandonedWhileUnderWay(t *testing.T) {
	arrived := make(chan struct{}, 1)
	release := make(chan struct{})
	f := newFakeCloud(t, func(http.ResponseWriter, string, map[string]any) {
		arrived <- struct{}{}
		<-release
	})
	defer close(release)

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := newTestProvider(t, testConfig(t, f.URL)).StartReset(ctx, testReset())
	wantKind(t, err, cloud.Unknown)

	cfg := testConfig(t, f.URL)
	cfg.RequestTimeout = 2 * time.Second // in which the request arrives
	_, err = newTestProvider(t, cfg).StartReset(t.Context(), testReset())
	e := errorOfKind(t, err, cloud.Unknown)
	if !strings.Contains(e.Error(), "request_timeout") {
		t.Errorf("%v does not name request_timeout", e)
	}
}

func TestResetRecords(t *testing.T) {
	described := []map[string]any{
		{"InstanceId": "ins-00000001", "InstanceState": "STOPPED", "LatestOperation": "ResetInstancesPassword",
			"LatestOperationState": "SUCCESS", "LatestOperationRequestId": "r1"},
		{"InstanceId": "ins-00000002", "InstanceState": "STOPPING", "LatestOperationState": "OPERATING", "LatestOperationRequestId": "r2"},
		{"InstanceId": "ins-00000003", "InstanceState": "RUNNING", "LatestOperation": "ResetInstancesPassword",
			"LatestOperationState": "FAILED", "LatestOperationRequestId": "r3", "LatestOperationErrorMsg": "guest\nsays no"},
		{"InstanceId": "ins-00000004", "InstanceState": "RUNNING", "LatestOperationState": nil, "LatestOperationRequestId": nil},
		{"InstanceId": "ins-00000005", "InstanceState": "TERMINATING", "LatestOperation": "TerminateInstances",
			"LatestOperationState": "OPERATING", "LatestOperationRequestId": "r5"},
		{"InstanceId": "ins-00000006", "InstanceState": "RUNNING", "LatestOperationState": "WAITING", "LatestOperationRequestId": "r6"},
		{"InstanceId": "ins-99999999", "InstanceState": "RUNNING"}, // not asked for
	}
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) {
		reply(w, map[string]any{"TotalCount": len(described), "InstanceSet": described})
	})
	var refs []cloud.ResetRef
	for i := 1; i <= 7; i++ { // the seventh does not exist
		refs = append(refs, cloud.ResetRef{InstanceID: fmt.Sprintf("ins-0000000%d", i), RequestID: fmt.Sprintf("r%d", i)})
	}
	got, err := newTestProvider(t, testConfig(t, f.URL)).ResetRecords(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]cloud.ResetRecord{
		"ins-00000001": {OperationID: "r1", State: cloud.OperationSuccess},
		"ins-00000002": {OperationID: "r2", State: cloud.OperationRunning},
		"ins-00000003": {OperationID: "r3", State: cloud.OperationFailed, Message: "ResetInstancesPassword: guest says no"},
		"ins-00000004": {State: cloud.OperationNone},
		"ins-00000005": {OperationID: "r5", State: cloud.OperationRunning, Gone: true},
		"ins-00000006": {OperationID: "r6", State: cloud.OperationRunning},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestResetTraits(t *testing.T) {
	traits := newTestProvider(t, testConfig(t, "")).ResetTraits()
	if traits.Action != "ResetInstancesPassword" || traits.BatchSize != 100 || !traits.Serial {
		t.Errorf("%+v", traits)
	}
	// A clock that runs ahead by all that the cloud forgives doubles the window.
	if traits.SignatureLifetime < 2*timestampWindow {
		t.Errorf("a request may still be accepted %v after its signing, traits say %v", 2*timestampWindow, traits.SignatureLifetime)
	}
	if traits.PollInterval <= 0 || traits.VisibilityGrace <= traits.PollInterval {
		t.Errorf("%+v: no room to look twice", traits)
	}
}

// The cloud may write the id of a request in capitals in one answer and not in the other.
func TestOperationIDsCompareWithoutCase(t *testing.T) {
	f := newFakeCloud(t, func(w http.ResponseWriter, action string, _ map[string]any) {
		id := "62DDFFC6-FDB5-44F7-20A6-59152E3D129A"
		if action == resetInstancesPassword.name {
			fmt.Fprintf(w, `{"Response":{"RequestId":%q}}`, id)
			return
		}
		reply(w, map[string]any{"TotalCount": 1, "InstanceSet": []any{map[string]any{
			"InstanceId": "ins-r8hr2upy", "InstanceState": "RUNNING", "LatestOperationState": "SUCCESS",
			"LatestOperationRequestId": strings.ToLower(id),
		}}})
	})
	p := newTestProvider(t, testConfig(t, f.URL))
	started, err := p.StartReset(t.Context(), testReset())
	if err != nil {
		t.Fatal(err)
	}
	records, err := p.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "ins-r8hr2upy", RequestID: started.RequestID}})
	if got := records["ins-r8hr2upy"]; err != nil || got.OperationID != started.RequestID || got.State != cloud.OperationSuccess {
		t.Errorf("%+v, %v; want success under %s", got, err, started.RequestID)
	}
}
