package cloud

import (
	"context"
	"time"
)

// CheckCommand is the name of the check method that runs a command in the guest, by an agent and on the cloud's order.
const CheckCommand = "command"

// CheckSSH is the name of the check method that logs in to the server by SSH, with the password.
const CheckSSH = "ssh"

// PasswordCheckers is implemented by providers that can look which password a server's user has, by one or more check
// methods.
type PasswordCheckers interface {
	// Checker returns the check method with that name, one of Descriptor.CheckMethods, or nil if the provider has none
	// of that name. What it returns is comparable, and equal for equal names.
	Checker(method string) PasswordChecker
}

// PasswordChecker is one method of looking, without changing anything, whether a server's user has one of some passwords.
type PasswordChecker interface {
	// CheckTraits are what looks at servers of a platform are like. They are constant.
	CheckTraits(platform Platform) CheckTraits
	// CanCheck says, without asking the cloud, why the method cannot look at that user on that instance, and what to do
	// instead; nil if it can, as far as can be told. It is asked when a role is written.
	CanCheck(i Instance, username string) error
	// CheckPassword looks. It may send several requests and wait for their end, within the context's deadline, and it
	// waits for the limiter before each. It changes no account of the server, whatever the outcome.
	//
	// An error means that nothing was seen: the cloud or the server did not answer, or not in time. It never means
	// that the server has another password, and neither does a finding with Unknown. NotFound: the instance is gone.
	// Of a method that Tries, the finding says beside an error, too, whether a password was Tried, or still may be.
	CheckPassword(ctx context.Context, check PasswordCheck) (PasswordFinding, error)
}

// CheckTraits are the constants of a check method on one platform.
type CheckTraits struct {
	// Action is the limiter's name of the request that a check costs, normally the API action.
	Action string
	// Interval is the least time between two looks at a user, which the engine keeps.
	Interval time.Duration
	// Tries is set where the method logs in with a password, so that a wrong one counts towards the user's lockout. It is
	// given one value, which leaves this process, and so only one that was made for the very place that is asked. Between
	// two tries there is the Interval, whoever orders them and whatever crashes in between; a look that turns out not to
	// have Tried does not count.
	Tries bool
	// LongestTry is how long after the start of a look whose end was not seen the server may still make its try.
	LongestTry time.Duration
	// Experimental is set where nobody has seen the method work on a real server.
	Experimental bool
	// Direct is set where the server itself is asked, and no cloud: that it does not answer says nothing of the connection.
	Direct bool
}

// PasswordCheck is one look at one server.
type PasswordCheck struct {
	InstanceID string
	Username   string
	// Platform of the instance, as last described; "" if the cloud does not tell.
	Platform Platform
	// Address is where the server is reached, as the cloud described it last: the one of its addresses that the role names; "" if
	// it has none of that kind. Port is that of SSH. FirstUse lets the first host key that the server shows be pinned. A method
	// that is not Direct has no use for them, nor has one whose servers have their addresses in the mount's inventory.
	Address  string
	Port     int
	FirstUse bool
	// LoginWorked is set where a Direct method has been let in with a password of the user before: then password logins are on
	// for that user, and a refusal speaks of the password.
	LoginWorked bool
	// Values are the passwords to compare with, the most likely one first; exactly one for a method that Tries. Each may
	// cost the time of a slow hash. They never leave this process, unless the method Tries.
	Values []string
}

// String keeps the passwords out of logs that print values.
func (c PasswordCheck) String() string { return "check of " + c.Username + " on " + c.InstanceID }

// GoString does the same for %#v.
func (c PasswordCheck) GoString() string { return c.String() }

// NoMatch is PasswordFinding.Match where the server has none of the values, or where that could not be told.
const NoMatch = -1

// PasswordFinding is what a check saw. Of a finding the engine may conclude that the server has another password only
// if it is a Different one.
type PasswordFinding struct {
	// Match is the index in PasswordCheck.Values of the password that the server has, or NoMatch.
	Match int
	// State is what keeps the user from logging in by password, whichever that is; "" if nothing is known to.
	State UserState
	// Detail says more of the State, as the end of a sentence: "the account expired on 2026-05-01"; "" without a State, unless
	// the finding is Different by a method that is Direct: then it says what else a refusal may mean.
	Detail string
	// Unknown is why the password could not be compared at all, and what to do; "" if it was. Match is then NoMatch.
	// The State may be known nevertheless.
	Unknown string
	// Tried is set by a method that Tries where a password was tried, or may have been, or still may be.
	Tried bool
}

// Different reports whether the check proves that the server has none of the values.
func (f PasswordFinding) Different() bool { return f.Match == NoMatch && f.Unknown == "" }

// NotCompared is the finding of a check that could not compare.
func NotCompared(why string) PasswordFinding { return PasswordFinding{Match: NoMatch, Unknown: why} }

// UserState is what keeps a server's user from logging in by password.
type UserState string

// States. Where several hold, the first one of this list is told.
const (
	// UserUsable: nothing is known that would.
	UserUsable UserState = ""
	// UserMissing: the server has no such user. Nothing matches.
	UserMissing UserState = "no_user"
	// UserWithoutPassword: the password is empty, so that the server may let anybody in who gives none. Nothing matches.
	UserWithoutPassword UserState = "no_password"
	// UserLocked: somebody has locked the password (passwd -l, usermod -L), or too many wrong ones were tried. On Linux
	// the one below the lock is compared.
	UserLocked UserState = "locked"
	// UserDisabled: the account is switched off (Windows).
	UserDisabled UserState = "disabled"
	// UserExpired: the account has expired, or the password has, or must be changed at the next login.
	UserExpired UserState = "expired"
	// UserLoginOff: password login is switched off, for this user (no password was ever set) or by the server for all
	// (sshd's PasswordAuthentication). In the latter case the password is compared.
	UserLoginOff UserState = "login_off"
)
