package protocol

// An account's state for people.

import "time"

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
	return Errorf(NotFound, "instance %s does not exist at the cloud any more (seen %s); its last passwords stay recorded. "+
		"If it exists, have it looked for again: %s", a.InstanceID, a.Gone.UTC().Format(time.RFC3339), a.rotateHint())
}
