package guestos

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// noon is when the changes of these tests are sent.
var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// change is one that was sent at noon.
func change(user, secret string, order int64) guest.Change {
	return guest.Change{Username: user, Secret: secret, Order: order, NotAfter: noon.Add(cloud.OrderDeadline)}
}

// machine is a simulated system through more than one command.
type machine struct {
	System
	key guest.PublicKey
}

func newMachine(t *testing.T, windows bool) *machine {
	t.Helper()
	m := &machine{System: System{Windows: windows, Accounts: []string{"root", "web"}, Passwords: map[string]string{"web": "first"},
		Hashes: map[string]string{}, Orders: map[string]string{}, Wall: noon}}
	if !windows {
		return m
	}
	r, err := preparation()
	if err != nil {
		t.Fatal(err)
	}
	m.Key = r.Key
	if m.key, err = guest.Prepared(r.ExitCode, r.Output); err != nil {
		t.Fatal(err)
	}
	return m
}

// preparation makes the key of all these systems, which takes its time.
var preparation = sync.OnceValues(func() (Result, error) {
	return System{Windows: true}.Run("powershell", guest.WindowsPrepare().Text)
})

// send makes the script of a change, which any clock may run later.
func (m *machine) send(t *testing.T, c guest.Change) guest.Script {
	t.Helper()
	script, err := guest.Linux(c)
	if m.Windows {
		script, err = guest.WindowsSet(c, m.key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// run runs a script and returns its exit code, which the output tells, too.
func (m *machine) run(t *testing.T, script guest.Script) int {
	t.Helper()
	r, err := m.Run(string(script.Interpreter), script.Text)
	if err != nil {
		t.Fatal(err)
	}
	if code, ok := guest.ExitCode(r.Output); !ok || code != r.ExitCode {
		t.Errorf("exit code %d, and the output tells %d, %v: %q", r.ExitCode, code, ok, r.Output)
	}
	if r.User != "" {
		m.Passwords[r.User], m.Hashes[r.User] = r.Password, r.Hash
	}
	if r.Noted != "" {
		m.Orders[r.Noted] = r.Order
	}
	return r.ExitCode
}

func (m *machine) has(password string) bool {
	if hash := m.Hashes["web"]; hash != "" {
		return CheckHash(hash, password)
	}
	return m.Passwords["web"] == password
}

func (m *machine) byHand(password string) {
	m.Passwords["web"], m.Hashes["web"] = password, ""
}

// What comes late, twice or after a newer password changes nothing, whatever the clock says; nor does what comes late after a
// change by hand, as far as the clock is right.
func TestOrderAndDeadline(t *testing.T) {
	const set, late, old = "set", "late", "old"
	codes := map[bool]map[string]int{false: {set: 0, late: 85, old: 86}, true: {set: 0, late: 97, old: 98}}
	// A step is something that happens: "a 1" runs the script of value a, whose order is 1; "hand" sets the password h.
	for name, c := range map[string]struct {
		steps []string // "<value> <order> <minutes after noon> <what comes of it>"
		clock time.Duration
		has   string
	}{
		"in time":                        {[]string{"a 100 1 set"}, 0, "a"},
		"twice":                          {[]string{"a 100 1 set", "a 100 2 set"}, 0, "a"},
		"two values":                     {[]string{"a 100 1 set", "b 101 2 set"}, 0, "b"},
		"the older after the newer":      {[]string{"b 101 1 set", "a 100 2 old"}, 0, "b"},
		"again, after a newer":           {[]string{"a 100 1 set", "b 101 2 set", "a 100 3 old"}, 0, "b"},
		"again, weeks later":             {[]string{"a 100 1 set", "b 101 2 set", "a 100 40000 old"}, 0, "b"},
		"late":                           {[]string{"a 100 11 late"}, 0, "first"},
		"weeks late":                     {[]string{"a 100 40000 late"}, 0, "first"},
		"late, and what it has":          {[]string{"a 100 1 set", "a 100 11 late"}, 0, "a"},
		"late, clock behind":             {[]string{"b 101 1 set", "a 100 40000 old"}, -40000 * time.Minute, "b"},
		"after a hand, in time":          {[]string{"hand", "a 100 9 set"}, 0, "a"},
		"after a hand, late":             {[]string{"hand", "a 100 11 late"}, 0, "h"},
		"again after a hand":             {[]string{"a 100 1 set", "hand", "a 100 11 late"}, 0, "h"},
		"after a hand, clock behind":     {[]string{"hand", "a 100 14 set"}, -5 * time.Minute, "a"},
		"after a hand, past tolerance":   {[]string{"hand", "a 100 16 late"}, -5 * time.Minute, "h"},
		"a clock ahead, in bounds":       {[]string{"a 100 1 set"}, 8 * time.Minute, "a"},
		"a clock ahead":                  {[]string{"a 100 1 late"}, 10 * time.Minute, "first"},
		"ahead by years":                 {[]string{"a 100 1 late", "b 101 2 late"}, 100_000 * time.Hour, "first"},
		"Vault's clock had been ahead":   {[]string{"a 9999999 1 set", "b 101 2 old", "b 10000000 3 set"}, 0, "b"},
		"behind by years, newer":         {[]string{"a 100 1 set", "b 101 2 set"}, -100_000 * time.Hour, "b"},
		"a locked user":                  {[]string{"b 101 1 set", "lock", "a 100 2 old"}, 0, "b"},
		"an order with ten digits":       {[]string{"b 9999999999 1 set", "a 9999999998 2 old"}, 0, "b"},
		"an order above 32 bits":         {[]string{"b 4294967297 1 set", "a 2147483648 2 old", "c 4294967298 3 set"}, 0, "c"},
		"numbers are no texts, but long": {[]string{"a 9 1 set", "b 10 2 set", "a 9 3 old"}, 0, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, windows := range []bool{false, true} {
				m := newMachine(t, windows)
				m.Clock = c.clock
				sent := map[string]guest.Script{} // one script for each value, however often it is run
				for _, step := range c.steps {
					switch step {
					case "hand":
						m.byHand("h")
						continue
					case "lock":
						m.Locked = []string{"web"}
						continue
					}
					var value, want string
					var order int64
					var minutes int
					if _, err := fmt.Sscan(step, &value, &order, &minutes, &want); err != nil {
						t.Fatal(err)
					}
					id := fmt.Sprint(value, order)
					if sent[id].Text == "" {
						sent[id] = m.send(t, change("web", value, order))
					}
					m.Wall = noon.Add(time.Duration(minutes) * time.Minute)
					if code := m.run(t, sent[id]); code != codes[windows][want] {
						t.Errorf("windows %t, %q: exit code %d", windows, step, code)
					}
				}
				if !m.has(c.has) {
					t.Errorf("windows %t: the server does not have %q", windows, c.has)
				}
			}
		})
	}
}

// Where the order cannot be kept or the time cannot be told, nothing is changed.
func TestOrderRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		windows    bool
		conditions Conditions
		registry   string
		code       int
	}{
		"no flock":           {conditions: Conditions{NoFlock: true}, code: 87},
		"the lock is taken":  {conditions: Conditions{LockTaken: true}, code: 87},
		"no clock":           {conditions: Conditions{NoClock: true}, code: 89},
		"the mutex is taken": {windows: true, conditions: Conditions{LockTaken: true}, code: 99},
		"no registry":        {windows: true, conditions: Conditions{NoRegistry: true}, code: 99},
		"no order in it":     {windows: true, registry: "101", code: 99},
		"no number in it":    {windows: true, registry: "abcdefghij", code: 99},
	} {
		m := newMachine(t, c.windows)
		m.Conditions = c.conditions
		if c.registry != "" {
			m.Orders["web"] = c.registry
		}
		if code := m.run(t, m.send(t, change("web", "a", 100))); code != c.code || !m.has("first") || m.Orders["web"] != c.registry {
			t.Errorf("%s: exit code %d, registry %q", name, code, m.Orders["web"])
		}
	}
	foreign := newMachine(t, false)
	foreign.Directory = []string{"ldap"}
	if code := foreign.run(t, foreign.send(t, change("ldap", "a", 100))); code != 88 {
		t.Errorf("a user of a directory: exit code %d", code)
	}
}

