package protocol

import (
	"strings"
	"testing"
	"time"
)

// initialAccount has version 1, an initial password that somebody was given, in a role that sets none.
func initialAccount(a *Account) {
	a.Settings = with(staticSettings(), func(s *Settings) { s.Source, s.CanReset = FromInitial, false })
	a.Versions = []Version{{Number: 1, Password: "one", Source: FromInitial, Created: t0.Add(-time.Hour), Disclosed: t0.Add(-time.Hour),
		Roles: "web"}}
	a.LastVersion, a.LastRotation, a.LastReset, a.InitialOverwritten = 1, time.Time{}, time.Time{}, false
}

// rebuilt is what a look has noticed before t0.
func rebuilt(a *Account) { a.Rebuilt = &Rebuild{Seen: t0.Add(-time.Minute), Image: true} }

func resettable(a *Account) { a.Settings.CanReset = true }

func leasedInitial(a *Account) {
	initialAccount(a)
	a.Settings = with(leasedSettings(), func(s *Settings) { s.Source = FromInitial })
}

// TestRule27AnInitialPasswordIsAskedForAgain: when that is recorded, and what it leaves as it is.
func TestRule27AnInitialPasswordIsAskedForAgain(t *testing.T) {
	who := Requester{DisplayName: "anna"}
	again := func(password string) InitialPasswordReread {
		return InitialPasswordReread{Version: 1, By: who,
			InitialPasswordRead: InitialPasswordRead{Password: password, Key: "k", Given: "web", At: t0}}
	}
	from := func(change func(*InitialPasswordReread)) InitialPasswordReread {
		e := again("two")
		change(&e)
		return e
	}
	unchanged := func(t *testing.T, a *Account) {
		t.Helper()
		if len(a.Versions) != 1 || a.LastVersion != 1 || a.Current().Password != "one" {
			t.Errorf("versions %+v", a.Versions)
		}
	}
	second := func(t *testing.T, a *Account) {
		t.Helper()
		is(t, "version", *a.Current(), Version{Number: 2, Password: "two", Source: FromInitial, Created: t0, Roles: "web",
			Change: Change{Reason: Reread, Since: t0, By: who}})
		is(t, "the version before", a.Versions[0].Password, "one")
		is(t, "its end", a.Versions[0].Ended, t0)
		is(t, "key", a.InitialKey, "k")
	}
	runTransitions(t, []transitionCase{
		{"another one is the newest version, and the old one is kept", both(initialAccount, rebuilt), again("two"), nil,
			func(t *testing.T, a *Account) {
				second(t, a)
				if a.Rebuilt != nil || a.Due != nil {
					t.Errorf("rebuilt %+v, due %+v", a.Rebuilt, a.Due)
				}
			}},
		{"the cloud's copy is to be cleared again", both(initialAccount, func(a *Account) { a.InitialCleared = t0.Add(-time.Minute) }),
			again("two"), nil, func(t *testing.T, a *Account) { is(t, "cleared", a.InitialCleared.IsZero(), true) }},
		{"a check that found another password is past", both(initialAccount, func(a *Account) {
			a.Check = &Check{Time: t0.Add(-time.Minute), Result: CheckDiffers, Of: 1}
		}), again("two"), nil, func(t *testing.T, a *Account) { is(t, "drifted", a.Drifted(), false) }},
		{"the same one is no news", initialAccount, again("one"), ErrNoChange, nil},
		{"but ends the doubt", both(initialAccount, rebuilt), again("one"), nil, func(t *testing.T, a *Account) {
			unchanged(t, a)
			is(t, "rebuilt", a.Rebuilt == nil, true)
		}},
		{"one that was given before counts as given", both(initialAccount, func(a *Account) {
			a.Add(Version{Password: "three", Source: FromInitial, Created: t0})
		}), from(func(e *InitialPasswordReread) { e.Password, e.Version = "one", 2 }), nil, func(t *testing.T, a *Account) {
			is(t, "number", a.Current().Number, 3)
			is(t, "disclosed", a.Current().Disclosed, t0)
		}},
		{"and to all who were given it", both(initialAccount, func(a *Account) {
			a.Versions[0].Roles = "db"
			a.Versions[0].Given = Given{Readers: []KnownReader{{Client: Client{Requester: who}, First: t0, Last: t0}}}
			a.Add(Version{Password: "three", Source: FromInitial, Created: t0})
		}), from(func(e *InitialPasswordReread) { e.Password, e.Version = "one", 2 }), nil, func(t *testing.T, a *Account) {
			is(t, "roles", a.Current().Roles, a.Versions[0].Roles.With("web"))
			if len(a.Current().Given.Readers) != 1 {
				t.Errorf("given to %+v", a.Current().Given)
			}
		}},
		{"one that was given to nobody does not", both(initialAccount, func(a *Account) {
			a.Versions[0].Disclosed = time.Time{}
			a.Add(Version{Password: "three", Source: FromInitial, Created: t0})
		}), from(func(e *InitialPasswordReread) { e.Password, e.Version = "one", 2 }), nil,
			func(t *testing.T, a *Account) { is(t, "disclosed", a.Current().Disclosed, time.Time{}) }},
		{"and in a leased role ends in time", both(leasedInitial, func(a *Account) {
			a.Add(Version{Password: "three", Source: FromInitial, Created: t0})
		}), from(func(e *InitialPasswordReread) { e.Password, e.Version = "one", 2 }), nil,
			func(t *testing.T, a *Account) { is(t, "until", a.Current().Until, t0.Add(10*time.Minute)) }},
		{"leases of the version before it stay, and are no reason to rotate", both(leasedInitial, holding("n", 1, time.Minute)), again("two"),
			nil,
			func(t *testing.T, a *Account) {
				second(t, a)
				is(t, "leases", len(a.Leases), 1)
				if next, err := Transition(a, LeaseRevoked{Nonce: "n", At: t0}); err != nil || next.Due != nil {
					t.Errorf("due %+v, %v", next.Due, err)
				}
			}},
		{"one that readers of another role know is to be rotated", leasedInitial, from(func(e *InitialPasswordReread) { e.Given = "db" }), nil,
			func(t *testing.T, a *Account) { is(t, "reason", a.Due.Reason, DueMoved) }},
		{"and one that another account has read too", leasedInitial, from(func(e *InitialPasswordReread) { e.Several = true }), nil,
			func(t *testing.T, a *Account) { is(t, "reason", a.Due.Reason, DueMoved) }},

		{"not over a version that a reset has set", both(initialAccount, func(a *Account) { a.Versions[0].Source = FromReset }), again("two"),
			Conflict, nil},
		{"not over one that somebody has recorded", both(initialAccount, func(a *Account) { a.Versions[0].Source = FromImport }), again("two"),
			Conflict, nil},
		{"not while a value is on its way", both(initialAccount, resettable, rotating(sent("a"))), again("two"), Conflict, nil},
		{"not while an old attempt is open", both(initialAccount, func(a *Account) { a.OldUnresolved = []Attempt{sent("a")} }), again("two"),
			Conflict, nil},
		{"not while there is a candidate", both(initialAccount, func(a *Account) { a.Candidates = []Candidate{{Password: "x"}} }), again("two"),
			Conflict, nil},
		{"not while a rotation is due", both(initialAccount, resettable, due(DueSchedule)), again("two"), Conflict, nil},
		{"not while a late operation may set another", both(initialAccount, func(a *Account) { a.LateUntil = t0.Add(time.Minute) }), again("two"),
			Conflict, nil},
		{"not in a role of another kind", both(initialAccount, func(a *Account) { a.Settings.Source = FromReset }), again("two"), Conflict, nil},
		{"not without a role", both(initialAccount, func(a *Account) { a.Role = "" }), again("two"), Conflict, nil},
		{"not before the first read", both(initialAccount, func(a *Account) { a.Versions, a.LastVersion = nil, 0 }),
			from(func(e *InitialPasswordReread) { e.Version = 0 }), Conflict, nil},
		{"not of a server that is gone", both(initialAccount, func(a *Account) { a.Gone = t0 }), again("two"), NotFound, nil},
		{"not what another place says", both(initialAccount, placed(genuine), led(lying)),
			from(func(e *InitialPasswordReread) { e.Place = lying }),
			NotReadable, nil},
		{"nor what was asked before the connection led here", both(initialAccount, placed(genuine)),
			from(func(e *InitialPasswordReread) { e.Place = lying }), ErrStale, nil},
		{"not once there is another version than when the cloud was asked", both(initialAccount, func(a *Account) {
			a.Add(Version{Password: "three", Source: FromInitial, Created: t0})
		}), again("two"), ErrStale, nil},
		{"not what others know to be overwritten", initialAccount, from(func(e *InitialPasswordReread) { e.Overwritten = true }), Conflict, nil},
		{"a restored one gives way", both(initialAccount, func(a *Account) {
			a.Add(Version{Password: "set", Source: FromReset, Created: t0, Confirmed: true})
			a.Add(Version{Password: "one", Source: FromInitial, Created: t0, Confirmed: true, Change: Change{Reason: Restored}})
			a.InitialOverwritten = true
		}), from(func(e *InitialPasswordReread) { e.Version = 3 }), nil,
			func(t *testing.T, a *Account) { is(t, "password", a.Current().Password, "two") }},
	})
}

