package model

import (
	"errors"
	"regexp"
	"testing"
	"testing/synctest"
	"time"
)

const operationTime = 30 * time.Second

// bubble runs f with a world on the virtual clock of synctest.
func bubble(t *testing.T, f func(t *testing.T, w *World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld(Options{Seed: 7, OperationTime: operationTime})
		defer w.Close()
		w.AddAccount(Account{Cloud: TencentCloud, ID: "100000000001", Regions: []string{"eu"}})
		w.AddAccount(Account{Cloud: AWS, ID: "100000000002", Regions: []string{"eu"}})
		f(t, w)
	})
}

// tencent adds a Tencent server in a state.
func tencent(t *testing.T, w *World, s State) Server {
	t.Helper()
	out, err := w.AddServer(Server{Cloud: TencentCloud, AccountID: "100000000001", Region: "eu", State: s,
		OSName: "Ubuntu Server 22.04 LTS 64bit"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// reset starts a reset as an API would, after the faults had their say.
func reset(w *World, id, requestID, password string) error {
	x := w.Begin(Call{Cloud: TencentCloud, Service: "cvm", Action: "ResetInstancesPassword", Instances: []string{id}, Password: password})
	if r := x.Before(); r != nil {
		return errors.New(string(r.Kind))
	}
	return w.StartReset(x, Reset{RequestID: requestID, ServerIDs: []string{id}, Password: password, ForceStop: true,
		Action: "ResetInstancesPassword"})
}

// look checks a server's state, record and ubuntu's password.
func look(t *testing.T, w *World, id string, state State, requestID string, op OperationState, password string) {
	t.Helper()
	s, ok := w.Server(id)
	if !ok {
		t.Fatalf("server %s is gone", id)
	}
	if s.State != state || s.Latest.RequestID != requestID || s.Latest.State != op || s.Logins["ubuntu"] != password {
		t.Errorf("state %s, record %s %s, password %q; want %s, %s %s, %q",
			s.State, s.Latest.RequestID, s.Latest.State, s.Logins["ubuntu"], state, requestID, op, password)
	}
}

func TestResetOfARunningServer(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		if err := reset(w, s.ID, "r1", "new"); err != nil {
			t.Fatal(err)
		}
		look(t, w, s.ID, StateStopping, "r1", Operating, s.InitialPassword)
		if err := reset(w, s.ID, "r2", "other"); !errors.Is(err, ErrBusy) {
			t.Errorf("a second reset: %v, want ErrBusy", err)
		}
		<-time.After(10 * time.Second)
		look(t, w, s.ID, StateStopped, "r1", Operating, s.InitialPassword)
		<-time.After(10 * time.Second)
		look(t, w, s.ID, StateStarting, "r1", Operating, "new")
		if w.TryLogin(s.ID, "ubuntu", "new") {
			t.Error("a login works while the server starts")
		}
		<-time.After(10 * time.Second)
		look(t, w, s.ID, StateRunning, "r1", Succeeded, "new")
		if !w.TryLogin(s.ID, "ubuntu", "new") || w.TryLogin(s.ID, "ubuntu", s.InitialPassword) || w.TryLogin(s.ID, "Ubuntu", "new") {
			t.Error("logins do not follow the reset")
		}
		a := w.Attempts(s.ID)
		if len(a) != 2 || a[0].State != Succeeded || a[0].Applied.IsZero() || a[1].State != "" || a[1].Password != "other" {
			t.Errorf("attempts %+v", a)
		}
	})
}

func TestResetNeedsAStoppableServer(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		order := Reset{RequestID: "r", ServerIDs: []string{s.ID}, Password: "new", Action: "A"}
		if err := w.StartReset(nil, order); !errors.Is(err, ErrState) {
			t.Errorf("running without ForceStop: %v, want ErrState", err)
		}
		order.ServerIDs = []string{s.ID, "ins-unknown0"}
		order.ForceStop = true
		if err := w.StartReset(nil, order); !errors.Is(err, ErrNoServer) {
			t.Errorf("an unknown server: %v, want ErrNoServer", err)
		}
		look(t, w, s.ID, StateRunning, "", "", s.InitialPassword)
	})
}

func TestStoppedServerStaysStopped(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateStopped)
		if err := reset(w, s.ID, "r1", "new"); err != nil {
			t.Fatal(err)
		}
		w.Advance(operationTime)
		look(t, w, s.ID, StateStopped, "r1", Succeeded, "new")
	})
}

