package protocol

// An account's state for people.

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// State is the account's state in one word.
func (a *Account) State() string {
	switch {
	case !a.Gone.IsZero():
		return "gone"
	case a.Braked() && !a.Pending.AnyPolled():
		return "braked"
	case a.Pending != nil:
		return "rotating"
	case a.Due != nil:
		return "due"
	case anyBlocks(a.OldUnresolved):
		return "settling"
	case len(a.Versions) == 0:
		return "empty"
	}
	return "ready"
}

// States are all that State can say.
func States() []string {
	return []string{"ready", "due", "rotating", "braked", "settling", "empty", "gone"}
}

// goneError says that there is no server.
func (a *Account) goneError() error {
	back := hint.Textf("If it exists, have it looked for again: %s", a.rotateHint())
	if !a.Settings.CanReset {
		back = hint.Textf("If it exists, the regular look at the cloud finds it again; or record the password that it has: %s", a.ImportHint())
	}
	return Errorf(NotFound, "instance %s does not exist at the cloud any more (seen %s); its last passwords stay recorded. %s", a.InstanceID,
		a.Gone.UTC().Format(time.RFC3339), back)
}