// TestRule27ARebuildIsNoticed: which differences between two looks are one, and what ends the doubt.
func TestRule27ARebuildIsNoticed(t *testing.T) {
	known := Facts{Image: "img-1", SystemDisk: "disk-1", SpawnTime: t0.Add(-time.Hour), Place: genuine}
	has := func(change func(*Facts)) Facts {
		f := known
		change(&f)
		return f
	}
	shown := func(f Facts) InstanceDescribed { return InstanceDescribed{Facts: f, At: t0} }
	before := both(initialAccount, placed(genuine), func(a *Account) { a.Facts = known })
	seen := func(r Rebuild) func(*testing.T, *Account) {
		return func(t *testing.T, a *Account) {
			t.Helper()
			r.Seen = t0
			if a.Rebuilt == nil || *a.Rebuilt != r {
				t.Errorf("rebuilt %+v, want %+v", a.Rebuilt, r)
			}
		}
	}
	no := func(t *testing.T, a *Account) {
		t.Helper()
		if a.Rebuilt != nil || a.Check != nil {
			t.Errorf("rebuilt %+v, check %+v", a.Rebuilt, a.Check)
		}
	}
	image, disk := shown(has(func(f *Facts) { f.Image = "img-2" })), shown(has(func(f *Facts) { f.SystemDisk = "disk-2" }))
	later := shown(has(func(f *Facts) { f.SpawnTime = t0 }))
	checked := func(a *Account) { a.Settings.CheckMethod = "command" }
	runTransitions(t, []transitionCase{
		{"another image", before, image, nil, seen(Rebuild{Image: true})},
		{"another system disk", before, disk, nil, seen(Rebuild{Disk: true})},
		{"launched again", before, later, nil, seen(Rebuild{Spawned: t0})},
		{"after another difference", both(before, rebuilt), disk, nil, seen(Rebuild{Image: true, Disk: true})},
		{"after another launch", both(before, func(a *Account) {
			a.Rebuilt = &Rebuild{Seen: t0.Add(-time.Minute), Spawned: t0.Add(-time.Minute)}
		}), disk, nil, seen(Rebuild{Disk: true, Spawned: t0.Add(-time.Minute)})},
		{"when the role is written", before, RoleBound{Role: "web", Settings: staticSettings(), Facts: image.Facts, At: t0}, nil,
			seen(Rebuild{Image: true})},
		{"it is checked", both(before, checked), image, nil, func(t *testing.T, a *Account) { is(t, "asked", a.Checked().Asked, t0) }},
		{"as who has asked for a check wants it", both(before, checked, func(a *Account) {
			a.Check = &Check{Asked: t0.Add(-time.Second), Action: DriftRotate}
		}), image, nil, func(t *testing.T, a *Account) { is(t, "action", a.Checked().Action, DriftRotate) }},

		{"what was not known is no change", both(before, func(a *Account) { a.Facts = Facts{Place: genuine} }), shown(known), nil, no},
		{"nor what is not told any more", before, shown(Facts{Name: "x", Place: genuine}), nil, func(t *testing.T, a *Account) {
			no(t, a)
			is(t, "kept", a.Facts, has(func(f *Facts) { f.Name = "x" }))
		}},
		{"nor what another place says", both(before, func(a *Account) { a.Facts.Place = lying }), image, nil, no},
		{"nor a time that is earlier", before, shown(has(func(f *Facts) { f.SpawnTime = t0.Add(-2 * time.Hour) })), nil, no},
		{"nor a start, another address or name", before, shown(has(func(f *Facts) { f.LaunchTime, f.Name, f.PublicIP = t0, "x", "192.0.2.7" })),
			nil, no},
		{"nor anything of an account without a version", both(before, checked, func(a *Account) { a.Versions = nil }), image, nil, no},
		{"the same again", both(before, rebuilt), shown(known), ErrNoChange, nil},
	})

	unknown := func(t *testing.T, a *Account) {
		t.Helper()
		is(t, "facts", a.Facts, Facts{Place: genuine})
		next, err := Transition(a, image)
		if err != nil || next.Rebuilt != nil {
			t.Fatalf("the look after it: rebuilt %+v, %v", next.Rebuilt, err)
		}
		if next, err = Transition(next, disk); err != nil || next.Rebuilt == nil {
			t.Errorf("a rebuild after that look: %+v, %v", next.Rebuilt, err)
		}
	}
	runTransitions(t, []transitionCase{
		{"not one that somebody was faster to import a password after", before,
			PasswordRecorded{Password: "x", Source: FromImport, Reason: DueImport, At: t0}, nil, unknown},
		{"nor to restore one after", before, PasswordRecorded{Password: "one", Source: FromInitial, Reason: Restored, At: t0}, nil, unknown},
		{"nor to ask for its password after", before, InitialPasswordReread{Version: 1,
			InitialPasswordRead: InitialPasswordRead{Password: "two", At: t0, Place: genuine}}, nil, unknown},
		{"but one after the same password was found", both(before, func(a *Account) { a.InitialCleared = t0 }), InitialPasswordReread{
			Version: 1, InitialPasswordRead: InitialPasswordRead{Password: "one", At: t0, Place: genuine}}, nil,
			func(t *testing.T, a *Account) { is(t, "facts", a.Facts, known) }},
	})

	attempt := func(started time.Time) Attempt { a := acknowledged("a", "r"); a.Started = started; return a }
	success := AttemptConfirmed{Attempt: "a", At: t0.Add(time.Minute)}
	ends := func(want bool) func(*testing.T, *Account) {
		return func(t *testing.T, a *Account) { t.Helper(); is(t, "ended", a.Rebuilt == nil, want) }
	}
	doubted := both(before, rebuilt, checked)
	record := func(change func(*Account)) *Account {
		a := leasedAccount()
		change(a)
		return a
	}
	match := func(seen *Account) CheckMade { return CheckMade{Seen: seen, Place: genuine, Match: "one", At: t0} }
	runTransitions(t, []transitionCase{
		{"an import ends the doubt", doubted, PasswordRecorded{Password: "x", Source: FromImport, Reason: DueImport, At: t0}, nil, ends(true)},
		{"a restore does", doubted, PasswordRecorded{Password: "one", Source: FromInitial, Reason: Restored, At: t0}, nil, ends(true)},
		{"a reset that was begun after it does", both(doubted, resettable, rotating(attempt(t0))), success, nil, ends(true)},
		{"one that was begun before it does not", both(doubted, resettable, rotating(attempt(t0.Add(-2*time.Minute)))), success, nil,
			ends(false)},
		{"a check that finds the version does", doubted, match(record(doubted)), nil, ends(true)},
		{"one that was begun before it does not", doubted, match(record(both(before, checked))), nil, ends(false)},
		{"one that finds another password does not", doubted, CheckMade{Seen: record(doubted), Place: genuine, At: t0}, nil, ends(false)},
		{"one that finds an older one which is taken back does", both(doubted, func(a *Account) {
			a.Add(Version{Password: "two", Source: FromReset, Place: genuine, Confirmed: true})
			a.Settings.DriftAction = DriftRestore
		}), match(record(both(doubted, func(a *Account) {
			a.Add(Version{Password: "two", Source: FromReset, Place: genuine, Confirmed: true})
		}))), nil, ends(true)},
	})
}

