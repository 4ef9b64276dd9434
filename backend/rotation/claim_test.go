package rotation

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// bindingOn is a binding of a user of instance i-1, by a role of the connection's name.
func bindingOn(connection, username string, platform cloud.Platform) Binding {
	return Binding{ID: ID{Connection: connection, InstanceID: "i-1", Username: username}, Provider: "sim", Role: connection,
		Settings: staticSettings(), Facts: Facts{Platform: platform}}
}

// TestOneUserOneAccount: whatever is known of a platform when, no user of a server gets a second account.
// Two names that differ in case are two users only where both are known to be on Linux.
func TestOneUserOneAccount(t *testing.T) {
	const unknown = cloud.Platform("")
	type step struct {
		connection, username string
		platform             cloud.Platform
		refused              bool
	}
	for name, steps := range map[string][]step{
		"unknown, then Linux, one name":   {{"one", "Build", unknown, false}, {"two", "Build", cloud.Linux, true}},
		"unknown, then Windows, one name": {{"one", "Build", unknown, false}, {"two", "Build", cloud.Windows, true}},
		"Linux, then unknown, one name":   {{"one", "Build", cloud.Linux, false}, {"two", "Build", unknown, true}},
		"Linux, then Windows, one name":   {{"one", "Build", cloud.Linux, false}, {"two", "Build", cloud.Windows, true}},
		"Windows, then Linux, one name":   {{"one", "Build", cloud.Windows, false}, {"two", "Build", cloud.Linux, true}},
		"unknown, then Linux, other case": {{"one", "Build", unknown, false}, {"two", "build", cloud.Linux, true}},
		"Linux, then unknown, other case": {{"one", "Build", cloud.Linux, false}, {"two", "build", unknown, true}},
		"Linux, then Windows, other case": {{"one", "build", cloud.Linux, false}, {"two", "BUILD", cloud.Windows, true}},
		"Windows, other case":             {{"one", "Administrator", cloud.Windows, false}, {"two", "administrator", cloud.Windows, true}},
		"Linux, other case: two users":    {{"one", "Build", cloud.Linux, false}, {"two", "build", cloud.Linux, false}},
		"of one connection too":           {{"one", "Build", unknown, false}, {"one", "build", cloud.Linux, true}},
		"unknown turns out to be Linux": {{"one", "Build", unknown, false}, {"one", "Build", cloud.Linux, false},
			{"two", "build", cloud.Linux, false}},
		"Linux turns out to be Windows": {{"one", "Build", cloud.Linux, false}, {"one", "Build", cloud.Windows, false},
			{"two", "build", cloud.Linux, true}},
		"two on Linux, and a third of one's own": {{"one", "Build", cloud.Linux, false}, {"two", "build", cloud.Linux, false},
			{"three", "build", cloud.Linux, true}, {"four", "BUILD", cloud.Windows, true}},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(Options{Storage: &logical.InmemStorage{}})
			defer c.Stop()
			for i, s := range steps {
				b := bindingOn(s.connection, s.username, s.platform)
				checked := c.CheckBinding(t.Context(), b)
				_, err := c.Bind(t.Context(), b)
				if s.refused != wanted(err, Conflict) || s.refused != wanted(checked, Conflict) || !s.refused && err != nil {
					t.Errorf("step %d, %+v: binding says %v, the check %v", i, s, err, checked)
				}
			}
		})
	}
}

// TestATombstoneOutlivesWhatIsKnownOfThePlatform: that the initial password is overwritten is remembered of a
// user, however its name is written and whatever is known of the platform by then.
func TestATombstoneOutlivesWhatIsKnownOfThePlatform(t *testing.T) {
	for _, c := range []struct {
		name     string
		again    Binding
		forgets  bool
		platform cloud.Platform
	}{
		{"unknown, then Linux", bindingOn("two", "Build", cloud.Linux), false, ""},
		{"Linux, then unknown", bindingOn("two", "Build", ""), false, cloud.Linux},
		{"Windows, other case", bindingOn("two", "BUILD", cloud.Windows), false, cloud.Windows},
		{"Linux, other case: another user", bindingOn("two", "build", cloud.Linux), true, cloud.Linux},
	} {
		t.Run(c.name, func(t *testing.T) {
			core := New(Options{Storage: &logical.InmemStorage{}})
			defer core.Stop()
			first := bindingOn("one", "Build", c.platform)
			for _, do := range []func() error{
				func() error { _, err := core.Bind(t.Context(), first); return err },
				func() error { _, err := core.Import(t.Context(), first.ID, "by hand", true); return err },
				func() error { return core.Delete(t.Context(), first.ID, true) },
				func() error { _, err := core.Bind(t.Context(), c.again); return err },
			} {
				if err := do(); err != nil {
					t.Fatal(err)
				}
			}
			view, err := core.Inspect(t.Context(), c.again.ID)
			if err != nil || view.InitialOverwritten == c.forgets {
				t.Errorf("initial overwritten: %v, %v", view.InitialOverwritten, err)
			}
		})
	}
}

