package protocol

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// sharing is a member of a group that has the group's version "b1".
func sharing(name string, change ...func(*Account)) *Account {
	a := &Account{ID: ID{"conn", name, "root"}, Role: "role", LastVersion: 1, Settings: Settings{CanReset: true, SharedPassword: true,
		Mode: Leased},
		Versions: []Version{{Number: 1, Password: "one", Batch: "b1", Created: t0.Add(-time.Hour)}}}
	for _, c := range change {
		c(a)
	}
	return a
}

// agreeing is a group at rest at the version "b1", rolling one whose batch "b2" was made a minute ago.
func agreeing(change ...func(*Account)) *Account {
	g := &Account{ID: GroupID("conn", "role"), Role: "role", LastVersion: 1, Settings: Settings{CanReset: true, SharedPassword: true,
		Mode: Leased, TTL: time.Hour, MaxTTL: time.Hour},
		Versions: []Version{{Number: 1, Password: "one", Batch: "b1"}}}
	for _, c := range change {
		c(g)
	}
	return g
}

func rolling(change ...func(*Account)) *Account {
	return agreeing(append([]func(*Account){func(g *Account) {
		g.Pending = &Pending{Password: "two", Batch: "b2", Created: t0.Add(-time.Minute), Tried: 1}
		g.Due = &Due{Reason: DueRevoked, Since: t0.Add(-time.Minute)}
	}}, change...)...)
}

// hasTwo and the like are where a member is on its way to "b2".
func hasTwo(a *Account) { a.Add(Version{Password: "two", Batch: "b2"}) }

func pendingTwo(ago time.Duration, attempts ...Attempt) func(*Account) {
	return func(a *Account) {
		a.Pending = &Pending{Password: "two", Batch: "b2", Created: t0.Add(-ago), Attempts: attempts, Tried: len(attempts)}
		a.Due = &Due{Reason: DueRevoked, Since: t0.Add(-ago)}
	}
}

func refusedTwo(times int) func(*Account) {
	return func(a *Account) {
		pendingTwo(time.Minute)(a)
		a.Pending.Rejected, a.Refusals = true, times
		a.Backoff = &Backoff{Failures: times, LastErrorTime: t0.Add(-time.Second), NotBefore: t0.Add(10 * time.Second)}
	}
}

func failing(a *Account) {
	a.Backoff = &Backoff{Failures: 2, LastErrorTime: t0.Add(-time.Minute), NotBefore: t0.Add(-time.Second)}
}

func isOut(a *Account)  { a.LeftOut = t0.Add(-time.Hour) }
func isNew(a *Account)  { a.Joining, a.Versions = Rejoins, nil }
func isBack(a *Account) { a.Joining = Rejoins }