// TestRule27WhatPeopleAreTold names what the cloud has shown and the ways out that the account has.
func TestRule27WhatPeopleAreTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Account)
		has    []string
		lacks  string
	}{
		{"initial", initialAccount, []string{"has another image", "reread/conn/i-1/root", "import/conn/i-1/root"}, "rotate-role"},
		{"checked", both(initialAccount, func(a *Account) { a.Settings.CheckMethod = "command" }), []string{"reread/", "verify/web/i-1"},
			"rotate-role"},
		{"set", func(*Account) {}, []string{"rotate-role/web/i-1"}, "reread/"},
		{"initial, but set since", both(initialAccount, resettable, second), []string{"rotate-role/web/i-1"}, "reread/"},
		{"of no role", both(initialAccount, func(a *Account) { a.Role = "" }), []string{"import/conn/i-1/root"}, "reread/"},
	} {
		a := leasedAccount()
		both(c.change, rebuilt)(a)
		a.Rebuilt.Disk, a.Rebuilt.Spawned = true, t0
		words := a.WhyRebuilt().String()
		for _, want := range append(c.has, "another system disk", "launched again at 2026-03-01T12:00:00Z") {
			if !strings.Contains(words, want) {
				t.Errorf("%s: %q lacks %q", c.name, words, want)
			}
		}
		if strings.Contains(words, c.lacks) {
			t.Errorf("%s: %q has %q", c.name, words, c.lacks)
		}
	}
}

// TestRule27TheCloudsCopyStays while the server seems to have been rebuilt, or the initial password was never stored: it may be a
// password that nobody has.
func TestRule27TheCloudsCopyStays(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Account)
		want   Step
	}{
		"stored":       {func(*Account) {}, StepClear},
		"rebuilt":      {rebuilt, StepNone},
		"never stored": {func(a *Account) { a.Versions[0].Source = FromImport }, StepNone},
	} {
		a := leasedAccount()
		both(initialAccount, c.change)(a)
		a.Settings.ClearInitial = true
		step, _ := a.Plan(PlanInput{Now: t0})
		is(t, name, step, c.want)
	}
}
