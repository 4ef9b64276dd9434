package contract

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/tencentcloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// breakage is a method with a mistake, and the check that is to find it.
type breakage struct {
	name    string
	check   string
	method  string // default: api
	direct  bool   // it is a method that is Direct, by command
	traits  func(*cloud.ResetTraits)
	fresh   bool // another value at each call of Resetter, and of Checker
	mayStop bool // what the descriptor says of its methods is turned round
	unheard bool // nobody is told how long requests took
	blind   bool // no check method is there
	look    func(cloud.PasswordFinding, error) (cloud.PasswordFinding, error)
	looks   func(*cloud.CheckTraits)
	several bool                  // a check tries whatever it is given
	cleans  func(final bool) bool // a cleaner, and whether it removes a record that is final or not
	start   func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error)
	records func(ctx context.Context, r cloud.PasswordResetter, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error)
}

// onError changes the error of a reset.
func onError(change func(*cloud.Error, cloud.Reset) error) func(context.Context, cloud.PasswordResetter, cloud.Reset) (cloud.ResetStarted,
	error) {
	return func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
		started, err := r.StartReset(ctx, reset)
		var e *cloud.Error
		if errors.As(err, &e) {
			return started, change(e, reset)
		}
		return started, err
	}
}

func ofKind(kind cloud.Kind) func(context.Context, cloud.PasswordResetter, cloud.Reset) (cloud.ResetStarted, error) {
	return onError(func(e *cloud.Error, _ cloud.Reset) error { e.Kind = kind; return e })
}

// onRecord changes each record.
func onRecord(change func(cloud.ResetRef, *cloud.ResetRecord)) func(context.Context, cloud.PasswordResetter,
	[]cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	return func(ctx context.Context, r cloud.PasswordResetter, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
		records, err := r.ResetRecords(ctx, refs)
		if err != nil {
			return records, err
		}
		for _, ref := range refs {
			if got, ok := records[ref.InstanceID]; ok {
				change(ref, &got)
				records[ref.InstanceID] = got
			}
		}
		return records, nil
	}
}

// claimed shows every operation as the one that was asked for.
func claimed(ref cloud.ResetRef, r *cloud.ResetRecord) {
	if ref.RequestID != "" {
		r.OperationID = ref.RequestID
	}
}

// farOrder is larger than those of the checks.
const farOrder = 9_999_999_999

func withoutDeadline(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
	reset.NotAfter = reset.NotAfter.Add(24 * time.Hour)
	return r.StartReset(ctx, reset)
}

func failuresAreCertain(_ cloud.ResetRef, r *cloud.ResetRecord) {
	if r.State == cloud.OperationFailed {
		r.Kind = cloud.Refused
	}
}

// absenceIsProof takes a name that the cloud does not show for a request that was not accepted.
func absenceIsProof(ref cloud.ResetRef, r *cloud.ResetRecord) {
	if ref.Name != "" && *r == (cloud.ResetRecord{}) {
		*r = cloud.ResetRecord{OperationID: ref.Name, Name: ref.Name, State: cloud.OperationFailed, Kind: cloud.Refused,
			Message: "no such command"}
	}
}

func sendTwice(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
	started, err := r.StartReset(ctx, reset)
	if err != nil {
		return r.StartReset(ctx, reset)
	}
	return started, nil
}

// recordNothing shows a record of every instance.
func recordNothing(ctx context.Context, r cloud.PasswordResetter, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	records, err := r.ResetRecords(ctx, refs)
	for _, ref := range refs {
		if _, ok := records[ref.InstanceID]; !ok && err == nil {
			records[ref.InstanceID] = cloud.ResetRecord{}
		}
	}
	return records, err
}

