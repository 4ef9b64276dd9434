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
	// Given are the roles to whose readers it was given by accounts that have left this place's marker, or this
	// account's (rule 23).
	Given RoleSet
	// Overwritten says that these know it not to be the server's any more. Then there is no password.
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
	a.Add(Version{Password: e.Password, Source: FromInitial, Created: e.At, Place: a.Place, Roles: a.InitialRoles.With(e.Given.Names()...)})
	a.dueForMove(e.At)
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
