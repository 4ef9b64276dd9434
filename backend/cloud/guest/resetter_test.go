package guest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// service plays a cloud's command service, as a third cloud would give it.
type service struct {
	limits Limits
	sent   []Command
	looked [][]cloud.ResetRef
	// runs are what a command is at each look; the last one stays.
	runs []Run
	// hidden is for how many looks a command is not shown.
	hidden int
	ready  map[string]cloud.ResetRecord
	err    error
}

func newService(runs ...Run) *service {
	return &service{runs: runs, limits: Limits{
		ResetTraits: cloud.ResetTraits{Action: "Run", BatchSize: 2, PollInterval: time.Second},
		Call:        "cloud Run", History: "the history", Instead: "; use another",
	}}
}

func (s *service) Limits() Limits { return s.limits }

func (s *service) ValidateInstanceID(id string) error {
	if !strings.HasPrefix(id, "vm-") {
		return errors.New(id + " is no id")
	}
	return nil
}

func (s *service) Send(_ context.Context, c Command) (string, error) {
	s.sent = append(s.sent, c)
	return "run-1", s.err
}

func (s *service) Look(_ context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]Run, error) {
	s.looked = append(s.looked, refs)
	runs := map[cloud.ResetRef]Run{}
	for _, ref := range refs {
		if at := len(s.looked) - 1 - s.hidden; at >= 0 && len(s.runs) > 0 {
			runs[ref] = s.runs[min(at, len(s.runs)-1)]
		}
	}
	return runs, s.err
}

func (s *service) Ready(context.Context, []string) (map[string]cloud.ResetRecord, error) {
	return s.ready, s.err
}

func keyOutput(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, minKeyBits)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	return "cloudpw: public key n=" + b64(key.N.Bytes()) + ",e=" + b64(big.NewInt(int64(key.E)).Bytes()) + ";\n"
}

var windowsServer = cloud.Reset{InstanceIDs: []string{"vm-1"}, Username: "Administrator", Platform: cloud.Windows}

// A server's key is asked for once, as long as the server has it.
func TestResetterRemembersKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(Run{}, Run{State: Exited, Interpreter: PowerShell, Output: keyOutput(t)})
		s.hidden = 1
		r := Resetter{Service: s, Keys: &Keys{}}
		began := time.Now()
		prepared, err := r.PrepareReset(t.Context(), windowsServer)
		if err != nil || prepared == "" || len(s.looked) != 3 || time.Since(began) != 3*time.Second {
			t.Fatalf("%q by %d looks in %s, error %v", prepared, len(s.looked), time.Since(began), err)
		}
		again, err := r.PrepareReset(t.Context(), windowsServer)
		if err != nil || again != prepared || len(s.sent) != 1 {
			t.Errorf("asked %d times, error %v", len(s.sent), err)
		}
		if c := s.sent[0]; c.AtOnce() || c.Purpose != ShowKey || c.Script.Interpreter != PowerShell || len(c.Secrets) != 0 {
			t.Errorf("sent %+v", c)
		}
		s.runs = []Run{{State: Exited, Interpreter: PowerShell, ExitCode: exitNeedsKey}}
		records, err := r.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "vm-1", RequestID: "run-2"}})
		if got := records["vm-1"]; err != nil || got.State != cloud.OperationFailed || got.Kind != cloud.Refused || got.OperationID != "run-2" {
			t.Errorf("%+v, %v", got, err)
		}
		if r.Keys.get("vm-1") != "" {
			t.Error("a key that the server does not have is remembered")
		}
	})
}