var breakages = []breakage{
	{name: "no batch", check: "the traits are usable", traits: func(t *cloud.ResetTraits) { t.BatchSize = 0 }},
	{name: "tries too often", check: "check methods that log in are given room",
		looks: func(c *cloud.CheckTraits) { c.Interval = min(c.Interval, 5*time.Minute) }},
	{name: "tries that end at once", check: "check methods that log in are given room",
		looks: func(c *cloud.CheckTraits) { c.LongestTry = 0 }},
	{name: "tries all", check: "check methods that log in are given room", several: true},
	{name: "no grace", check: "the traits are usable", traits: func(t *cloud.ResetTraits) { t.VisibilityGrace = t.PollInterval }},
	{name: "another method at each call", check: "methods are those of the descriptor", fresh: true},
	{name: "success too early", check: "a reset sets the password on Linux", records: onRecord(func(_ cloud.ResetRef, r *cloud.ResetRecord) {
		if r.State == cloud.OperationRunning {
			r.State = cloud.OperationSuccess
		}
	})},
	{name: "accepted, but not sent", check: "a reset sets the password on Windows",
		start: func(context.Context, cloud.PasswordResetter, cloud.Reset) (cloud.ResetStarted, error) {
			return cloud.ResetStarted{RequestID: "x"}, nil
		},
		records: onRecord(func(ref cloud.ResetRef, r *cloud.ResetRecord) {
			r.OperationID, r.State = ref.RequestID, cloud.OperationSuccess
		})},
	{name: "one instance of several", check: "resets of several instances are told apart",
		start: func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			reset.InstanceIDs = reset.InstanceIDs[:1]
			return r.StartReset(ctx, reset)
		}},
	{name: "said to be serial", check: "a reset may be repeated while it goes on", method: cloud.MethodCommand,
		traits: func(t *cloud.ResetTraits) { t.Serial = true }},
	{name: "asks before it sends", check: "the password travels once to Linux and stays nowhere",
		start: func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			if _, err := r.ResetRecords(ctx, []cloud.ResetRef{{InstanceID: reset.InstanceIDs[0]}}); err != nil {
				return cloud.ResetStarted{}, err
			}
			return r.StartReset(ctx, reset)
		}},
	{name: "stops a server unsaid", check: "a running server is stopped only where the descriptor says so", mayStop: true,
		method: cloud.MethodCommand},
	{name: "tries again by itself", check: "lost on the way to the cloud", start: sendTwice},
	{name: "tries again by itself, throttled", check: "throttled", start: sendTwice},
	{name: "a lost answer is a refusal", check: "answer lost", start: ofKind(cloud.Refused)},
	{name: "a server error is a refusal", check: "an error of the cloud's own proves nothing", start: ofKind(cloud.Refused)},
	{name: "an abandoned call is unsent", check: "abandoned while the answer is awaited", start: ofKind(cloud.Unavailable)},
	{name: "no connection is in doubt", check: "connection refused", start: ofKind(cloud.Unknown)},
	{name: "denied is refused", check: "permission missing", start: ofKind(cloud.Refused)},
	{name: "an error without a kind", check: "wrong credentials",
		start: onError(func(*cloud.Error, cloud.Reset) error { return errors.New("no") })},
	{name: "the password in an error", check: "refused in the cloud's words",
		start: onError(func(e *cloud.Error, r cloud.Reset) error { e.Message += r.Password; return e })},
	{name: "the password in the error below", check: "answer lost",
		start: onError(func(e *cloud.Error, r cloud.Reset) error { e.Err = errors.New(r.Password); return e })},
	{name: "a deadline forgotten", check: "a stale request is not sent",
		start: func(_ context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			return r.StartReset(context.Background(), reset)
		}},
	{name: "a context forgotten", check: "a context that has ended sends nothing",
		start: func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			return r.StartReset(context.WithoutCancel(ctx), reset)
		}},
	{name: "too many taken", check: "too many instances are refused unsent", traits: func(t *cloud.ResetTraits) { t.BatchSize = 50 }},
	{name: "an empty password is sent", check: "bad input is refused unsent",
		start: func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			if reset.Password == "" {
				reset.Password = "Something-Else-1"
			}
			return r.StartReset(ctx, reset)
		}},
	{name: "a record of nothing", check: "an unknown instance", records: recordNothing},
	{name: "a record of what is gone", check: "a gone instance", records: recordNothing},
	{name: "failures are certain", check: "failed although applied", records: onRecord(failuresAreCertain)},
	{name: "a failure is nobody's", check: "failed and not applied",
		records: onRecord(func(_ cloud.ResetRef, r *cloud.ResetRecord) { r.OperationID = "" })},
	{name: "a failure is a success", check: "an unknown user of the guest", records: onRecord(func(_ cloud.ResetRef, r *cloud.ResetRecord) {
		if r.State == cloud.OperationFailed {
			r.State, r.Message = cloud.OperationSuccess, ""
		}
	})},
	{name: "the latest one is ours", check: "a failure stays one when another reset succeeds", records: onRecord(claimed)},
	{name: "somebody else's is ours", check: "overwritten by somebody else", records: onRecord(claimed)},
	{name: "the one before is ours", check: "not visible yet", records: onRecord(claimed)},
	{name: "a failed look shows nothing", check: "a look that fails is an error",
		records: func(ctx context.Context, r cloud.PasswordResetter, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
			if records, err := r.ResetRecords(ctx, refs); err == nil {
				return records, nil
			}
			return map[string]cloud.ResetRecord{}, nil
		}},
	{name: "the meter is not told", check: "the password travels once to Linux and stays nowhere", unheard: true},
	{name: "the meter is not told of errors", check: "throttled", unheard: true},
	{name: "no check method", check: "check methods are those of the descriptor", blind: true},
	{name: "another check method at each call", check: "check methods are those of the descriptor", fresh: true},
	{name: "not compared is different", check: "check by command, no tool",
		look: func(f cloud.PasswordFinding, err error) (cloud.PasswordFinding, error) { f.Unknown = ""; return f, err }},
	{name: "an older password is another one", check: "check by command, an older disk",
		look: func(f cloud.PasswordFinding, err error) (cloud.PasswordFinding, error) {
			f.Match = cloud.NoMatch
			return f, err
		}},
	{name: "nothing seen is different", check: "check by command, a stopped server",
		look: func(f cloud.PasswordFinding, _ error) (cloud.PasswordFinding, error) { return f, nil }},
	{name: "a name made after the call", check: "a lost answer is found by its name", method: cloud.MethodCommand,
		start: func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			reset.Name = "Made-after-the-call"
			return r.StartReset(ctx, reset)
		}},
	{name: "lost although the id is known", check: "a lost answer is found by its name", method: cloud.MethodCommand,
		records: onRecord(func(ref cloud.ResetRef, r *cloud.ResetRecord) {
			if ref.RequestID == "" {
				*r = cloud.ResetRecord{}
			}
		})},
	{name: "found without its name", check: "a lost answer is found by its name on Windows", method: cloud.MethodCommand,
		records: onRecord(func(_ cloud.ResetRef, r *cloud.ResetRecord) { r.Name = "" })},
	{name: "found, and a success", check: "a lost refusal of the guest is found by its name", method: cloud.MethodCommand,
		records: onRecord(func(_ cloud.ResetRef, r *cloud.ResetRecord) { r.State, r.Message = cloud.OperationSuccess, "" })},
	{name: "absence is proof", check: "a name that the cloud does not show proves nothing", method: cloud.MethodCommand,
		records: onRecord(absenceIsProof)},
	{name: "absence is proof, too early", check: "a lost answer that is not visible yet", method: cloud.MethodCommand,
		records: onRecord(absenceIsProof)},
	{name: "absence of a known id is proof", check: "not visible yet", records: onRecord(func(ref cloud.ResetRef, r *cloud.ResetRecord) {
		if ref.RequestID != "" && r.OperationID != ref.RequestID {
			*r = cloud.ResetRecord{OperationID: ref.RequestID, State: cloud.OperationFailed, Kind: cloud.Refused, Message: "no such operation"}
		}
	})},
	{name: "a failed look by name shows nothing", check: "a look by name that fails is an error", method: cloud.MethodCommand,
		records: func(ctx context.Context, r cloud.PasswordResetter, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
			if records, err := r.ResetRecords(ctx, refs); err == nil {
				return records, nil
			}
			return map[string]cloud.ResetRecord{}, nil
		}},
	{name: "no order", check: "an older value changes nothing on Linux", method: cloud.MethodCommand,
		start: func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			reset.Order = farOrder
			return r.StartReset(ctx, reset)
		}},
	{name: "the same order is too old", check: "an older value changes nothing on Windows", method: cloud.MethodCommand,
		start: func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			reset.Order = farOrder - time.Now().UnixNano()%farOrder/2 // another one each time
			return r.StartReset(ctx, reset)
		}},
	{name: "the server's order is kept to itself", check: "an older value changes nothing on Linux", method: cloud.MethodCommand,
		records: onRecord(func(_ cloud.ResetRef, r *cloud.ResetRecord) { r.Order = 0 })},
	{name: "an older value is refused for certain", check: "an older value changes nothing on Linux", method: cloud.MethodCommand,
		records: onRecord(failuresAreCertain)},
	{name: "no deadline", check: "a late change is none on Linux", method: cloud.MethodCommand, start: withoutDeadline},
	{name: "no deadline, Windows", check: "a late change is none on Windows", method: cloud.MethodCommand, start: withoutDeadline},
	{name: "the deadline after the change", check: "a late change is none on Linux", method: cloud.MethodCommand, start: withoutDeadline,
		records: onRecord(func(_ cloud.ResetRef, r *cloud.ResetRecord) {
			if r.State == cloud.OperationSuccess {
				r.State, r.Message = cloud.OperationFailed, "too late"
			}
		})},
	{name: "too late for certain", check: "a late change is none on Linux", method: cloud.MethodCommand,
		records: onRecord(failuresAreCertain)},
	{name: "a deadline at once", check: "clocks that differ by less do not matter", method: cloud.MethodCommand,
		start: func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			reset.NotAfter = time.Now().Add(time.Minute)
			return r.StartReset(ctx, reset)
		}},
	{name: "an order made up", check: "a value without an order or a deadline is refused unsent", method: cloud.MethodCommand,
		start: func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			reset.Order = max(reset.Order, time.Now().Unix())
			return r.StartReset(ctx, reset)
		}},
	{name: "removes what runs", check: "a record is not removed while its operation runs", method: cloud.MethodCommand,
		cleans: func(bool) bool { return true }},
	{name: "a removed record is a failure", check: "a removed record is no outcome", method: cloud.MethodCommand,
		cleans: func(final bool) bool { return final }, records: onRecord(func(ref cloud.ResetRef, r *cloud.ResetRecord) {
			if ref.RequestID != "" && *r == (cloud.ResetRecord{}) {
				*r = cloud.ResetRecord{OperationID: ref.RequestID, State: cloud.OperationFailed, Kind: cloud.Refused, Message: "it is gone"}
			}
		})},
	{name: "a throttled server is a throttled connection", check: "throttled", direct: true, start: ofRefused(cloud.Throttled)},
	{name: "a right that one server lacks is the connection's", check: "permission missing", direct: true, start: ofRefused(cloud.Denied)},
	{name: "a key that one server lacks is the connection's", check: "wrong credentials", direct: true, start: ofRefused(cloud.Denied)},
	{name: "a server that is away is the connection's matter", check: "a server that is away is that server's matter", direct: true,
		start: ofRefused(cloud.Unavailable)},
	{name: "a server that hangs pauses the connection", check: "answer lost", direct: true,
		start: onError(func(e *cloud.Error, _ cloud.Reset) error { e.Err = nil; return e })},
	{name: "one at a time, or none", check: "a value is sent several times at once", direct: true, start: oneAtATime()},
	{name: "done without an answer", check: "answer lost", direct: true, start: alwaysDone},
	{name: "done although it failed", check: "failed and not applied", direct: true, start: alwaysDone},
	{name: "done although a newer value is there", check: "an older value changes nothing on Linux", direct: true, start: alwaysDone},
	{name: "done without a change", check: "a reset sets the password on Linux", direct: true,
		start: func(context.Context, cloud.PasswordResetter, cloud.Reset) (cloud.ResetStarted, error) {
			return cloud.ResetStarted{RequestID: "x", Done: true}, nil
		}},
	{name: "not done, with an answer", check: "a reset sets the password on Linux", direct: true,
		start: func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			started, err := r.StartReset(ctx, reset)
			started.Done = false
			return started, err
		}},
	{name: "the server's order is forgotten", check: "an older value changes nothing on Windows", direct: true,
		records: onRecord(func(_ cloud.ResetRef, r *cloud.ResetRecord) { r.Order = 0 })},
	{name: "too late is certain", check: "a late change is none on Linux", direct: true, start: ofUnknown(cloud.Refused)},
	{name: "a session that hangs is certain", check: "a command that comes hours late changes nothing", direct: true,
		start: ofUnknown(cloud.Refused)},
	{name: "no deadline in a session", check: "a late change is none on Linux", direct: true, start: withoutDeadline},
	{name: "a stale value is run", check: "a stale request is not sent", direct: true,
		start: func(_ context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
			return r.StartReset(context.Background(), reset)
		}},
	{name: "a hash in an error", check: "answer lost", direct: true,
		start: onError(func(e *cloud.Error, _ cloud.Reset) error { e.Message += " hash='$6$rounds=5000$x$y'"; return e })},
	{name: "a hash in a record", check: "an older value changes nothing on Linux", direct: true,
		records: onRecord(func(_ cloud.ResetRef, r *cloud.ResetRecord) { r.Message += " hash='$6$rounds=5000$x$y'" })},
	{name: "success is made up", check: "a look that fails is an error", direct: true,
		records: onRecord(func(ref cloud.ResetRef, r *cloud.ResetRecord) {
			if ref.RequestID != "" && *r == (cloud.ResetRecord{}) {
				r.OperationID, r.State = ref.RequestID, cloud.OperationSuccess
			}
		})},
	{name: "a look asks the server", check: "a look that fails is an error", direct: true, records: lookAtServers},
	{name: "a look asks the server, unmeasured", check: "the password travels once to Linux and stays nowhere", direct: true,
		records: lookAtServers},
	{name: "the meter hears of no failure", check: "an error of the cloud's own proves nothing", direct: true, unheard: true},
	{name: "no patience", check: "stuck", records: onRecord(func(_ cloud.ResetRef, r *cloud.ResetRecord) {
		if r.State == cloud.OperationRunning {
			r.State, r.Message = cloud.OperationFailed, "too slow"
		}
	})},
}