func TestOperationFaults(t *testing.T) {
	type check struct {
		after    time.Duration
		request  string
		op       OperationState
		password string // "" = the initial one
	}
	for name, c := range map[string]struct {
		fault  Fault
		checks []check
	}{
		"late apply": {
			Fault{Kind: FaultLateApply, Delay: time.Hour},
			[]check{{operationTime, "r1", Operating, ""}, {time.Hour, "r1", Succeeded, "new"}},
		},
		"failed applied":     {Fault{Kind: FaultFailedApplied}, []check{{operationTime, "r1", Failed, "new"}}},
		"failed not applied": {Fault{Kind: FaultFailedNotApplied}, []check{{operationTime, "r1", Failed, ""}}},
		"stuck":              {Fault{Kind: FaultStuck}, []check{{24 * time.Hour, "r1", Operating, ""}}},
		"lagging record": {
			Fault{Kind: FaultLagRecord, Delay: time.Minute},
			[]check{{0, "", "", ""}, {operationTime, "", "", "new"}, {time.Minute, "r1", Succeeded, "new"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *World) {
				s := tencent(t, w, StateStopped)
				c.fault.Action, c.fault.Count = "ResetInstancesPassword", 1
				if _, err := w.AddFault(c.fault); err != nil {
					t.Fatal(err)
				}
				if err := reset(w, s.ID, "r1", "new"); err != nil {
					t.Fatal(err)
				}
				for _, k := range c.checks {
					w.Advance(k.after)
					if k.password == "" {
						k.password = s.InitialPassword
					}
					look(t, w, s.ID, StateStopped, k.request, k.op, k.password)
				}
			})
		})
	}
}

func TestStuckOperationIsReleased(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		if _, err := w.AddFault(Fault{Kind: FaultStuck, Instance: s.ID}); err != nil {
			t.Fatal(err)
		}
		if err := reset(w, s.ID, "r1", "new"); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Hour)
		look(t, w, s.ID, StateStopped, "r1", Operating, s.InitialPassword)
		if err := reset(w, s.ID, "r2", "x"); !errors.Is(err, ErrBusy) {
			t.Errorf("a reset beside a stuck one: %v, want ErrBusy", err)
		}
		if ok, err := w.Release(s.ID); !ok || err != nil {
			t.Fatalf("release: %v, %v", ok, err)
		}
		look(t, w, s.ID, StateRunning, "r1", Succeeded, "new")
		if ok, err := w.Release(s.ID); ok || err != nil {
			t.Errorf("a second release: %v, %v; want false", ok, err)
		}
	})
}

func TestForeignOperationOverwritesTheRecord(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateStopped)
		if _, err := w.AddFault(Fault{Kind: FaultForeign}); err != nil {
			t.Fatal(err)
		}
		if err := reset(w, s.ID, "r1", "new"); err != nil {
			t.Fatal(err)
		}
		w.Advance(operationTime)
		got, _ := w.Server(s.ID)
		if got.Latest.Name != "RebootInstances" || got.Latest.RequestID == "r1" || got.Logins["ubuntu"] != "new" {
			t.Errorf("record %+v, password %q", got.Latest, got.Logins["ubuntu"])
		}
		if err := w.Start(s.ID); err != nil {
			t.Fatal(err)
		}
		w.Advance(operationTime)
		if got, _ = w.Server(s.ID); got.Latest.Name != "StartInstances" || got.State != StateRunning {
			t.Errorf("record %+v, state %s", got.Latest, got.State)
		}
	})
}

func TestRequestFaults(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateStopped)
		for kind, want := range map[FaultKind]RefusalKind{
			FaultThrottle: Throttled, FaultServerError: ServerError, FaultRefuse: Coded, FaultDropBefore: Dropped, FaultLateArrival: Late,
		} {
			id, err := w.AddFault(Fault{Kind: kind, Count: 1, Skip: 1, Code: "C", Delay: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			call := Call{Cloud: TencentCloud, Service: "cvm", Action: "X", Instances: []string{s.ID}}
			for i, want := range []RefusalKind{"", want, ""} {
				got := RefusalKind("")
				if r := w.Begin(call).Before(); r != nil {
					got = r.Kind
				}
				if got != want {
					t.Errorf("%s, call %d: %q, want %q", kind, i, got, want)
				}
			}
			if !w.RemoveFault(id) {
				t.Errorf("fault %d is gone", id)
			}
		}
	})
}

func TestHeldAnswerIsReleased(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		if _, err := w.AddFault(Fault{Kind: FaultHoldAfter}); err != nil {
			t.Fatal(err)
		}
		done := make(chan bool, 1)
		x := w.Begin(Call{Action: "X"})
		go func() { done <- x.After() }()
		synctest.Wait()
		if st := w.Stats(); st.Held != 1 {
			t.Fatalf("held %d, want 1", st.Held)
		}
		if !w.Mark() {
			t.Error("a mark during a held answer is not in flight")
		}
		if n := w.ReleaseHolds(); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
		if <-done {
			t.Error("a held answer is dropped")
		}
		if w.Mark() {
			t.Error("a mark after the release is in flight")
		}
		if st := w.Stats(); st.Marks != 2 || st.MarksInFlight != 1 {
			t.Errorf("marks %d, in flight %d", st.Marks, st.MarksInFlight)
		}
	})
}