// What keeps a server's key from being known sets no password, so it is refused, and nothing is remembered.
func TestResetterPreparationFails(t *testing.T) {
	for name, c := range map[string]struct {
		run  Run
		err  error
		want cloud.Kind
		text string
	}{
		"cut off": {
			run: Run{State: CutOff, Failure: cloud.Errorf(cloud.Unknown, "lost")}, want: cloud.Refused, text: "cloud Run (run-1): lost",
		},
		"cut off, unsaid": {run: Run{State: CutOff}, want: cloud.Refused, text: "cloud Run (run-1): "},
		"failed": {
			run: Run{State: Exited, Interpreter: PowerShell, ExitCode: exitFailed}, want: cloud.Refused, text: "cloud Run (run-1): ",
		},
		"silent":     {run: Run{State: Exited, Interpreter: PowerShell}, want: cloud.Refused, text: "public key"},
		"not sent":   {err: cloud.Errorf(cloud.Throttled, "slow"), want: cloud.Throttled, text: "slow"},
		"never ends": {run: Run{}, want: cloud.Refused, text: "see command run-1 in the history"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s := newService(c.run)
				s.err = c.err
				keys := &Keys{}
				_, err := Resetter{Service: s, Keys: keys}.PrepareReset(ctx, windowsServer)
				if cloud.KindOf(err) != c.want || !strings.Contains(err.Error(), c.text) {
					t.Errorf("%v, want %s and %q", err, c.want, c.text)
				}
				if keys.get("vm-1") != "" {
					t.Error("a key is remembered that nobody has shown")
				}
			})
		})
	}
}

// The one request of an attempt goes out at once, and its secrets are named to whoever writes errors.
func TestResetterStarts(t *testing.T) {
	s := newService()
	r := Resetter{Service: s}
	reset := cloud.Reset{InstanceIDs: []string{"vm-1", "vm-2"}, Username: "root", Password: "Xy-12345678", Platform: cloud.Linux,
		Order: testOrder, NotAfter: time.Unix(testOrder+600, 0), Prepared: "script-1"}
	started, err := r.StartReset(t.Context(), reset)
	if err != nil || started != (cloud.ResetStarted{RequestID: "run-1"}) || len(s.sent) != 1 {
		t.Fatalf("%+v, %v; %d sent", started, err, len(s.sent))
	}
	c := s.sent[0]
	secrets := []string{reset.Password, c.Script.Sealed, c.Script.Stored.value("cloudpw_hash")}
	if !c.AtOnce() || len(c.InstanceIDs) != 2 || c.Script.Sealed == "" || !slices.Equal(c.Secrets, secrets) || c.Prepared != "script-1" {
		t.Errorf("sent %s for %s, %d secrets", c.Script, c.Purpose, len(c.Secrets))
	}
	if !strings.Contains(c.Script.Text, "\norder='1764000000'\nnotafter='1764000600'\n") {
		t.Errorf("sent %q", c.Script.Text)
	}
	for name, change := range map[string]func(*cloud.Reset){
		"no instance":         func(r *cloud.Reset) { r.InstanceIDs = nil },
		"too many":            func(r *cloud.Reset) { r.InstanceIDs = []string{"vm-1", "vm-2", "vm-3"} },
		"not an id":           func(r *cloud.Reset) { r.InstanceIDs = []string{"../x"} },
		"unknown platform":    func(r *cloud.Reset) { r.Platform = "" },
		"two Windows servers": func(r *cloud.Reset) { r.Platform = cloud.Windows },
		"unprepared":          func(r *cloud.Reset) { r.Platform, r.InstanceIDs = cloud.Windows, []string{"vm-1"} },
		"username":            func(r *cloud.Reset) { r.Username = "x;reboot" },
		"no time":             func(r *cloud.Reset) { r.NotAfter = time.Time{} },
		"an order too large":  func(r *cloud.Reset) { r.Order = maxOrder + 1 },
		"no order":            func(r *cloud.Reset) { r.Order = 0 },
		"a negative order":    func(r *cloud.Reset) { r.Order = -1 },
	} {
		bad := reset
		change(&bad)
		if _, err := r.StartReset(t.Context(), bad); cloud.KindOf(err) != cloud.Refused || len(s.sent) != 1 {
			t.Errorf("%s: %v, %d sent", name, err, len(s.sent))
		}
	}
	prepared, err := r.PrepareReset(t.Context(), cloud.Reset{InstanceIDs: []string{"vm-1"}, Platform: cloud.Linux})
	if prepared != "" || err != nil || len(s.sent) != 1 {
		t.Errorf("Linux was prepared: %q, %v", prepared, err)
	}
}