// brokenEnv names the breakage in the process that is to fail.
const brokenEnv = "CLOUDPW_CONTRACT_BROKEN"

// TestChecksFindBreakages runs the checks on methods with a mistake, in processes of their own since a test
// cannot fail and pass.
func TestChecksFindBreakages(t *testing.T) {
	if os.Getenv(brokenEnv) != "" {
		t.Skip("this is such a process")
	}
	for _, b := range breakages {
		t.Run(b.name, func(t *testing.T) {
			pattern := "^TestBrokenMethod$/^" + regexp.QuoteMeta(strings.ReplaceAll(b.check, " ", "_")) + "$"
			run := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.count=1")
			run.Env = append(os.Environ(), brokenEnv+"="+b.name)
			out, err := run.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !strings.Contains(string(out), "--- FAIL: TestBrokenMethod/") || strings.Contains(string(out), "panic:") {
				t.Errorf("%q does not find it: %v\n%s", b.check, err, out)
			}
		})
	}
}

// TestBrokenMethod is the process with the mistake.
func TestBrokenMethod(t *testing.T) {
	name := os.Getenv(brokenEnv)
	if name == "" {
		t.Skip("part of TestChecksFindBreakages")
	}
	for _, b := range breakages {
		if b.name == name {
			Resets(t, b.subject())
			return
		}
	}
}