func TestFaultGone(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := tencent(t, w, StateRunning)
		if _, err := w.AddFault(Fault{Kind: FaultGone}); err != nil {
			t.Fatal(err)
		}
		if err := reset(w, s.ID, "r1", "new"); !errors.Is(err, ErrNoServer) {
			t.Errorf("got %v, want ErrNoServer", err)
		}
	})
}

func TestAddFaultRefuses(t *testing.T) {
	w := NewWorld(Options{})
	for name, f := range map[string]Fault{
		"unknown kind": {Kind: "x"}, "no kind": {}, "no delay": {Kind: FaultDelay}, "no code": {Kind: FaultRefuse},
		"negative count": {Kind: FaultThrottle, Count: -1},
	} {
		if _, err := w.AddFault(f); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRateLimit(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		call := Call{Cloud: TencentCloud, Service: "cvm", Action: "ResetInstancesPassword", Account: "a"}
		refused := func(n int) int {
			out := 0
			for range n {
				if w.Begin(call).Before() != nil {
					out++
				}
			}
			return out
		}
		if got := refused(12); got != 2 {
			t.Errorf("12 at once: %d refused, want 2", got)
		}
		call.Account = "b"
		if got := refused(10); got != 0 {
			t.Errorf("another account: %d refused, want 0", got)
		}
		call.Account = "a"
		<-time.After(time.Second)
		for i := range 50 {
			if refused(1) != 0 {
				t.Errorf("call %d of a steady 10 a second is refused", i)
			}
			<-time.After(100 * time.Millisecond)
		}
		r := w.Stats().Rates["tencentcloud:cvm:ResetInstancesPassword@a"]
		if r.Requests != 62 || r.Throttled != 2 || r.PeakPerSecond != 12 {
			t.Errorf("rates %+v", r)
		}
	})
}

func TestInitialPasswordAppearsAndIsCleared(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		if _, _, err := w.CreateKeyPair(KeyPair{Cloud: AWS, AccountID: "100000000002", Name: "k"}, 1024); err != nil {
			t.Fatal(err)
		}
		add := func(platform string) Server {
			s, err := w.AddServer(Server{Cloud: AWS, AccountID: "100000000002", Region: "eu", Platform: platform, KeyName: "k",
				ReadyAfter: 4 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		windows, linux := add(Windows), add(Linux)
		get := func(id string) string {
			text, err := w.EncryptedPassword(id)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		if get(windows.ID) != "" {
			t.Error("the password is there before its time")
		}
		w.Advance(4 * time.Minute)
		if get(windows.ID) == "" || get(linux.ID) != "" {
			t.Error("want a ciphertext on Windows and none on Linux")
		}
		if err := w.ClearPassword(windows.ID); err != nil {
			t.Fatal(err)
		}
		if get(windows.ID) != "" {
			t.Error("a cleared password is still there")
		}
		if !w.TryLogin(windows.ID, "ADMINISTRATOR", windows.InitialPassword) {
			t.Error("clearing the cloud's copy changed the guest, or Windows minds case")
		}
	})
}

func TestAddServerRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		for name, s := range map[string]Server{
			"unknown account": {Cloud: AWS, AccountID: "1", Region: "eu"},
			"unknown region":  {Cloud: AWS, AccountID: "100000000002", Region: "us"},
			"unknown key":     {Cloud: AWS, AccountID: "100000000002", Region: "eu", KeyName: "k"},
			"unknown project": {Cloud: AWS, AccountID: "100000000002", Region: "eu", ProjectID: "p"},
			"platform":        {Cloud: AWS, AccountID: "100000000002", Region: "eu", Platform: "plan9"},
		} {
			if _, err := w.AddServer(s); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	})
}

func TestEqualSeedsMakeEqualIDs(t *testing.T) {
	a, b := NewWorld(Options{Seed: 3}), NewWorld(Options{Seed: 3})
	if x, y := a.NewUUID(), b.NewUUID(); x != y {
		t.Errorf("%s and %s", x, y)
	}
	if x, y := a.NewUUID(), NewWorld(Options{Seed: 4}).NewUUID(); x == y {
		t.Errorf("another seed made the same id %s", x)
	}
}

