package aws

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// commanded is the reset method against the simulator, whose commands take a minute: a test says when they
// go on.
type commanded struct {
	*simulated
	*Provider
	guest.Resetter
	world *model.World
}

func startCommanded(t *testing.T) *commanded {
	t.Helper()
	return startCommandedWith(t, time.Minute)
}

func startCommandedWith(t *testing.T, operation time.Duration) *commanded {
	t.Helper()
	s := startSimulatedWith(t, cloudsim.Options{Options: model.Options{OperationTime: operation}, TLS: true}, cloudsim.SeedOptions{})
	p := newTestProvider(t, s.cfg)
	p.poll = time.Millisecond
	return &commanded{s, p, resetterOf(t, p), s.sim.World()}
}

func resetterOf(t *testing.T, p *Provider) guest.Resetter {
	t.Helper()
	r, ok := p.Resetter(cloud.MethodCommand).(guest.Resetter)
	if !ok {
		t.Fatalf("the method is %T", p.Resetter(cloud.MethodCommand))
	}
	return r
}

func (s *commanded) add(t *testing.T, server model.Server) string {
	t.Helper()
	server.Cloud, server.AccountID, server.Region = model.AWS, s.creds.AccountID, s.creds.Region
	added, err := s.world.AddServer(server)
	if err != nil {
		t.Fatal(err)
	}
	return added.ID
}

// reset makes the reset of an instance's default user, prepared if it runs Windows.
func (s *commanded) reset(t *testing.T, id string) cloud.Reset {
	t.Helper()
	found, err := s.DescribeInstances(t.Context(), []string{id})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d instances, %v", len(found), err)
	}
	r := cloud.Reset{InstanceIDs: []string{id}, Username: s.DefaultUsername(found[0]), Platform: found[0].Platform,
		Order: time.Now().Unix(), NotAfter: time.Now().Add(cloud.OrderDeadline)}
	if err := s.CheckReset(found[0], r.Username); err != nil {
		t.Fatal(err)
	}
	if r.Prepared, err = s.PrepareReset(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if r.Password, err = password.Generate(s.PasswordRules(found[0]), r.Username, 0); err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *commanded) start(t *testing.T, r cloud.Reset) string {
	t.Helper()
	started, err := s.StartReset(t.Context(), r)
	if err != nil || started.RequestID == "" || started.Done {
		t.Fatalf("%+v, %v", started, err)
	}
	return started.RequestID
}

func (s *commanded) look(t *testing.T, id, request string) cloud.ResetRecord {
	t.Helper()
	records, err := s.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: id, RequestID: request}})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := records[id]
	if !ok {
		t.Fatalf("no record of %s", id)
	}
	return r
}

func (s *commanded) accepts(r cloud.Reset) bool {
	server, ok := s.world.Server(r.InstanceIDs[0])
	return ok && server.HasPassword(r.Username, r.Password)
}

func (s *commanded) sent(action string) int {
	n := 0
	for _, a := range s.requests() {
		if a == action {
			n++
		}
	}
	return n
}