func (b breakage) subject() Subject {
	if b.direct {
		return b.directSubject()
	}
	s := Subject{
		Descriptor: tencentcloud.Descriptor(), Method: b.method,
		Refusal: model.Fault{Code: "UnsupportedOperation.SpecialInstanceType", Status: http.StatusOK},
	}
	if s.Method == "" {
		s.Method = cloud.MethodAPI
	}
	if b.mayStop {
		for i := range s.Descriptor.ResetMethods {
			s.Descriptor.ResetMethods[i].MayStop = !s.Descriptor.ResetMethods[i].MayStop
		}
	}
	s.New = func(cfg cloud.Config) (cloud.Provider, error) {
		if b.unheard {
			cfg.Limiter = struct{ cloud.Limiter }{cfg.Limiter}
		}
		p, err := s.Descriptor.New(cfg)
		return &brokenProvider{Provider: p, breakage: b, methods: map[string]cloud.PasswordResetter{}}, err
	}
	return s
}

// brokenProvider has a mistake in its methods.
type brokenProvider struct {
	cloud.Provider
	breakage breakage
	methods  map[string]cloud.PasswordResetter
	checker  *brokenChecker
}

// Resetter implements cloud.PasswordResetters.
func (p *brokenProvider) Resetter(method string) cloud.PasswordResetter {
	r := p.Provider.(cloud.PasswordResetters).Resetter(method)
	if r == nil {
		return nil
	}
	if p.methods[method] == nil || p.breakage.fresh {
		p.methods[method] = p.breakage.broken(r)
	}
	return p.methods[method]
}