// A connection that cannot send commands asks its cloud nothing.
func TestResetterUnavailable(t *testing.T) {
	s := newService()
	s.limits.Unavailable = cloud.Errorf(cloud.Refused, "no endpoint")
	r := Resetter{Service: s}
	_, started := r.StartReset(t.Context(), cloud.Reset{
		InstanceIDs: []string{"vm-1"}, Username: "root", Password: "Xy-12345678", Platform: cloud.Linux,
	})
	_, prepared := r.PrepareReset(t.Context(), windowsServer)
	_, looked := r.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "vm-1", RequestID: "run-1"}})
	checked := r.CheckReset(cloud.Instance{Platform: cloud.Linux}, "root")
	for _, err := range []error{started, prepared, looked, checked} {
		if !errors.Is(err, s.limits.Unavailable) {
			t.Errorf("%v", err)
		}
	}
	if len(s.sent)+len(s.looked) != 0 {
		t.Errorf("%d commands, %d looks", len(s.sent), len(s.looked))
	}
	s.limits.Unavailable = nil
	if err := r.CheckReset(cloud.Instance{}, "root"); cloud.KindOf(err) != cloud.Refused || !strings.HasSuffix(err.Error(), "; use another") {
		t.Errorf("unknown platform: %v", err)
	}
}

func TestResetterRecords(t *testing.T) {
	s := newService(Run{State: Exited, Interpreter: Shell, Output: done})
	s.ready = map[string]cloud.ResetRecord{"vm-2": {}, "vm-3": {Gone: true}, "vm-9": {Gone: true}}
	refs := []cloud.ResetRef{{InstanceID: "vm-1", RequestID: "run-1"}, {InstanceID: "vm-2"}, {InstanceID: "vm-3"}, {InstanceID: "vm-4"}}
	got, err := Resetter{Service: s}.ResetRecords(t.Context(), refs)
	want := map[string]cloud.ResetRecord{"vm-1": {OperationID: "run-1", State: cloud.OperationSuccess}, "vm-2": {}, "vm-3": {Gone: true}}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	failed := func(kind cloud.Kind, why string) cloud.ResetRecord {
		return cloud.ResetRecord{OperationID: "run-1", State: cloud.OperationFailed, Kind: kind, Message: "cloud Run (run-1): " + why}
	}
	for name, c := range map[string]struct {
		run  Run
		want cloud.ResetRecord
	}{
		"running":      {Run{}, cloud.ResetRecord{OperationID: "run-1", State: cloud.OperationRunning}},
		"never begun":  {Run{State: CutOff, Failure: cloud.Errorf(cloud.Refused, "cancelled")}, failed(cloud.Refused, "cancelled")},
		"cut off":      {Run{State: CutOff, Failure: cloud.Errorf(cloud.Unknown, "lost")}, failed("", "lost")},
		"not accepted": {Run{State: CutOff, Failure: cloud.Errorf(cloud.PasswordRefused, "weak")}, failed(cloud.PasswordRefused, "weak")},
	} {
		got, err := Resetter{Service: newService(c.run)}.ResetRecords(t.Context(), refs[:1])
		if err != nil || got["vm-1"] != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got["vm-1"], err, c.want)
		}
	}
	hidden := newService()
	if got, err := (Resetter{Service: hidden}).ResetRecords(t.Context(), refs[:1]); err != nil || got["vm-1"] != (cloud.ResetRecord{}) {
		t.Errorf("a command that is not shown: %+v, %v", got, err)
	}
	_, err = Resetter{Service: hidden}.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "../x"}})
	if cloud.KindOf(err) != cloud.Refused {
		t.Errorf("a malformed id: %v", err)
	}
}

func TestKeysAreBounded(t *testing.T) {
	var k Keys
	for n := range maxKeys + 10 {
		k.put(strings.Repeat("x", n%7)+string(rune(n)), "key")
	}
	if n := len(k.keys); n > maxKeys {
		t.Errorf("%d keys are kept", n)
	}
}

// lateService is a cloud whose answer does not come before the caller's time is up.
type lateService struct{ *service }

func (s lateService) Look(ctx context.Context, _ []cloud.ResetRef) (map[cloud.ResetRef]Run, error) {
	<-ctx.Done()
	return nil, cloud.Transport("cloud Look", ctx.Err())
}

// Time that is up in the middle of a look leaves as little open as time that is up between two: nothing was set.
func TestTimeIsUpInTheMiddleOfALook(t *testing.T) {
	s := lateService{newService()}
	s.limits.PollInterval = time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := Resetter{Service: s}.PrepareReset(ctx, cloud.Reset{InstanceIDs: []string{"vm-1"}, Platform: cloud.Windows})
	if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "has not shown its public key in time; see command run-1") {
		t.Errorf("%v", err)
	}
}

