package backend

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/policy"
)

// panicSecret is in the value of every panic on purpose.
const panicSecret = "s3cret-of-a-panic"

func panics(context.Context) error { panic(fmt.Errorf("with %s", panicSecret)) }

// kept is a log that tests read.
type kept struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.out.Write(p)
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.out.String()
}

// panicking is a mount whose cloud panics in calls of the method, and its log.
func panicking(t *testing.T, h *harness, method string) *kept {
	t.Helper()
	log := &kept{}
	h.Logger().(hclog.InterceptLogger).RegisterSink(hclog.NewSinkAdapter(&hclog.LoggerOptions{Output: log, Level: hclog.Trace}))
	h.cloud.mu.Lock()
	defer h.cloud.mu.Unlock()
	h.cloud.during = map[string]func(context.Context) error{method: panics}
	return log
}

func (f *fakeCloud) calm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.during = nil
}

func (k *kept) wants(t *testing.T) {
	t.Helper()
	if log := k.String(); !strings.Contains(log, "recovered from a panic") || !strings.Contains(log, "panic_test.go") ||
		strings.Contains(log, panicSecret) {
		t.Errorf("logged %q", log)
	}
}

// TestPanicInARequestIsAnError panics below every path that asks the cloud, and below one that does not.
func TestPanicInARequestIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		op     logical.Operation
		path   string
		data   map[string]any
	}{
		"verify": {"Verify", logical.UpdateOperation, "config/prod", map[string]any{"max_requests_per_second": 500}},
		"role": {"DescribeInstances", logical.UpdateOperation, "roles/more", map[string]any{"connection": "prod", "instance_ids": "srv-1",
			"force_stop": true, "username": "more"}},
		"discover": {"FindInstances", logical.ListOperation, "discover/prod", nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := leasedRole(t, nil)
			log := panicking(t, h, c.method)
			for range 3 {
				resp, err := h.request(t, c.op, c.path, c.data)
				if status, message := statusOf(resp, err); status != http.StatusInternalServerError ||
					!strings.Contains(message, "internal error (panic: ") || strings.Contains(message, panicSecret) {
					t.Fatalf("%d %q", status, message)
				}
			}
			log.wants(t)
			h.cloud.calm()
			h.ok(t, c.op, c.path, c.data) // no lock is held
			h.ok(t, logical.UpdateOperation, "config/prod", map[string]any{"max_requests_per_second": 500})
		})
	}
}

func TestPanicWhileAnInitialPasswordIsReadIsAnError(t *testing.T) {
	h := roleMount(t)
	key, _ := rsaKey(t, keyOne)
	h.write(t, "roles/win", map[string]any{"connection": initialCloud, "instance_ids": "srv-1"})
	h.cloud.boot(t, "srv-1", "fr0m-the-guest!", &key.PublicKey)
	log := panicking(t, h, "InitialPassword")
	for range 3 {
		resp, err := h.request(t, logical.ReadOperation, "creds/win", nil)
		if status, message := statusOf(resp, err); status < 500 || !strings.Contains(message, "internal error (panic: ") ||
			strings.Contains(message, panicSecret) {
			t.Fatalf("%d %q", status, message)
		}
	}
	log.wants(t)
	h.cloud.calm()
	if got := h.read(t, "creds/win")["password"]; got != "fr0m-the-guest!" {
		t.Errorf("password %v", got)
	}
}

// TestPanicOfAWorkerIsAFailure panics in the reset and in the look at its record: a failure with backoff that is
// shown, and after which everything goes on with the same password.
func TestPanicOfAWorkerIsAFailure(t *testing.T) {
	for _, method := range []string{"StartReset", "ResetRecords"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // of whose time the backoff takes some, however slow the machine is
				h := leasedRole(t, nil)
				log := panicking(t, h, method)
				_, _ = h.request(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "1s"})
				h.waitFor(t, webAccount, func(a map[string]any) bool {
					said, _ := a["last_error"].(string)
					return strings.Contains(said, "internal error (panic: ") && !strings.Contains(said, panicSecret)
				})
				synctest.Wait()
				log.wants(t)
				if n := h.cloud.count(method); n > 3 {
					t.Errorf("%d calls at once", n)
				}
				h.cloud.calm()
				h.write(t, "config/prod", map[string]any{"max_requests_per_second": 500}) // releases what is held back
				if got := h.read(t, "status"); got["running"] != true {
					t.Errorf("status %v", got["running"])
				}
			})
		})
	}
}

// TestPanicOfAStepHoldsTheAccountBack panics in a worker outside of any call of the cloud.
func TestPanicOfAStepHoldsTheAccountBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := leasedRole(t, nil)
		var tries atomic.Int32
		h.system.SetPasswordPolicy("boom", func() (string, error) {
			if tries.Add(1) > policy.Samples+2 { // those of the write of the connection, which looks twice
				return "", panics(t.Context())
			}
			return "Correct-Horse-7-Battery", nil
		})
		h.write(t, "config/prod", map[string]any{"password_policy": "boom"})
		log := panicking(t, h, "none")
		before := tries.Load()
		_, _ = h.request(t, logical.ReadOperation, "creds/web", map[string]any{"wait": "1s"})
		h.waitFor(t, webAccount, func(a map[string]any) bool {
			return strings.Contains(fmt.Sprint(a["last_error"]), "internal error (panic: ")
		})
		synctest.Wait()
		log.wants(t)
		if n := tries.Load() - before; n > 2 {
			t.Errorf("%d tries at once", n)
		}
		h.write(t, "config/prod", map[string]any{"password_policy": ""})
		h.lease(t, "creds/web")
	})
}

func TestPanicInTheRegularWorkEndsOnlyItsPart(t *testing.T) {
	h := newHarness(t)
	h.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux, Tags: map[string]string{"env": "prod"}})
	h.connection(t, "prod", resetCloud)
	h.write(t, "roles/web", map[string]any{"connection": "prod", "instance_tags": map[string]any{"env": "prod"}, "force_stop": true})
	log := panicking(t, h, "FindInstances")
	if err := h.round(t.Context()); err != nil {
		t.Errorf("the round: %v", err)
	}
	if f := h.roles.Failures()["web"]; !strings.Contains(f.Cause.String(), "internal error (panic: ") {
		t.Errorf("the look failed with %q", f.Cause)
	}
	log.wants(t)
	// A round that panics as a whole does not keep the next from running.
	done := make(chan struct{})
	h.rounds.start(func(context.Context) {
		defer func() { _ = recover(); close(done) }()
		_ = panics(t.Context())
	})
	<-done
	h.rounds.wg.Wait()
	ran := make(chan struct{})
	h.rounds.start(func(context.Context) { close(ran) })
	<-ran
}
