package contract

import (
	"context"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// answerChecks are about the kinds of errors: what the rotation core takes for proof that nothing was done.
var answerChecks = []check{
	{"throttled", answers(model.Fault{Kind: model.FaultThrottle}, cloud.Throttled, false)},
	{"an error of the cloud's own proves nothing", answers(model.Fault{Kind: model.FaultServerError}, cloud.Unknown, false)},
	{"lost on the way to the cloud", answers(model.Fault{Kind: model.FaultDropBefore}, cloud.Unknown, false)},
	{"answer lost", answers(model.Fault{Kind: model.FaultDropAfter}, cloud.Unknown, true)},
	{"arrives late", answers(model.Fault{Kind: model.FaultLateArrival, Delay: time.Millisecond}, cloud.Unknown, true)},
	{"refused in the cloud's words", refusedInWords},
	{"abandoned while the answer is awaited", abandoned},
	{"a repetition after a lost answer", repeated},
	{"wrong credentials", wrongCredentials},
	{"permission missing", permissionMissing},
}

// networkChecks are about connections that cannot be made: nothing was sent then.
var networkChecks = []check{
	{"connection refused", connectionRefused},
	{"certificate not trusted", certificateNotTrusted},
}

// answers lets a fault meet the request, which is sent once all the same.
func answers(f model.Fault, kind cloud.Kind, applied bool) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		r := s.reset(t, model.Linux)
		s.fault(t, f)
		s.checkError(t, r, s.kind(kind))
		if applied {
			until(t, func() bool { s.settle(); return s.applied(r) })
		}
		s.checkApplied(t, r, applied)
	}
}

// checkError sends a reset that reaches the simulator once, and is answered by an error or not at all.
func (s *scene) checkError(t *testing.T, r cloud.Reset, kind cloud.Kind) {
	t.Helper()
	mark, took := s.mark(), len(s.limiter.since(0))
	started, err := s.method.StartReset(t.Context(), r)
	s.wantKind(t, err, []cloud.Kind{kind}, r.Password)
	if told := s.limiter.since(took); len(told) != 1 || told[0].action != s.action || cloud.KindOf(told[0].err) != kind {
		t.Errorf("the meter was told of %+v, want one %s of kind %s", told, s.action, kind)
	}
	if started != (cloud.ResetStarted{}) {
		t.Errorf("an error and %+v", started)
	}
	if n := s.sent(mark); n != 1 {
		t.Errorf("%d requests reached the cloud, want 1", n)
	}
}

// refusedInWords has the cloud repeat the password in its refusal, where it has been told.
func refusedInWords(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	f := s.subject.Refusal
	f.Kind, f.Message = model.FaultRefuse, "cannot do that"
	if s.subject.Method == cloud.MethodAPI {
		f.Message += " with " + r.Password
	}
	s.fault(t, f)
	s.checkError(t, r, cloud.Refused)
	s.checkApplied(t, r, false)
}

func abandoned(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	s.fault(t, model.Fault{Kind: model.FaultHoldAfter})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		until(t, func() bool { return s.world.Stats().Held > 0 })
		cancel()
	}()
	_, err := s.method.StartReset(ctx, r)
	s.wantKind(t, err, []cloud.Kind{cloud.Unknown}, r.Password)
	s.world.ReleaseHolds()
	s.checkApplied(t, r, true)
}

// repeated is what the core does after an unknown outcome: the same reset once more.
func repeated(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	s.fault(t, model.Fault{Kind: model.FaultDropAfter, Count: 1})
	s.checkError(t, r, cloud.Unknown)
	s.settle()
	s.checkSucceeded(t, r, s.start(t, r))
	s.checkLogin(t, r.InstanceIDs[0], r.Username, r.Password, oldPassword)
}

// connectionRefused takes the cloud away between the preparation and the reset.
func connectionRefused(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	mark := s.mark()
	s.cfg.HTTPClient.CloseIdleConnections() // one that dies under a request proves nothing
	s.sim.Close()
	_, err := s.method.StartReset(t.Context(), r)
	s.checkUnsent(t, r, mark, err, cloud.Unavailable)
}

func certificateNotTrusted(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	mark := s.mark()
	_, err := s.other(t, func(c *cloud.Config) { c.HTTPClient = newClient(t, "") }).StartReset(t.Context(), r)
	s.checkUnsent(t, r, mark, err, cloud.Unavailable)
}

// checkUnsent checks that a reset reached nobody.
func (s *scene) checkUnsent(t *testing.T, r cloud.Reset, mark int, err error, kinds ...cloud.Kind) {
	t.Helper()
	s.wantKind(t, err, kinds, r.Password)
	if n := s.sent(mark); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func wrongCredentials(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	mark := s.mark()
	_, err := s.other(t, func(c *cloud.Config) {
		for _, secret := range []string{"secret_key", "application_credential_secret", "client_secret"} {
			if known := c.Values[secret]; known != "" {
				c.Values = c.With(cloud.Values{secret: known + "x"})
			}
		}
	}).StartReset(t.Context(), r)
	s.wantKind(t, err, []cloud.Kind{s.kind(cloud.Denied)}, r.Password)
	if n := s.sent(mark); n > 1 { // none where another request asks for a token first
		t.Errorf("%d requests were sent", n)
	}
	s.checkApplied(t, r, false)
}

func permissionMissing(t *testing.T, s *scene) {
	r := s.reset(t, model.Linux)
	deny := []string{s.permission(s.action)}
	if user, ok := s.world.User(s.cloud, s.creds.UserID); ok {
		user.Deny = deny
		s.world.AddUser(user)
	} else {
		t.Fatalf("no user %q", s.creds.UserID)
	}
	mark := s.mark()
	_, err := s.method.StartReset(t.Context(), r)
	s.wantKind(t, err, []cloud.Kind{s.kind(cloud.Denied)}, r.Password)
	if n := s.sent(mark); n > 1 { // none where the simulator's log begins behind the permissions
		t.Errorf("%d requests were sent", n)
	}
	s.checkApplied(t, r, false)
}