// An instance to which no command can be sent is an error that says why, and no attempt.
func TestCommandNeedsARunningAgent(t *testing.T) {
	s := startCommanded(t)
	gone := s.add(t, model.Server{})
	if err := s.world.Terminate(gone); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		id   string
		text string
	}{
		"stopped":       {s.add(t, model.Server{State: model.StateStopped}), "is stopped"},
		"starting":      {s.add(t, model.Server{State: model.StatePending}), "is pending"},
		"not managed":   {s.add(t, model.Server{Guest: model.Guest{Agent: model.AgentAbsent}}), "AmazonSSMManagedInstanceCore"},
		"agent offline": {s.add(t, model.Server{Guest: model.Guest{Agent: model.AgentOffline}}), "not online (ConnectionLost, last seen at "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: c.id}})
			wantFailure(t, err, cloud.Refused, "", c.id, c.text)
			// What the cloud itself says to a command.
			_, err = s.StartReset(t.Context(), cloud.Reset{InstanceIDs: []string{c.id}, Username: "root", Password: "Xy-12345678",
				Platform: cloud.Linux, Order: time.Now().Unix(), NotAfter: time.Now().Add(cloud.OrderDeadline)})
			wantFailure(t, err, cloud.Refused, "InvalidInstanceId", "SSM Agent", c.id)
		})
	}
	if r := s.look(t, gone, ""); !r.Gone {
		t.Errorf("terminated: %+v", r)
	}
	records, err := s.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "i-00000000"}, {InstanceID: s.creds.Servers["linux-1"]},
		{InstanceID: s.creds.Servers["windows-1"]}})
	if _, known := records["i-00000000"]; err != nil || known || len(records) != 2 {
		t.Errorf("records %+v, %v; want the two that exist", records, err)
	}
	if asked, passed := len(s.requests())-s.sent("SendCommand"), len(s.limiter.passed()); asked != passed {
		t.Errorf("%d requests besides SendCommand, but the limiter was waited for %d times", asked, passed)
	}
}

// eventually waits for what another goroutine brings about.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Error("waited in vain")
			return
		}
	}
}

// What a command's end says about the password, and what it proves.
func TestCommandOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		guest   model.Guest
		fault   model.FaultKind
		user    string
		after   func(w *model.World, id, request string)
		state   cloud.OperationState
		kind    cloud.Kind
		text    string
		applied bool
	}{
		"no such user": {user: "nobody-here", state: cloud.OperationFailed, kind: cloud.Refused, text: "no such user"},
		"agent without root": {guest: model.Guest{Conditions: guestos.Conditions{NotRoot: true}}, state: cloud.OperationFailed,
			kind: cloud.Refused, text: "root"},
		"no chpasswd": {guest: model.Guest{Conditions: guestos.Conditions{NoChpasswd: true}}, state: cloud.OperationFailed,
			kind: cloud.Refused, text: "chpasswd"},
		"chpasswd fails": {guest: model.Guest{Conditions: guestos.Conditions{ChpasswdFails: true}}, state: cloud.OperationFailed,
			text: "/etc/shadow"},
		"stuck":      {fault: model.FaultStuck, state: cloud.OperationFailed, text: "did not end within 5 minutes"},
		"agent lost": {after: lose, state: cloud.OperationFailed, text: "has not reported"},
		"terminated": {after: func(w *model.World, id, _ string) { _ = w.Terminate(id) }, state: cloud.OperationFailed,
			text: "could not be delivered"},
		"cancelled": {after: func(w *model.World, _, request string) { w.CancelCommand(request) }, state: cloud.OperationFailed,
			text: "cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startCommanded(t)
			id := s.add(t, model.Server{Guest: c.guest})
			r := s.reset(t, id)
			if c.user != "" {
				r.Username = c.user
			}
			if c.fault != "" {
				delay := time.Minute
				if c.fault == model.FaultLagRecord {
					delay = 48 * time.Hour
				}
				if _, err := s.world.AddFault(model.Fault{Action: "SendCommand", Kind: c.fault, Delay: delay}); err != nil {
					t.Fatal(err)
				}
			}
			request := s.start(t, r)
			if c.after != nil {
				c.after(s.world, id, request)
			}
			s.world.Advance(24 * time.Hour)
			got := s.look(t, id, request)
			if c.state == cloud.OperationNone {
				request = "" // as before the command
			}
			if got.State != c.state || got.Kind != c.kind || got.OperationID != request || !strings.Contains(got.Message, c.text) ||
				(got.Message == "") != (c.text == "") {
				t.Errorf("%+v, want %s, kind %q, %q", got, c.state, c.kind, c.text)
			}
			if applied := s.accepts(r); applied != c.applied {
				t.Errorf("password applied: %t, want %t", applied, c.applied)
			}
		})
	}
}

