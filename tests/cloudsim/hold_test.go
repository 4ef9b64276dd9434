package cloudsim_test

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// A held answer is how tests kill a client between the change and its answer.
func TestHeldAnswerOfAReset(t *testing.T) {
	e := startTencent(t, cloudsim.Options{})
	w, id := e.sim.World(), e.creds.Servers["linux-1"]
	if _, err := w.AddFault(model.Fault{Kind: model.FaultHoldAfter, Action: "ResetInstancesPassword", Count: 1}); err != nil {
		t.Fatal(err)
	}
	type result struct {
		requestID string
		err       error
	}
	done := make(chan result, 1)
	go func() {
		requestID, err := e.reset(t, true, newPassword, id)
		done <- result{requestID, err}
	}()
	if !eventually(func() bool { return w.Stats().Held == 1 }) {
		t.Fatal("the answer is not held")
	}
	if !w.Mark() {
		t.Error("a kill now would not count as in flight")
	}
	w.Advance(time.Hour)
	if s, _ := w.Server(id); s.Logins["root"] != newPassword || s.Latest.State != model.Succeeded {
		t.Errorf("behind the held answer: %+v", s.Latest)
	}
	select {
	case r := <-done:
		t.Fatalf("answered early: %+v", r)
	default:
	}
	w.ReleaseHolds()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	if a := w.Attempts(id); len(a) != 1 || a[0].RequestID != r.requestID || a[0].State != model.Succeeded {
		t.Errorf("attempts %+v", a)
	}
}

// Closing the simulator must end a client that waits for a held answer.
func TestCloseReleasesHeldAnswers(t *testing.T) {
	e := startTencent(t, cloudsim.Options{})
	w := e.sim.World()
	if _, err := w.AddFault(model.Fault{Kind: model.FaultHoldBefore}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Whether it gets an answer or a broken connection does not matter.
		_, _ = e.call(t, "sts", "2018-08-13", "GetCallerIdentity", nil)
	}()
	if !eventually(func() bool { return w.Stats().Held == 1 }) {
		t.Fatal("the request is not held")
	}
	e.sim.Close()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the client still waits")
	}
}