func TestPlanRollout(t *testing.T) {
	polled := acknowledged("a", "op")
	joint := func(a *Account) GroupMember { return GroupMember{Account: a, Joint: true} }
	alone := func(a *Account) GroupMember { return GroupMember{Account: a} }
	held := func(a *Account) GroupMember {
		return GroupMember{Account: a, Joint: true, Held: true, HeldUntil: t0.Add(3 * time.Second)}
	}
	shut := func(g *Account) {
		g.Settings.Mode, g.Settings.Cron, g.Settings.Window = Static, "0 0 * * *", time.Hour
	}
	for _, c := range []struct {
		name    string
		group   *Account
		members []GroupMember
		want    string // what is to be done, in the order of rollout's fields
		names   []string
		next    time.Duration // from t0; 0: none
	}{
		{name: "no value yet", group: agreeing(func(g *Account) { g.Versions = nil }), members: []GroupMember{alone(sharing("a", isNew))}},
		{name: "at rest", group: agreeing(), members: []GroupMember{alone(sharing("a")), alone(sharing("b"))}},
		{name: "all have the batch", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)), alone(sharing("b", hasTwo))},
			want: "agree"},
		{name: "one waits for its turn, for however long", group: rolling(func(g *Account) { g.Pending.Created = t0.Add(-time.Hour) }),
			members: []GroupMember{alone(sharing("a", hasTwo)), alone(sharing("b"))}},
		{name: "one is under way", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", pendingTwo(time.Minute, polled)))}, next: 4 * time.Minute},
		{name: "one hangs", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", pendingTwo(5*time.Minute, polled)))},
			want: "leave out, agree", names: []string{"b"}},
		{name: "one hangs since a time that is still to come", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", pendingTwo(-time.Hour, polled)))},
			want: "leave out, agree", names: []string{"b"}},
		{name: "one hangs, and another is under way", group: rolling(),
			members: []GroupMember{alone(sharing("a", hasTwo)), alone(sharing("b", pendingTwo(5*time.Minute, polled))),
				alone(sharing("c", pendingTwo(time.Minute, polled)))},
			want: "leave out", names: []string{"b"}, next: 4 * time.Minute},
		{name: "all hang", group: rolling(), members: []GroupMember{alone(sharing("a", pendingTwo(5*time.Minute, polled))),
			alone(sharing("b", pendingTwo(time.Hour, polled)))}},
		{name: "one fails for long before it could be sent anything",
			group:   rolling(func(g *Account) { g.Pending.Created = t0.Add(-5 * time.Minute) }),
			members: []GroupMember{alone(sharing("a", hasTwo)), alone(sharing("b", failing))}, want: "leave out, agree", names: []string{"b"}},
		{name: "one is blocked for long", group: rolling(func(g *Account) { g.Pending.Created = t0.Add(-5 * time.Minute) }),
			members: []GroupMember{alone(sharing("a", hasTwo)), alone(sharing("b", func(a *Account) { a.OldUnresolved = []Attempt{sent("x")} }))},
			want:    "leave out, agree", names: []string{"b"}},
		{name: "one is braked", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", pendingTwo(time.Hour), func(a *Account) {
				a.Pending.Brake = Brake{Unshown: MaxUnshown, Last: t0.Add(-time.Minute), NotBefore: t0.Add(time.Hour)}
			}))}, want: "leave out, agree", names: []string{"b"}},
		{name: "one that was left out is not waited for again", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", isOut))}, want: "agree"},
		{name: "one that was left out, while nobody has it", group: rolling(),
			members: []GroupMember{alone(sharing("a", pendingTwo(time.Minute, polled))), alone(sharing("b", isOut))}, next: 4 * time.Minute},

		{name: "a first refusal", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)), alone(sharing("b", refusedTwo(1)))},
			want: "replace"},
		{name: "a second refusal", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)), alone(sharing("b", refusedTwo(2)))},
			want: "replace"},
		{name: "a third refusal", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)), alone(sharing("b", refusedTwo(3)))},
			want: "leave out, agree", names: []string{"b"}},
		{name: "a later refusal", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", refusedTwo(4), isOut))}, want: "agree"},
		{name: "a third refusal while others are under way", group: rolling(),
			members: []GroupMember{alone(sharing("a", pendingTwo(time.Minute, polled))), alone(sharing("b", refusedTwo(3)))}, next: 4 * time.Minute},
		{name: "all have refused, and may not be tried yet", group: rolling(), members: []GroupMember{alone(sharing("a", refusedTwo(3))),
			alone(sharing("b", refusedTwo(5)))}, next: 10 * time.Second},
		{name: "all have refused", group: rolling(), members: []GroupMember{alone(sharing("a", refusedTwo(3), failing)),
			alone(sharing("b", refusedTwo(5), failing))}, want: "replace"},
		{name: "a refusal of the version", group: agreeing(hasTwo), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", refusedTwo(1)))}, want: "due"},
		{name: "a third refusal of the version", group: agreeing(hasTwo), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", refusedTwo(3)))}, want: "leave out", names: []string{"b"}},
		{name: "a refusal outside the window", group: rolling(shut), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", refusedTwo(1)))}, next: time.Minute},

		{name: "somebody has joined", group: agreeing(), members: []GroupMember{alone(sharing("a")), alone(sharing("b", isNew))}, want: "due"},
		{name: "somebody has joined while a batch is under way", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", isNew))}, want: "agree"},
		{name: "somebody has joined, and all are gone for whom the batch was made", group: rolling(),
			members: []GroupMember{alone(sharing("b", isNew))}, want: "replace"},
		{name: "somebody is back with the version while a batch is under way", group: rolling(),
			members: []GroupMember{alone(sharing("a", isBack))}, want: "replace"},
		{name: "somebody is back with the version", group: agreeing(), members: []GroupMember{alone(sharing("a")), alone(sharing("b", isBack))}},
		{name: "somebody is back without it", group: agreeing(hasTwo), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", isBack))}, want: "due"},
		{name: "somebody has joined, and the batch was made for him", group: rolling(), members: []GroupMember{alone(sharing("a", hasTwo)),
			alone(sharing("b", isNew, func(a *Account) { a.Joining = "b2" }))}},

		{name: "a joint request", group: rolling(), members: []GroupMember{joint(sharing("a")), joint(sharing("b", hasTwo)), joint(sharing("c"))},
			want: "together", names: []string{"a", "c"}},
		{name: "a joint request, without one that is held back", group: rolling(),
			members: []GroupMember{joint(sharing("a")), held(sharing("b"))}, want: "together", names: []string{"a"}, next: 3 * time.Second},
		{name: "a member in backoff is sent alone", group: rolling(), members: []GroupMember{joint(sharing("a")), joint(sharing("b", failing))},
			want: "together", names: []string{"a"}, next: 4 * time.Minute},
		{name: "no joint request outside the window", group: rolling(shut),
			members: []GroupMember{joint(sharing("a")), joint(sharing("b", hasTwo))}, next: time.Minute},
		{name: "a value of an earlier batch", group: rolling(),
			members: []GroupMember{alone(sharing("a", func(a *Account) { a.Pending = &Pending{Password: "zero", Batch: "b0"} }))},
			want:    "supersede", names: []string{"a"}, next: 4 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := PlanRollout(c.group, c.members, t0)
			got, names := "", []string(nil)
			add := func(set bool, what string, of []*Account) {
				if !set {
					return
				}
				if got != "" {
					got += ", "
				}
				got += what
				for _, a := range of {
					names = append(names, a.InstanceID)
				}
			}
			add(len(r.Supersede) > 0, "supersede", r.Supersede)
			add(len(r.LeaveOut) > 0, "leave out", r.LeaveOut)
			add(r.Replace, "replace", nil)
			add(r.Agree, "agree", nil)
			add(r.Due, "due", nil)
			add(len(r.Together) > 0, "together", r.Together)
			if got != c.want || !slices.Equal(names, c.names) {
				t.Errorf("%q of %v, want %q of %v", got, names, c.want, c.names)
			}
			var want time.Time
			if c.next > 0 {
				want = t0.Add(c.next)
			}
			if !r.Next.Equal(want) {
				t.Errorf("looks again at %s, want %s", r.Next, want)
			}
		})
	}
}

// TestMembersQueueForThemselves: a member's plan takes its value from the group's record.
func TestMembersQueueForThemselves(t *testing.T) {
	one, many := func(*Account) bool { return false }, func(*Account) bool { return true }
	for _, c := range []struct {
		name   string
		member *Account
		group  *Account
		joint  func(*Account) bool
		want   Step
		after  time.Duration
	}{
		{name: "it has it", member: sharing("a", hasTwo), group: rolling(), joint: one, want: StepNone},
		{name: "it does not have the batch", member: sharing("a"), group: rolling(), joint: one, want: StepBegin},
		{name: "its group is not known", member: sharing("a"), want: StepNone},
		{name: "a joint request brings it", member: sharing("a"), group: rolling(), joint: many, want: StepNone},
		{name: "a member in backoff is sent alone", member: sharing("a", failing), group: rolling(), joint: many, want: StepBegin},
		{name: "in backoff", member: sharing("a", func(a *Account) {
			a.Backoff = &Backoff{LastErrorTime: t0.Add(-time.Second), NotBefore: t0.Add(time.Minute)}
		}), group: rolling(), joint: one, want: StepBegin, after: time.Minute},
		{name: "it lags behind the version", member: sharing("a"), group: agreeing(hasTwo), joint: one, want: StepBegin},
		{name: "it was left out", member: sharing("a", isOut), group: agreeing(hasTwo), joint: one, want: StepBegin},
		{name: "it has joined", member: sharing("a", isNew), group: agreeing(), joint: one, want: StepNone},
		{name: "it has joined while a batch is under way", member: sharing("a", isNew), group: rolling(), joint: one, want: StepNone},
		{name: "it has joined before the batch was made", member: sharing("a", isNew, func(a *Account) { a.Joining = "b2" }), group: rolling(),
			joint: one, want: StepBegin},
		{name: "it is back, and was sent the batch before", member: sharing("a", isBack, pendingTwo(time.Minute)), group: rolling(), joint: one,
			want: StepBegin},
		{name: "an outcome is awaited", member: sharing("a", pendingTwo(time.Minute, acknowledged("a", "op"))), group: rolling(), joint: one,
			want: StepPoll},
		{name: "it has refused it", member: sharing("a", refusedTwo(1)), group: rolling(), joint: one, want: StepNone},
		{name: "it is gone", member: sharing("a", func(a *Account) { a.Gone = t0 }), group: rolling(), joint: one, want: StepNone},
		{name: "the window is shut", member: sharing("a"), group: rolling(func(g *Account) {
			g.Settings.Mode, g.Settings.Cron, g.Settings.Window = Static, "0 0 * * *", time.Hour
		}), joint: one, want: StepBegin, after: 12 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := PlanInput{Now: t0, Group: c.group, Joint: c.joint, Settles: func(Attempt) time.Time { return t0.Add(time.Hour) },
				Traits: allMethods(cloud.ResetTraits{Serial: true})}
			st, at := c.member.Plan(s)
			if st != c.want || st != StepNone && at.Sub(t0) != c.after {
				t.Errorf("%s after %s, want %s after %s", st, at.Sub(t0), c.want, c.after)
			}
		})
	}
}

// TestPlanOfAGroup: what a group waits for besides its members.
func TestPlanOfAGroup(t *testing.T) {
	dueFor := func(r Reason, forced bool) func(*Account) {
		return func(g *Account) { g.Due = &Due{Reason: r, Since: t0, Forced: forced} }
	}
	exclusive := func(g *Account) {
		g.Settings.Checkout = Exclusive
		g.Leases = map[string]Lease{"n": {Version: 1, Issued: t0, Expires: t0.Add(time.Hour)}}
	}
	for _, c := range []struct {
		name  string
		group *Account
		look  time.Time
		want  Step
		after time.Duration
	}{
		{name: "at rest", group: agreeing(), want: StepNone},
		{name: "a member has changed", group: agreeing(), look: t0.Add(time.Second), want: StepRollout, after: time.Second},
		{name: "due for a joiner", group: agreeing(dueFor(DueJoiner, false)), want: StepBegin},
		{name: "due for a joiner, with a least time between resets", group: agreeing(dueFor(DueJoiner, false), func(g *Account) {
			g.Settings.MinResetInterval, g.LastReset = time.Hour, t0.Add(-time.Minute)
		}), want: StepBegin, after: 59 * time.Minute},
		{name: "due for a joiner, while somebody has it exclusively", group: agreeing(dueFor(DueJoiner, false), exclusive), want: StepExpire,
			after: time.Hour + Slack},
		{name: "due on an operator's word, while somebody has it exclusively", group: agreeing(dueFor(DueJoiner, true), exclusive),
			want: StepBegin},
		{name: "due on a schedule, while somebody has it exclusively", group: agreeing(dueFor(DueSchedule, false), exclusive), want: StepBegin},
		{name: "due, and members lag behind", group: agreeing(dueFor(DueJoiner, false), func(g *Account) {
			g.Settings.MinResetInterval, g.LastReset = time.Hour, t0.Add(-time.Minute)
		}), look: t0.Add(time.Second), want: StepRollout, after: time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, at := c.group.Plan(PlanInput{Now: t0, Look: c.look, Settles: func(Attempt) time.Time { return t0 }})
			if st != c.want || st != StepNone && at.Sub(t0) != c.after {
				t.Errorf("%s after %s, want %s after %s", st, at.Sub(t0), c.want, c.after)
			}
		})
	}
}

// TestJoinersAreGivenNoOlderValue: whatever makes an account a member, it may be given only a batch that it was
// invited to.
func TestJoinersAreGivenNoOlderValue(t *testing.T) {
	settings := sharing("a").Settings
	apart := settings
	apart.SharedPassword = false
	join := MemberJoined{Role: "role", Password: "two", Batch: "b2", Reason: DueManual, Attempt: Attempt{ID: "x", Started: t0}}
	bind := RoleBound{Role: "role", Settings: settings, Facts: Facts{Name: "n"}, At: t0}
	for _, c := range []struct {
		name   string
		from   *Account
		events []Event
		may    bool
	}{
		{name: "a new record", from: &Account{ID: ID{"conn", "a", "root"}}, events: []Event{bind}},
		{name: "bound again", from: sharing("a", func(a *Account) { a.Role = "" }), events: []Event{bind}},
		{name: "its role was made shared", from: sharing("a", func(a *Account) { a.Settings = apart }), events: []Event{bind}},
		{name: "left and came back", from: sharing("a"), events: []Event{MemberLeft{Role: "role", At: t0}, bind}},
		{name: "unbound and bound", from: sharing("a"), events: []Event{RoleUnbound{Role: "role"}, bind}},
		{name: "gone and back", from: sharing("a"), events: []Event{InstanceGone{At: t0}, InstanceDescribed{Facts: Facts{Name: "n"}}}},
		{name: "gone and back by a binding", from: sharing("a"), events: []Event{InstanceGone{At: t0}, bind}},
		{name: "gone and back by an operator's word", from: sharing("a"),
			events: []Event{InstanceGone{At: t0}, RotationRequested{Reason: DueManual, At: t0}}},
		{name: "invited to another batch", from: sharing("a", isNew), events: []Event{MemberInvited{Role: "role", Batch: "b1"}}},
		{name: "invited, and gone since", from: sharing("a", isNew), events: []Event{MemberInvited{Role: "role", Batch: "b2"},
			InstanceGone{At: t0}, InstanceDescribed{Facts: Facts{Name: "n"}}}},
		{name: "invited", from: sharing("a", isNew), events: []Event{MemberInvited{Role: "role", Batch: "b2"}}, may: true},
		{name: "a member", from: sharing("a"), events: nil, may: true},
		{name: "a member whose role has changed", from: sharing("a"), events: []Event{bind}, may: true},
		{name: "a member that was left out", from: sharing("a"), events: []Event{MemberLeftOut{At: t0}}, may: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := c.from
			for _, ev := range c.events {
				next, err := Transition(a, ev)
				if err != nil {
					t.Fatalf("%T: %v", ev, err)
				}
				a = next
			}
			next, err := Transition(a, join)
			switch {
			case c.may && err != nil:
				t.Errorf("it may be given the batch: %v", err)
			case c.may && next.Joining != "":
				t.Errorf("it is a joiner still: %q", next.Joining)
			case !c.may && !errors.Is(err, ErrStale):
				t.Errorf("it was given a value that was made without it: %v", err)
			}
		})
	}
}