func lose(w *model.World, id, _ string) { _ = w.SetGuest(id, model.Guest{Agent: model.AgentOffline}) }

func TestCommandOutcomesOnWindows(t *testing.T) {
	for name, c := range map[string]struct {
		conditions guestos.Conditions
		kind       cloud.Kind
		text       string
	}{
		"domain controller": {guestos.Conditions{DomainController: true}, cloud.Refused, "domain controller"},
		"password refused":  {guestos.Conditions{RefusesPasswords: true}, cloud.PasswordRefused, "password_policy"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startCommandedWith(t, time.Millisecond)
			id := s.add(t, model.Server{Platform: model.Windows})
			r := s.reset(t, id)
			if err := s.world.SetGuest(id, model.Guest{Conditions: c.conditions}); err != nil {
				t.Fatal(err)
			}
			request := s.start(t, r)
			s.world.Advance(time.Hour)
			if got := s.look(t, id, request); got.State != cloud.OperationFailed || got.Kind != c.kind || !strings.Contains(got.Message, c.text) {
				t.Errorf("%+v, want kind %q and %q", got, c.kind, c.text)
			}
		})
	}
}

// The public key is asked for once, and again when the server says that it has another one.
func TestCommandPreparation(t *testing.T) {
	s := startCommandedWith(t, time.Millisecond)
	id := s.creds.Servers["windows-1"]
	r := s.reset(t, id)
	if again := s.reset(t, id); again.Prepared != r.Prepared || s.sent("SendCommand") != 1 {
		t.Errorf("%d commands for one key", s.sent("SendCommand"))
	}
	if err := s.world.DeleteGuestKey(id); err != nil {
		t.Fatal(err)
	}
	request := s.start(t, r)
	s.world.Advance(time.Hour)
	if got := s.look(t, id, request); got.State != cloud.OperationFailed || got.Kind != cloud.Refused || s.accepts(r) {
		t.Errorf("a password for a key that is gone: %+v", got)
	}
	again := s.reset(t, id)
	if again.Prepared == r.Prepared {
		t.Error("the key that the server does not have is used again")
	}
	request = s.start(t, again)
	s.world.Advance(time.Hour)
	if got := s.look(t, id, request); got.State != cloud.OperationSuccess || !s.accepts(again) {
		t.Errorf("after a new preparation: %+v", got)
	}
}

func TestCommandPreparationFails(t *testing.T) {
	for name, c := range map[string]struct {
		guest model.Guest
		fault model.FaultKind
		text  string
	}{
		"no administrator": {guest: model.Guest{Conditions: guestos.Conditions{NotRoot: true}}, text: "SYSTEM"},
		"fails":            {fault: model.FaultFailedNotApplied, text: "exit code 1"},
		"agent offline":    {guest: model.Guest{Agent: model.AgentOffline}, text: "SSM Agent"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startCommandedWith(t, time.Millisecond)
			id := s.add(t, model.Server{Platform: model.Windows, Guest: c.guest})
			if c.fault != "" {
				if _, err := s.world.AddFault(model.Fault{Action: "SendCommand", Kind: c.fault}); err != nil {
					t.Fatal(err)
				}
			}
			_, err := s.PrepareReset(t.Context(), cloud.Reset{InstanceIDs: []string{id}, Username: "Administrator", Platform: cloud.Windows})
			if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want kind %q and %q", err, cloud.Refused, c.text)
			}
		})
	}
}

func TestCommandPreparationEndsWithItsContext(t *testing.T) {
	s := startCommanded(t)
	s.poll = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		eventually(t, func() bool { return s.sent("SendCommand") > 0 })
		cancel()
	}()
	id := s.creds.Servers["windows-1"]
	_, err := s.PrepareReset(ctx, cloud.Reset{InstanceIDs: []string{id}, Username: "Administrator", Platform: cloud.Windows})
	// The answer to the command may be lost as well.
	if kind := cloud.KindOf(err); kind != cloud.Refused && kind != cloud.Unknown {
		t.Errorf("%v, want an error about the time", err)
	}
}

