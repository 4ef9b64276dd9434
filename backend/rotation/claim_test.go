package rotation

import (
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// bindingOn is a binding of a user of instance i-1, by a role of the connection's name.
func bindingOn(connection, username string, platform cloud.Platform) Binding {
	return Binding{ID: ID{Connection: connection, InstanceID: "i-1", Username: username}, Provider: "sim", Role: connection, Settings: staticSettings(), Facts: Facts{Platform: platform}}
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
		"unknown, then Linux, one name":          {{"one", "Build", unknown, false}, {"two", "Build", cloud.Linux, true}},
		"unknown, then Windows, one name":        {{"one", "Build", unknown, false}, {"two", "Build", cloud.Windows, true}},
		"Linux, then unknown, one name":          {{"one", "Build", cloud.Linux, false}, {"two", "Build", unknown, true}},
		"Linux, then Windows, one name":          {{"one", "Build", cloud.Linux, false}, {"two", "Build", cloud.Windows, true}},
		"Windows, then Linux, one name":          {{"one", "Build", cloud.Windows, false}, {"two", "Build", cloud.Linux, true}},
		"unknown, then Linux, other case":        {{"one", "Build", unknown, false}, {"two", "build", cloud.Linux, true}},
		"Linux, then unknown, other case":        {{"one", "Build", cloud.Linux, false}, {"two", "build", unknown, true}},
		"Linux, then Windows, other case":        {{"one", "build", cloud.Linux, false}, {"two", "BUILD", cloud.Windows, true}},
		"Windows, other case":                    {{"one", "Administrator", cloud.Windows, false}, {"two", "administrator", cloud.Windows, true}},
		"Linux, other case: two users":           {{"one", "Build", cloud.Linux, false}, {"two", "build", cloud.Linux, false}},
		"of one connection too":                  {{"one", "Build", unknown, false}, {"one", "build", cloud.Linux, true}},
		"unknown turns out to be Linux":          {{"one", "Build", unknown, false}, {"one", "Build", cloud.Linux, false}, {"two", "build", cloud.Linux, false}},
		"Linux turns out to be Windows":          {{"one", "Build", cloud.Linux, false}, {"one", "Build", cloud.Windows, false}, {"two", "build", cloud.Linux, true}},
		"two on Linux, and a third of one's own": {{"one", "Build", cloud.Linux, false}, {"two", "build", cloud.Linux, false}, {"three", "build", cloud.Linux, true}, {"four", "BUILD", cloud.Windows, true}},
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