// TestEarlyBatchWhoseLeaseEndedIsReplaced: a batch was handed out for an instance that had it early, and the
// lease has ended before all agreed. Agreeing makes the group due at once: nobody may be given what a former
// client knows.
func TestEarlyBatchWhoseLeaseEndedIsReplaced(t *testing.T) {
	for _, c := range []struct {
		name      string
		disclosed bool
		ended     bool
		want      Reason
	}{{"never handed out", false, false, ""}, {"its lease lives", true, false, ""}, {"its lease has ended", true, true, DueRevoked}} {
		g, at := rolling(), t0
		if c.disclosed {
			next, err := Transition(g, MemberDisclosed{Batch: "b2", VersionDisclosed: VersionDisclosed{Nonce: "n", At: at, Grant: new(Grant)}})
			if err != nil {
				t.Fatal(err)
			}
			g = next
		}
		if c.ended {
			next, err := Transition(g, LeaseRevoked{Nonce: "n", At: at})
			if err != nil {
				t.Fatal(err)
			}
			g = next
		}
		g, err := Transition(g, BatchConfirmed{Batch: "b2", At: at})
		if err != nil {
			t.Fatal(err)
		}
		if reason := g.Due; (reason == nil) != (c.want == "") || reason != nil && reason.Reason != c.want {
			t.Errorf("%s: due %+v, want %q", c.name, g.Due, c.want)
		}
	}
}

// TestRefusalsOfAJointRequestAreNobodysOwn: the cloud says of a joint request only that some value or instance
// does not fit.
func TestRefusalsOfAJointRequestAreNobodysOwn(t *testing.T) {
	for _, c := range []struct {
		shared bool
		batch  string
		want   int
	}{{false, "b2", 1}, {true, "b2", 0}, {false, "", 0}} {
		a := sharing("a", pendingTwo(0, sent("x")))
		a.Pending.Batch = c.batch
		next, err := Transition(a, AttemptRefused{Attempt: "x", PasswordRefused: true, Shared: c.shared})
		if err != nil {
			t.Fatal(err)
		}
		if next.Refusals != c.want || !next.Pending.Rejected {
			t.Errorf("%+v: %d refusals, rejected %v", c, next.Refusals, next.Pending.Rejected)
		}
	}
}
