package protocol

// What a look at the server has shown of its password (rule 22), as the record keeps it.

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// CheckResult is what a check has shown.
type CheckResult string

// Results of a check.
const (
	// CheckMatches: the server has the current version.
	CheckMatches CheckResult = "matches"
	// CheckOlder: the server has another version of the account, as after the restore of a snapshot.
	CheckOlder CheckResult = "matches_version"
	// CheckDiffers: the server has none of the account's passwords.
	CheckDiffers CheckResult = "differs"
	// CheckUnknown: the check could not tell; its reason says why.
	CheckUnknown CheckResult = "unknown"

	// The others tell of the user: what keeps him from logging in with the password, whichever it is. They stand in
	// [Check.User] too, and there alone where password login is off for the whole server, which has the password.

	// CheckLocked: an administrator has locked the user, or too many wrong passwords were tried.
	CheckLocked CheckResult = "locked"
	// CheckDisabled: the account is switched off.
	CheckDisabled CheckResult = "disabled"
	// CheckExpired: the account or its password has expired, or the password must be changed at the next login.
	CheckExpired CheckResult = "expired"
	// CheckLoginOff: the user has no password login.
	CheckLoginOff CheckResult = "login_off"
	// CheckNoPassword: the user's password is empty, so that the server may let anybody in who gives none.
	CheckNoPassword CheckResult = "no_password"
	// CheckNoUser: the server has no such user.
	CheckNoUser CheckResult = "no_user"
)

// CheckResults are all that a check can show.
func CheckResults() []CheckResult {
	return []CheckResult{CheckMatches, CheckOlder, CheckDiffers, CheckUnknown, CheckLocked, CheckDisabled, CheckExpired, CheckLoginOff,
		CheckNoPassword, CheckNoUser}
}

// DriftAction is what is done with an account whose server has another password than Vault.
type DriftAction string

// Actions. None touches a user who is locked, expired or missing: somebody may have wanted that.
const (
	DriftReport  DriftAction = "report"  // only say so
	DriftRestore DriftAction = "restore" // record an older version of ours as the current one
	DriftRotate  DriftAction = "rotate"  // set a new password
)

// Check is what is known from checks. The zero value: nothing was checked or is to be.
type Check struct {
	// Time is that of the last check; zero: none yet.
	Time   time.Time   `json:"time,omitzero"`
	Result CheckResult `json:"result,omitempty"`
	// Of is the number of the version that was current then, and Version of the one that the server had; 0: none of ours.
	Of      int `json:"of,omitempty"`
	Version int `json:"version,omitempty"`
	// User is what keeps the user from logging in with a password; empty: nothing is known to.
	User CheckResult `json:"user,omitempty"`
	// Drifted is set where the result is unknown and the check before it found that the server does not have the version.
	Drifted bool `json:"drifted,omitempty"`
	// Reason is why the result is unknown, or more of what is told of the user. It holds no secret.
	Reason hint.Text `json:"reason,omitzero"`
	// Early is set where attempts were open, so that only the value on its way counted.
	Early bool `json:"early,omitempty"`
	// NotBefore is before when the server is not looked at again, as its check method asks for.
	NotBefore time.Time `json:"not_before,omitzero"`
	// LoggedIn is set once a login by SSH has been let in: password logins are on for the user.
	LoggedIn bool `json:"logged_in,omitempty"`
	// Experimental is set where nobody has seen the method work on a real server.
	Experimental bool `json:"experimental,omitempty"`
	// Asked is when a check was asked for that has not been made yet, Action what that is to do about a drifted
	// account; empty: what the role says. By is who asked.
	Asked  time.Time   `json:"asked,omitzero"`
	Action DriftAction `json:"action,omitempty"`
	By     Requester   `json:"by,omitzero"`
}