// On Windows the order is noted before the change, so that one which Windows refused counts as well.
func TestOrderIsNotedFirst(t *testing.T) {
	m := newMachine(t, true)
	m.RefusesPasswords = true
	if code := m.run(t, m.send(t, change("web", "b", 101))); code != 95 || m.Orders["web"] != "0000000101" {
		t.Errorf("exit code %d, registry %q", code, m.Orders["web"])
	}
	m.RefusesPasswords = false
	if code := m.run(t, m.send(t, change("web", "a", 100))); code != 98 || !m.has("first") {
		t.Errorf("exit code %d", code)
	}
}

// The simulated server's script really removes its file, and the machine's chmod and rm do nothing else for it.
func TestScriptRemovesItself(t *testing.T) {
	m := newMachine(t, false)
	script := m.send(t, change("web", "a", 100))
	for from, want := range map[string]bool{
		"\tfinish 0 'password set'": true,
		"\thide\n":                  false,
	} {
		probe := strings.Replace(script.Text, from, "\t[ -e \"$0\" ] && echo 'still there'\n"+from, 1)
		r, err := m.runSet(probe)
		if err != nil || r.ExitCode != 0 || strings.Contains(r.Output, "still there") == want {
			t.Errorf("before %q: %+v, %v", from, r, err)
		}
	}
	probe := strings.Replace(script.Text, "\thide\n", "\tchmod 600 \"$shadow\"; rm -f \"$shadow\"; rm -f \"$0\" \"$shadow\"\n", 1)
	if r, err := m.runSet(probe); err != nil || r.ExitCode != 0 || r.User != "web" {
		t.Errorf("%+v, %v", r, err)
	}
}