func TestLogKeepsTheNewest(t *testing.T) {
	w := NewWorld(Options{LogLimit: 20})
	for range 50 {
		w.Begin(Call{Action: "X"}).Done(200, "", "r")
	}
	log := w.Log(0)
	if len(log) > 20 || log[len(log)-1].Seq != 50 || log[len(log)-1].Status != 200 {
		t.Errorf("%d entries, last %+v", len(log), log[len(log)-1])
	}
	if rest := w.Log(48); len(rest) != 2 || rest[0].Seq != 49 {
		t.Errorf("after 48: %+v", rest)
	}
}

// What Alibaba Cloud gives its things has the cloud's own form.
func TestFormsOfAlibabaCloud(t *testing.T) {
	w := NewWorld(Options{Seed: 1})
	defer w.Close()
	account := w.AddAccount(Account{Cloud: AlibabaCloud, Regions: []string{"eu"}})
	user := w.AddUser(User{Cloud: AlibabaCloud, AccountID: account.ID, Name: "u"})
	key := w.AddAccessKey(AccessKey{Cloud: AlibabaCloud, AccountID: account.ID, UserID: user.ID})
	role := w.AddRole(Role{Cloud: AlibabaCloud, AccountID: account.ID, Name: "r"})
	session, ok := w.Assume(role, user.ID, "", "s", time.Hour)
	if !ok {
		t.Fatal("the role does not trust its user")
	}
	s, err := w.AddServer(Server{Cloud: AlibabaCloud, AccountID: account.ID, Region: "eu", LockReasons: []string{"security"},
		LoginAsNonRoot: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want string }{
		"account": {account.ID, `^1\d{15}$`},
		"user":    {user.ID, `^2\d{17}$`},
		"key":     {key.ID, `^LTAI5t\w{18}$`},
		"secret":  {key.Secret, `^\w{30}$`},
		"role":    {role.ARN, `^acs:ram::1\d{15}:role/r$`},
		"session": {session.ID, `^STS\.N\w{18}$`},
		"server":  {s.ID, `^i-[0-9a-z]{20}$`},
		"image":   {s.ImageID, `^m-[0-9a-z]{20}$`},
		"vpc":     {s.VPCID, `^vpc-[0-9a-z]{21}$`},
		"subnet":  {s.SubnetID, `^vsw-[0-9a-z]{21}$`},
		"system":  {s.OSName, `^Alibaba Cloud Linux `},
	} {
		if !regexp.MustCompile(c.want).MatchString(c.got) {
			t.Errorf("%s %q, want %s", name, c.got, c.want)
		}
	}
	if s.DefaultUser() != "ecs-user" || s.Logins["ecs-user"] != s.InitialPassword {
		t.Errorf("default user %s, logins %v", s.DefaultUser(), s.Logins)
	}
	s.LockReasons[0] = "changed by the caller"
	if kept, _ := w.Server(s.ID); kept.LockReasons[0] != "security" {
		t.Errorf("lock reasons %v", kept.LockReasons)
	}
}

// What Azure gives its things has the cloud's own form.
func TestFormsOfAzure(t *testing.T) {
	w := NewWorld(Options{Seed: 1})
	defer w.Close()
	const guid = `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`
	account := w.AddAccount(Account{Cloud: Azure, Regions: []string{"westeurope"}})
	user := w.AddUser(User{Cloud: Azure, AccountID: account.ID, Name: "u"})
	key := w.AddAccessKey(AccessKey{Cloud: Azure, AccountID: account.ID, UserID: user.ID})
	s, err := w.AddServer(Server{Cloud: Azure, AccountID: account.ID, Region: "westeurope", Name: "vm", Platform: Windows})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want string }{
		"subscription": {account.ID, guid},
		"tenant":       {account.TenantID, guid},
		"principal":    {user.ID, guid},
		"client":       {key.ID, guid},
		"secret":       {key.Secret, `^\w{3}8Q~\w{34}$`},
		"server":       {s.ID, guid},
		"group":        {s.ResourceGroup, `^demo$`},
	} {
		if !regexp.MustCompile(c.want).MatchString(c.got) {
			t.Errorf("%s %q, want %s", name, c.got, c.want)
		}
	}
	if s.DefaultUser() != "azureuser" || s.Logins["azureuser"] != s.InitialPassword {
		t.Errorf("default user %s, logins %v", s.DefaultUser(), s.Logins)
	}
	again := Server{Cloud: Azure, AccountID: account.ID, Region: "westeurope", Name: "VM", ResourceGroup: "DEMO"}
	if _, err := w.AddServer(again); err == nil {
		t.Error("a resource group has two servers of one name")
	}
	again.ResourceGroup = "other"
	if _, err := w.AddServer(again); err != nil {
		t.Error(err)
	}
}
