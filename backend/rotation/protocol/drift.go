package protocol

// Whether the server has the password that Vault hands out, as far as checks have shown (rule 22), and what they compare with.

import (
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// CheckInterval is the least time between two checks of an account, whatever its method asks for.
const CheckInterval = time.Minute

// Checked is what the checks of the account have shown.
func (a *Account) Checked() Check {
	if a.Check == nil {
		return Check{}
	}
	return *a.Check
}

// Drifted reports whether the last check of the current version that could tell has shown that the server does not have it. A
// server that is gone has not drifted.
func (a *Account) Drifted() bool {
	c, cur := a.Checked(), a.Current()
	if cur == nil || a.Pending != nil || !a.Gone.IsZero() || c.Time.IsZero() || c.Of != cur.Number {
		return false
	}
	return c.Result == CheckUnknown && c.Drifted || c.Result != CheckUnknown && c.Version != c.Of
}

// CheckValues are the passwords that a check compares with, the most likely one first: the current version, the value on its
// way, the candidates and the other versions from the newest on.
func (a *Account) CheckValues() []string {
	var values []string
	add := func(password string) {
		if password != "" && !slices.Contains(values, password) {
			values = append(values, password)
		}
	}
	if cur := a.Current(); cur != nil {
		add(cur.Password)
	}
	if a.Pending != nil {
		add(a.Pending.Password)
	}
	for _, c := range slices.Backward(a.Candidates) {
		add(c.Password)
	}
	for _, v := range slices.Backward(a.Versions) {
		add(v.Password)
	}
	return values
}

// TryValue is the one password that a check may try which logs in at the server: it goes to the place, so it must have been made
// for that. While a value is on its way it is that one, as nothing else would tell what became of it; else it is the current
// version, or where that is another place's, the last candidate or version of this one. early is set where nothing that could be
// found would count, since an attempt is open. Else an empty value says that there is none, or that the place is not trusted.
func (a *Account) TryValue() (value string, early bool) {
	if !a.TrustsHere() { // whoever answers there would be told a password
		return "", false
	}
	if p := a.Pending; p != nil && !a.Misplaced() && (p.Uncertain || len(p.Attempts) > 0) {
		return p.Password, false
	}
	if a.Open() {
		return "", true
	}
	if cur := a.Current(); cur != nil && cur.Place.Same(a.Place) {
		return cur.Password, false
	}
	for _, c := range slices.Backward(a.Candidates) {
		if c.Place.Same(a.Place) {
			return c.Password, false
		}
	}
	for _, v := range slices.Backward(a.Versions) {
		if v.Place.Same(a.Place) {
			return v.Password, false
		}
	}
	return "", false
}

// CheckAddress is where a login finds the server, as the place to which the connection leads has described it; "" where that has not
// told an address of the kind that the role names.
func (a *Account) CheckAddress() string {
	if !a.Facts.Place.Same(a.Place) {
		return ""
	}
	return a.Settings.CheckAddress.Of(a.Facts.Instance(a.InstanceID))
}

// longestCheckHold is the longest time for which a method may hold back the next check. What is further away was stored by a
// clock that was ahead.
const longestCheckHold = 24 * time.Hour

// CheckHeld is for how long the account's check method still wants the server left alone; 0: it may be looked at. now is the
// earlier one of what the two clocks say, and NotBefore was made of the later one: a clock that is set, or set right, brings no
// two tries together (rule 12).
func (a *Account) CheckHeld(now time.Time) time.Duration {
	c := a.Checked()
	left := c.NotBefore.Sub(now)
	if c.NotBefore.IsZero() || left > longestCheckHold {
		return 0
	}
	return max(left, 0)
}

// NotCheckableYet says until when the account's server must be left alone; nil if it need not be, or for no longer than a check
// that is ordered waits for.
func (a *Account) NotCheckableYet(now time.Time) error {
	left := a.CheckHeld(now)
	if left <= CheckInterval {
		return nil
	}
	c := a.Checked()
	return &Error{Kind: Conflict, RetryAfter: left, Message: hint.Textf("account %s was checked by a login, and a wrong password counts "+
		"towards the user's lockout, so its server is left alone until %s at the latest; then: %s", a.ID,
		c.NotBefore.UTC().Truncate(time.Second).Add(time.Second).Format(time.RFC3339), a.verifyHint())}
}

// Open reports whether something that was sent may still set a password.
func (a *Account) Open() bool {
	return len(a.OldUnresolved) > 0 || a.LateSerial || a.Pending != nil && len(a.Pending.Attempts) > 0
}

// NotCheckable says why the account's server can never be looked at; nil if it can.
func (a *Account) NotCheckable() error {
	switch {
	case a.IsGroup():
		return Errorf(Invalid, "the password of role %s is checked on each of its servers", a.Username)
	case !a.Gone.IsZero():
		return Errorf(Conflict, "instance %s does not exist at the cloud any more, so its password cannot be checked", a.InstanceID)
	case a.Settings.CheckMethod == "":
		return Errorf(Conflict, "account %s cannot be checked: its role has no check_method, which providers have that can run commands in "+
			"the guest; give it one: %s", a.ID, a.checkMethodHint())
	case len(a.CheckValues()) == 0:
		return Errorf(Conflict, "account %s has no password yet, so there is nothing to check; %s", a.ID, a.firstPassword())
	}
	return nil
}

// firstPassword says how an account without a password gets one.
func (a *Account) firstPassword() hint.Text {
	switch {
	case a.Settings.CanReset:
		return hint.Textf("make one: %s", a.rotateHint())
	case a.Settings.Source == FromInitial && !a.InitialOverwritten:
		return hint.Textf("read its initial one: %s", a.ReadHint())
	}
	return hint.Textf("record the one that the server has: %s", a.ImportHint())
}

// sameValues reports whether an account has the passwords, attempts and place that it had in an earlier record.
func (a *Account) sameValues(before *Account) bool {
	sameVersion := func(v, w Version) bool { return v.Number == w.Number && v.Password == w.Password && v.Place == w.Place }
	if !a.Place.Same(before.Place) || !slices.EqualFunc(a.Versions, before.Versions, sameVersion) ||
		!slices.Equal(a.Candidates, before.Candidates) || !slices.Equal(a.OldUnresolved, before.OldUnresolved) {
		return false
	}
	p, q := a.Pending, before.Pending
	if p == nil || q == nil {
		return p == q
	}
	return p.Password == q.Password && p.Place == q.Place && slices.Equal(p.Attempts, q.Attempts)
}

// whyDrifted tells people why a version is not handed out that the server does not have.
func (a *Account) whyDrifted() hint.Text {
	c := a.Checked()
	has := hint.Plain("another password")
	switch {
	case c.Version > 0:
		has = hint.Textf("version %d", c.Version)
	case c.User != "":
		has = hint.Textf("another password, or none (%s)", string(c.User))
	}
	var out hint.Text
	if a.Settings.CanReset {
		out = hint.Textf("; to set a new password: %s", a.rotateHint())
	} else {
		out = hint.Textf("; to record the one that it has: %s", a.ImportHint())
	}
	return hint.Textf("the server of account %s had %s when it was checked at %s, and not the current version %d; to check again: %s%s",
		a.ID, has, c.Time.UTC().Format(time.RFC3339), c.Of, a.verifyHint(), out)
}

// checkDueAfter asks for a check of a version that an attempt's outcome has confirmed, where a login can prove that the server takes
// it: the login costs nobody a command, and a server that has been told another password need not let anybody in with it. It only
// reports what it finds: a password that was set just now is not set again for that, or a server that lets nobody in by password
// would be reset without end. What somebody else has asked for goes first, and is done by the same look.
func (a *Account) checkDueAfter(attempt string, at time.Time) {
	if attempt == "" || a.IsGroup() || a.Settings.CheckMethod != cloud.CheckSSH || !a.Trusts(a.Current().Place) {
		return
	}
	c := a.Checked()
	if !c.Asked.IsZero() {
		return
	}
	c.Asked, c.Action, c.By = at, DriftReport, Requester{}
	a.Check = &c
}
