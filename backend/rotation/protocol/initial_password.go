package protocol

// The initial password, which the cloud keeps (rule 17).

import (
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
	a.dueForMove(e.At)
	if e.Several && a.Settings.Mode == Leased && a.Settings.CanReset {
		// The end of its leases would not end those of the other account, or has not.
		_ = RotationRequested{Reason: DueMoved, At: e.At}.apply(a)
	}
	return nil
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