func TestCommandIsOneRequest(t *testing.T) {
	s := startCommanded(t)
	id := s.creds.Servers["linux-1"]
	s.start(t, s.reset(t, id))
	var found []model.Entry
	for _, e := range s.world.Log(0) {
		if e.Service == "ssm" {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d requests to Systems Manager", len(found))
	}
	want := map[string]string{
		"DocumentName": `"AWS-RunShellScript"`, "InstanceIds": `["` + id + `"]`, "TimeoutSeconds": "120",
		"Comment": `"cloudpw: set the password of an account"`,
	}
	got := maps.Clone(found[0].Params)
	var parameters map[string][]string
	if err := json.Unmarshal([]byte(got["Parameters"]), &parameters); err != nil ||
		!slices.Equal(parameters["executionTimeout"], []string{"300"}) ||
		!slices.Contains(parameters["commands"], "user='root'") {
		t.Errorf("parameters %s, %v", got["Parameters"], err)
	}
	delete(got, "Parameters")
	if !maps.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

func TestCommandRefusesBadInputUnsent(t *testing.T) {
	s := startCommanded(t)
	linux := s.creds.Servers["linux-1"]
	good := cloud.Reset{InstanceIDs: []string{linux}, Username: "root", Password: "Xy-12345678", Platform: cloud.Linux,
		Order: time.Now().Unix(), NotAfter: time.Now().Add(cloud.OrderDeadline)}
	for name, c := range map[string]struct {
		change func(*cloud.Reset)
		kind   cloud.Kind
	}{
		"username":         {func(r *cloud.Reset) { r.Username = "x;reboot" }, cloud.Refused},
		"unknown platform": {func(r *cloud.Reset) { r.Platform = "" }, cloud.Refused},
		"unprepared":       {func(r *cloud.Reset) { r.Platform = cloud.Windows }, cloud.Refused},
		"prepared oddly":   {func(r *cloud.Reset) { r.Platform, r.Prepared = cloud.Windows, "AQAB Aw==" }, cloud.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			c.change(&r)
			if _, err := s.StartReset(t.Context(), r); cloud.KindOf(err) != c.kind {
				t.Errorf("%v, want kind %q", err, c.kind)
			}
		})
	}
	if _, err := s.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: "../x"}}); cloud.KindOf(err) != cloud.Refused {
		t.Errorf("record of a malformed id: %v", err)
	}
	for name, i := range map[string]cloud.Instance{"unknown platform": {}, "user of digits": {Platform: cloud.Linux}} {
		if err := s.CheckReset(i, "1000"); err == nil {
			t.Errorf("%s: a role may be written", name)
		}
	}
	stale := cloud.WithSendDeadline(t.Context(), time.Now().Add(-time.Second))
	if _, err := s.StartReset(stale, good); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("a stale request: %v", err)
	}
	cfg := s.cfg
	cfg.Endpoints = maps.Clone(cfg.Endpoints)
	delete(cfg.Endpoints, endpointSSM)
	bare := resetterOf(t, newTestProvider(t, cfg))
	_, started := bare.StartReset(t.Context(), good)
	_, looked := bare.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: linux}})
	_, prepared := bare.PrepareReset(t.Context(), good)
	for _, err := range []error{started, looked, prepared, bare.CheckReset(cloud.Instance{Platform: cloud.Linux}, "root")} {
		wantFailure(t, err, cloud.Refused, "", "endpoints.ssm")
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests sent", n)
	}
}