// A command is found by our own id where the cloud can do that, and by nothing where it cannot.
func TestResetterFindsByName(t *testing.T) {
	s := newService(Run{ID: "run-7", State: Exited, Interpreter: Shell, ExitCode: exitNoUser})
	s.limits.OwnIDs = true
	s.ready = map[string]cloud.ResetRecord{"vm-1": {}, "vm-2": {}}
	r := Resetter{Service: s}
	if _, err := r.StartReset(t.Context(), cloud.Reset{InstanceIDs: []string{"vm-1"}, Username: "root", Platform: cloud.Linux,
		Password: "Fresh-1-Horse", Name: "own", Order: testOrder, NotAfter: time.Unix(testOrder+600, 0)}); err != nil || s.sent[0].Name != "own" {
		t.Fatalf("sent %+v, %v", s.sent, err)
	}
	refs := []cloud.ResetRef{{InstanceID: "vm-1", Name: "own", Sent: time.Unix(1, 0)}, {InstanceID: "vm-2"}}
	records, err := r.ResetRecords(t.Context(), refs)
	got := records["vm-1"]
	if err != nil || got.OperationID != "run-7" || got.Name != "own" || got.State != cloud.OperationFailed || got.Kind != cloud.Refused ||
		!strings.Contains(got.Message, "cloud Run (run-7): ") {
		t.Errorf("by name: %+v, %v", got, err)
	}
	if len(s.looked) != 1 || !slices.Equal(s.looked[0], refs[:1]) {
		t.Errorf("looked for %+v", s.looked)
	}
	// The name belongs to the command, by whichever id it was found.
	records, err = r.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "vm-1", RequestID: "run-3", Name: "own"}})
	if got := records["vm-1"]; err != nil || got.OperationID != "run-3" || got.Name != "own" {
		t.Errorf("by the request's id: %+v, %v", got, err)
	}
	// A command without an id is none that could be named to anybody.
	s.runs = []Run{{State: Exited, Interpreter: Shell}}
	if records, err = r.ResetRecords(t.Context(), refs[:1]); err != nil || records["vm-1"] != (cloud.ResetRecord{}) {
		t.Errorf("a command without an id: %+v, %v", records, err)
	}
	s.limits.OwnIDs, s.looked = false, nil
	if records, err = r.ResetRecords(t.Context(), refs); err != nil || len(records) != 2 || records["vm-1"] != (cloud.ResetRecord{}) ||
		len(s.looked) != 0 {
		t.Errorf("without own ids: %+v by %d looks, %v", records, len(s.looked), err)
	}
}

// Where a cloud has commands for Linux only, everything else is refused before anything is sent.
func TestLinuxOnly(t *testing.T) {
	s := newService()
	s.limits.LinuxOnly, s.limits.Instead = true, "; use another"
	r, c := Resetter{Service: s, Keys: &Keys{}}, Checker{Service: s, Hashing: NewHashing()}
	if err := errors.Join(r.CheckReset(cloud.Instance{Platform: cloud.Linux}, "root"), c.CanCheck(cloud.Instance{Platform: cloud.Linux},
		"root")); err != nil {
		t.Error(err)
	}
	for platform, says := range map[cloud.Platform]string{cloud.Windows: "the instance runs Windows",
		"": "does not tell whether the instance runs Linux,"} {
		i := cloud.Instance{Platform: platform}
		_, prepared := r.PrepareReset(t.Context(), cloud.Reset{InstanceIDs: []string{"vm-1"}, Platform: platform})
		_, checked := c.CheckPassword(t.Context(), cloud.PasswordCheck{InstanceID: "vm-1", Username: "Administrator", Platform: platform})
		for err, ends := range map[error]string{
			r.CheckReset(i, "Administrator"): "; use another", prepared: "; use another",
			c.CanCheck(i, "Administrator"): "; leave it empty for this instance", checked: "; leave it empty for this instance",
		} {
			if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), says) || !strings.HasSuffix(err.Error(), ends) {
				t.Errorf("%q: %v", platform, err)
			}
		}
	}
	if len(s.sent) != 0 {
		t.Errorf("%d commands were sent", len(s.sent))
	}
}
