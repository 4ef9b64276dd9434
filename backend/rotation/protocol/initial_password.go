package protocol

// The initial password, which the cloud keeps (rule 17).

import (
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// WantsInitial reports whether version 1 is to be the cloud's initial password and is not there yet.
func (a *Account) WantsInitial() bool {
	return len(a.Versions) == 0 && a.Settings.Source == FromInitial && !a.InitialOverwritten &&
		a.Pending == nil && a.Due == nil && a.Gone.IsZero() && a.TrustsHere()
}

// InitialPasswordRead stores the decrypted initial password as version 1 (rule 17).
type InitialPasswordRead struct {
	Password string
	At       time.Time
	Place    Place // which one was asked
	// Given are the roles to whose readers the same password was given, by whatever account, or is about to be by this one
	// (rule 23). Several says that another account has read it too, and Key where that is stored.
	Given   RoleSet
	Several bool
	Key     string
	// Overwritten says that it is known not to be the server's any more. Then there is no password.
	Overwritten bool
}

func (e InitialPasswordRead) apply(a *Account) error {
	if !e.Place.Same(a.Place) || !a.TrustsHere() {
		return ErrStale
	}
	if len(a.Versions) > 0 || a.Pending != nil || a.Due != nil || a.InitialOverwritten {
		return ErrStale
	}
	if e.Overwritten {
		a.InitialOverwritten = true
		return nil
	}
	a.Add(Version{Password: e.Password, Source: FromInitial, Created: e.At, Place: a.Place, Roles: e.Given})
	a.InitialKey = e.Key
	a.dueForOthers(e.Several, e.At)
	return nil
}

// CheckRereadable is nil if the initial password may be asked for again (rule 27).
func (a *Account) CheckRereadable(now time.Time) error {
	cur := a.Current()
	switch {
	case !a.Gone.IsZero():
		return a.goneError()
	case a.Settings.Source != FromInitial || a.Role == "":
		return Errorf(Conflict, "account %s belongs to no role whose passwords are the cloud's initial ones (source=%s), so none is asked for "+
			"again; record the password that the server has: %s", a.ID, FromInitial, a.ImportHint())
	case !a.TrustsHere():
		return a.NotProvenError()
	}
	if err := a.CheckSettled(); err != nil {
		return err
	}
	if a.Due != nil {
		return Errorf(Conflict, "account %s is due for a rotation (%s since %s), which sets another password; wait until that has ended, "+
			"see: %s", a.ID, a.Due.Reason, a.Due.Since.UTC().Format(time.RFC3339), a.inspectHint())
	}
	if err := a.checkNothingLate(now); err != nil {
		return err
	}
	switch {
	case cur == nil && a.InitialOverwritten:
		return Errorf(Conflict, "another password was set or recorded for account %s before, so the initial password of its server is not "+
			"asked for; record the password that it has: %s", a.ID, a.ImportHint())
	case cur == nil:
		return Errorf(Conflict, "the initial password of account %s has not been read for the first time; read it: %s", a.ID, a.ReadHint())
	case cur.Source != FromInitial:
		return Errorf(Conflict, "the current version %d of account %s is no initial password: its source is %s, and what was set or recorded "+
			"is not replaced by what the cloud keeps from a first boot. If the server has another password, record it: %s; or first restore an "+
			"initial version that it has again: %s", cur.Number, a.ID, cur.Source, a.ImportHint(), a.VersionsHint())
	}
	return nil
}

// InitialPasswordReread stores what the cloud has shown when it was asked for the initial password again (rule 27).
type InitialPasswordReread struct {
	InitialPasswordRead
	// Version was the current one when the cloud was asked.
	Version int
	By      Requester
}

func (e InitialPasswordReread) apply(a *Account) error {
	if err := a.CheckRereadable(e.At); err != nil {
		return err
	}
	cur := a.Current()
	switch {
	case !e.Place.Same(a.Place) || cur.Number != e.Version:
		return ErrStale
	case e.Overwritten:
		return Errorf(Conflict, "another account of the same user of instance %s has had another password set or recorded, so its initial "+
			"password counts no more; record the password that the server has: %s", a.InstanceID, a.ImportHint())
	case cur.Password == e.Password:
		if a.Rebuilt == nil && a.InitialCleared.IsZero() {
			return ErrNoChange
		}
		a.Rebuilt, a.InitialCleared = nil, time.Time{}
		return nil
	}
	v := Version{Password: e.Password, Source: FromInitial, Created: e.At, Place: a.Place, Given: a.givenBefore(e.Password),
		Roles: e.Given.With(a.rolesOf(e.Password).Names()...), Change: Change{Reason: Reread, Since: e.At, By: e.By}}
	if a.wasDisclosed(e.Password) {
		v.Disclosed = e.At
		if a.Settings.Mode == Leased {
			v.Until = e.At.Add(a.Settings.MaxTTL)
		}
	}
	a.Add(v)
	a.InitialKey, a.InitialCleared = e.Key, time.Time{}
	a.systemUnknown()
	a.dueForOthers(e.Several, e.At)
	a.prune()
	return nil
}

// wasDisclosed reports whether a version with the password has been given to anybody.
func (a *Account) wasDisclosed(password string) bool {
	return slices.ContainsFunc(a.Versions, func(v Version) bool { return v.Password == password && !v.Disclosed.IsZero() })
}

// dueForOthers makes an account due whose new current version, an initial password, others know or may come to know: readers of
// another role, or those of another account, if several have read it.
func (a *Account) dueForOthers(several bool, at time.Time) {
	a.dueForMove(at)
	if several && a.Settings.Mode == Leased && a.Settings.CanReset {
		// The end of its leases would not end those of the other account, or has not.
		_ = RotationRequested{Reason: DueMoved, At: at}.apply(a)
	}
}

// InitialPasswordCleared notes that the cloud's copy is deleted.
type InitialPasswordCleared struct {
	At    time.Time
	Place Place
}

func (e InitialPasswordCleared) apply(a *Account) error {
	if !e.Place.Same(a.Place) || !a.TrustsHere() {
		return ErrStale
	}
	a.InitialCleared = e.At
	return nil
}

// WhyNoInitialPassword names the causes and the ways out.
func (a *Account) WhyNoInitialPassword(provider cloud.Provider) hint.Text {
	causes := "the image makes no password (Linux, or a Windows image without the cloud's agent), or the instance was launched without an " +
		"RSA key pair"
	if e, ok := provider.(cloud.InitialPasswordExplainer); ok {
		causes = e.WhyNoInitialPassword()
	}
	ways := hint.Textf("set a password in the server and record it: %s", a.ImportHint())
	switch resetters, ok := provider.(cloud.PasswordResetters); {
	case a.Settings.CanReset:
		ways = ways.Add(hint.Textf("; or have one set that needs none before: %s", a.rotateHint()))
	case ok:
		for _, method := range []string{cloud.MethodAPI, cloud.MethodCommand} {
			if resetters.Resetter(method) != nil {
				ways = ways.Add(hint.Textf("; or have one set: %s, then: %s", a.methodHint(method), a.rotateHint()))
				break
			}
		}
	}
	return hint.Textf("usual causes are that %s. What to do: %s", causes, ways)
}