// ownPlace is a place of hosts that a connection names itself.
func ownPlace(name string) Place { return protocol.PlaceOf([]string{"endpoint", name}, "", false) }

// overwriting binds an account with source=initial at a place, where its server is given another password.
func overwriting(t *testing.T, c *Core, connection string, at Place) *Account {
	t.Helper()
	b := bindingOn(connection, "Administrator", cloud.Windows)
	b.Settings.Source, b.Place = FromInitial, at
	if _, err := c.Bind(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Import(t.Context(), b.ID, "by hand", true); err != nil {
		t.Fatal(err)
	}
	return c.entry(b.ID).rec
}

// TestATombstoneOutlivesThePlace: that the initial password is overwritten is remembered for the connection wherever it
// leads by then, and for others at the same place; a connection elsewhere is told by the cloud's own hosts only, for others
// may say what they like.
func TestATombstoneOutlivesThePlace(t *testing.T) {
	proven := protocol.PlaceOf([]string{"region", "r"}, "", true)
	for _, c := range []struct {
		name       string
		from       Place
		connection string
		to         Place
		forgets    bool
	}{
		{"the same place", ownPlace("a"), "one", ownPlace("a"), false},
		{"other hosts of its own", ownPlace("a"), "one", ownPlace("b"), false},
		{"to the cloud's own hosts", ownPlace("a"), "one", proven, false},
		{"from the cloud's own hosts", proven, "one", ownPlace("a"), false},
		{"another connection at the same place", ownPlace("a"), "two", ownPlace("a"), false},
		{"another connection, told by the cloud's own hosts", proven, "two", ownPlace("a"), false},
		{"another connection elsewhere", ownPlace("a"), "two", proven, true},
		{"another connection at other hosts", ownPlace("a"), "two", ownPlace("b"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			core := New(Options{Storage: &logical.InmemStorage{}, Now: func() time.Time { return t0 }})
			defer core.Stop()
			a := overwriting(t, core, "one", c.from)
			if err := core.Delete(t.Context(), a.ID, true); err != nil {
				t.Fatal(err)
			}
			b := bindingOn(c.connection, "Administrator", cloud.Windows)
			b.Role, b.Settings.Source, b.Place = "another", FromInitial, c.to
			if _, err := core.Bind(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			is(t, "overwritten", core.entry(b.ID).rec.InitialOverwritten, !c.forgets)
		})
	}
}

// TestAnAccountThatMovesLearnsWhatIsOverwritten: an account that was bound before others had left their word where its
// connection leads now does not read the initial password.
func TestAnAccountThatMovesLearnsWhatIsOverwritten(t *testing.T) {
	core := New(Options{Storage: &logical.InmemStorage{}, Now: func() time.Time { return t0 }})
	defer core.Stop()
	b := bindingOn("one", "Administrator", cloud.Windows)
	b.Settings.Source, b.Place = FromInitial, ownPlace("a")
	if _, err := core.Bind(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	other := overwriting(t, core, "two", ownPlace("b"))
	if err := core.Delete(t.Context(), other.ID, true); err != nil {
		t.Fatal(err)
	}
	e := core.entry(b.ID)
	for _, led := range []bool{false, true} {
		if led {
			if _, err := core.update(t.Context(), e, protocol.PlaceChanged{Place: ownPlace("b"), Trusted: true, At: t0}); err != nil {
				t.Fatal(err)
			}
		}
		if overwritten, err := core.initialOverwritten(t.Context(), e.rec); err != nil || overwritten != led {
			t.Errorf("led there %v: overwritten is %v, %v", led, overwritten, err)
		}
	}
}

// TestATakeOverRemembersWhatIsOverwritten: what the account knows that loses the server.
func TestATakeOverRemembersWhatIsOverwritten(t *testing.T) {
	core := New(Options{Storage: &logical.InmemStorage{}, Now: func() time.Time { return t0 }})
	defer core.Stop()
	overwriting(t, core, "one", ownPlace("a"))
	b := bindingOn("two", "Administrator", cloud.Windows)
	b.Settings.Source, b.Place = FromInitial, ownPlace("a")
	if n, err := core.TakeOver(t.Context(), b); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if _, err := core.Bind(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	is(t, "overwritten", core.entry(b.ID).rec.InitialOverwritten, true)
}