func TestResetters(t *testing.T) {
	p := newTestProvider(t, testConfig(t, "https://ec2.example"))
	for _, m := range Descriptor().ResetMethods {
		if r := p.Resetter(m.Name); r == nil || r != p.Resetter(m.Name) || m.MayStop {
			t.Errorf("%+v: %v", m, r)
		}
	}
	if p.Resetter(cloud.MethodAPI) != nil || p.Resetter("") != nil {
		t.Error("there is a method that EC2 does not have")
	}
	traits := p.Resetter(cloud.MethodCommand).ResetTraits()
	if traits.Action != "SendCommand" || traits.BatchSize != 1 || traits.Serial {
		t.Errorf("%+v", traits)
	}
	if !traits.KeepsOrder || !traits.OwnIDs {
		t.Errorf("%+v: commands keep the order, and are found by our ids", traits)
	}
	if traits.PollInterval <= 0 || traits.VisibilityGrace <= traits.PollInterval {
		t.Errorf("%+v: no room to look twice", traits)
	}
}

// The states that the simulator does not show.
func TestInvocationStates(t *testing.T) {
	for name, c := range map[string]struct {
		i     invocation
		state guest.State
		kind  cloud.Kind
	}{
		"delayed":               {invocation{status: "Delayed", details: "delayed", exitCode: -1}, guest.Running, ""},
		"cancelling":            {invocation{status: "Cancelling", details: "cancelling", exitCode: -1}, guest.Running, ""},
		"a new status":          {invocation{status: "Frozen", exitCode: -1}, guest.Running, ""},
		"silent success":        {invocation{status: "Success", interpreter: guest.Shell}, guest.Exited, cloud.Unknown},
		"terminated":            {invocation{status: "Failed", details: "terminated", exitCode: -1}, guest.CutOff, cloud.Unknown},
		"never run":             {invocation{status: "Failed", details: "failed", exitCode: -1}, guest.CutOff, cloud.Unknown},
		"timed out with blanks": {invocation{status: "TimedOut", details: "deliverytimedout", exitCode: 81}, guest.CutOff, cloud.Unknown},
		"no such user": {invocation{status: "Failed", details: "failed", exitCode: 82, interpreter: guest.Shell}, guest.Exited,
			cloud.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			run := c.i.run()
			if run.State != c.state || (run.Failure != nil) != (c.state == guest.CutOff) {
				t.Errorf("%+v", run)
			}
			if c.state != guest.Running && cloud.KindOf(run.Outcome()) != c.kind {
				t.Errorf("outcome %v", run.Outcome())
			}
		})
	}
}

// A cloud, or something on the way to it, that repeats a command in its error does not bring the hash or the
// ciphertext of a password into a message.
func TestCommandStaysOutOfErrors(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Parameters map[string][]string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		for _, line := range in.Parameters["commands"] {
			if strings.HasPrefix(line, "hash=") || strings.HasPrefix(line, "$sealed") {
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(map[string]string{"__type": "SomethingNew", "message": "cannot take " + line})
			}
		}
	}))
	defer echo.Close()
	cfg := testConfig(t, echo.URL)
	cfg.Endpoints[endpointSSM] = echo.URL
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	prepared := b64(key.N.Bytes()) + " " + b64(big.NewInt(int64(key.E)).Bytes())
	for platform, after := range map[cloud.Platform]string{cloud.Linux: "hash='", cloud.Windows: "$sealed = '"} {
		_, err := newTestProvider(t, cfg).Resetter(cloud.MethodCommand).StartReset(t.Context(), cloud.Reset{
			InstanceIDs: []string{"i-0123456789abcdef0"}, Username: "admin", Platform: platform, Password: "Fresh-1-Horse-Battery",
			Prepared: prepared, Order: time.Now().Unix(), NotAfter: time.Now().Add(cloud.OrderDeadline),
		})
		if cloud.KindOf(err) != cloud.Refused || !strings.Contains(err.Error(), "cannot take "+after+"[redacted]'") {
			t.Errorf("%s: %v", platform, err)
		}
	}
}