func (b breakage) broken(r cloud.PasswordResetter) cloud.PasswordResetter {
	if b.cleans == nil {
		return &brokenMethod{r, b}
	}
	c := &cleaningMethod{removed: map[string]bool{}}
	c.brokenMethod = &brokenMethod{forgetful{r, c.removed}, b}
	return c
}

// forgetful shows no records that were removed.
type forgetful struct {
	cloud.PasswordResetter
	removed map[string]bool // by request id
}

// ResetRecords implements cloud.PasswordResetter.
func (f forgetful) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	return onRecord(func(ref cloud.ResetRef, r *cloud.ResetRecord) {
		if f.removed[ref.RequestID] {
			*r = cloud.ResetRecord{}
		}
	})(ctx, f.PasswordResetter, refs)
}

// cleaningMethod has a record of each command, which it can remove.
type cleaningMethod struct {
	*brokenMethod
	removed map[string]bool
}

// CleanReset implements cloud.ResetCleaner.
func (m *cleaningMethod) CleanReset(ctx context.Context, ref cloud.ResetRef) error {
	records, err := m.ResetRecords(ctx, []cloud.ResetRef{ref})
	if err != nil {
		return err
	}
	state := records[ref.InstanceID].State
	switch {
	case m.breakage.cleans(state == cloud.OperationSuccess || state == cloud.OperationFailed):
		m.removed[ref.RequestID] = true
	case state == cloud.OperationRunning:
		return cloud.Errorf(cloud.NotReady, "the operation runs")
	}
	return nil
}

// TestCleaningMethodKeepsTheContract: what the checks say of a cleaner is no mistake of theirs.
func TestCleaningMethodKeepsTheContract(t *testing.T) {
	b := breakage{method: cloud.MethodCommand, cleans: func(final bool) bool { return final }}
	for _, c := range cleanChecks {
		t.Run(c.name, func(t *testing.T) { c.run(t, newScene(t, b.subject())) })
	}
}

// Checker implements cloud.PasswordCheckers.
func (p *brokenProvider) Checker(method string) cloud.PasswordChecker {
	c := p.Provider.(cloud.PasswordCheckers).Checker(method)
	switch {
	case c == nil || p.breakage.blind:
		return nil
	case p.breakage.fresh:
		return &brokenChecker{c, p.breakage}
	case p.checker == nil:
		p.checker = &brokenChecker{c, p.breakage}
	}
	return p.checker
}

type brokenChecker struct {
	cloud.PasswordChecker
	breakage breakage
}

// CheckTraits implements cloud.PasswordChecker.
func (c *brokenChecker) CheckTraits(platform cloud.Platform) cloud.CheckTraits {
	traits := c.PasswordChecker.CheckTraits(platform)
	if c.breakage.looks != nil {
		c.breakage.looks(&traits)
	}
	return traits
}

// CheckPassword implements cloud.PasswordChecker.
func (c *brokenChecker) CheckPassword(ctx context.Context, check cloud.PasswordCheck) (cloud.PasswordFinding, error) {
	if c.breakage.several {
		check.Values = check.Values[:1]
		soon, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		ctx = soon
	}
	found, err := c.PasswordChecker.CheckPassword(ctx, check)
	if c.breakage.look != nil {
		return c.breakage.look(found, err)
	}
	return found, err
}

type brokenMethod struct {
	cloud.PasswordResetter
	breakage breakage
}

// ResetTraits implements cloud.PasswordResetter.
func (m *brokenMethod) ResetTraits() cloud.ResetTraits {
	traits := m.PasswordResetter.ResetTraits()
	if m.breakage.traits != nil {
		m.breakage.traits(&traits)
	}
	return traits
}

// StartReset implements cloud.PasswordResetter.
func (m *brokenMethod) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	if m.breakage.start != nil {
		return m.breakage.start(ctx, m.PasswordResetter, reset)
	}
	return m.PasswordResetter.StartReset(ctx, reset)
}

// ResetRecords implements cloud.PasswordResetter.
func (m *brokenMethod) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	if m.breakage.records != nil {
		return m.breakage.records(ctx, m.PasswordResetter, refs)
	}
	return m.PasswordResetter.ResetRecords(ctx, refs)
}
