package guest

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// tryLifetime is how long after it was made a script may still try its password, by the server's clock: one that an agent
// begins late, or runs again, tries nothing.
const tryLifetime = 5 * time.Minute

// try has a Windows server try one password.
func (c Checker) try(ctx context.Context, check cloud.PasswordCheck) (cloud.PasswordFinding, error) {
	none := cloud.PasswordFinding{Match: cloud.NoMatch}
	limits := c.Service.Limits()
	if len(check.Values) != 1 {
		return none, cloud.Errorf(cloud.Refused, "%s: on Windows one password is tried at a time", limits.Call)
	}
	if err := CheckUsername(check.Platform, check.Username); err != nil {
		return none, err
	}
	known := c.Keys.get(check.InstanceID) != ""
	finding, err := c.tryOnce(ctx, check)
	if NeedsKey(err) && known { // the server has another key than the one that is remembered; nothing was tried
		finding, err = c.tryOnce(ctx, check)
	}
	return finding, err
}

func (c Checker) tryOnce(ctx context.Context, check cloud.PasswordCheck) (cloud.PasswordFinding, error) {
	none, maybe := cloud.PasswordFinding{Match: cloud.NoMatch}, cloud.PasswordFinding{Match: cloud.NoMatch, Tried: true}
	limits := c.Service.Limits()
	prepared, err := prepare(ctx, c.Service, c.Keys, check.InstanceID)
	if err != nil {
		return none, c.explain(ctx, check.InstanceID, err)
	}
	var key PublicKey
	if err := key.UnmarshalText([]byte(prepared)); err != nil {
		return none, cloud.Errorf(cloud.Refused, "%s: %v", limits.Call, err)
	}
	secret := check.Values[0]
	script, err := WindowsTry(check.Username, secret, key, time.Now().Add(tryLifetime))
	if err != nil {
		return none, err
	}
	id, err := c.Service.Send(ctx, Command{InstanceIDs: []string{check.InstanceID}, Script: script, Purpose: TryPassword,
		Secrets: []string{secret, script.Sealed}})
	if err != nil {
		if cloud.KindOf(err).CertainlyNothingDone() {
			return none, c.explain(ctx, check.InstanceID, err)
		}
		return maybe, err
	}
	run, err := await(ctx, c.Service, cloud.ResetRef{InstanceID: check.InstanceID, RequestID: id},
		"the server has not shown whether it has the password")
	if err != nil {
		return maybe, err
	}
	found, err := run.tried()
	if NeedsKey(err) {
		c.Keys.drop(check.InstanceID)
	}
	if err != nil {
		return found, limits.about(id, err)
	}
	return found, nil
}

// triedLine is the one line of the script's output that is looked at.
var triedLine = regexp.MustCompile(`^cloudpw: exit 0 checked ([a-z_]{1,20})(?: ([0-9]{1,9})(?: ([0-9]{1,9}))?| (0x[0-9A-F]{8}))?$`)

// tried is what a try that is not Running has shown. An error says that nothing was seen, and the finding beside it whether
// the password may have been tried nevertheless.
func (r Run) tried() (cloud.PasswordFinding, error) {
	finding := cloud.PasswordFinding{Match: cloud.NoMatch}
	if r.State != Exited {
		refused := *r.failure()
		finding.Tried = refused.Kind != cloud.Refused // that kind says of a command that it has certainly not begun
		refused.Kind = cloud.Refused
		return finding, &refused
	}
	output := r.Output[:min(len(r.Output), maxOutput)]
	if r.ExitCode != 0 {
		err := failure(PowerShell, r.ExitCode, output)
		finding.Tried = err.Kind != cloud.Refused
		err.Kind = cloud.Refused
		return finding, err
	}
	var words []string
	for line := range strings.Lines(output) {
		found := triedLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if found != nil && words != nil {
			words = nil // two of them
			break
		}
		if found != nil {
			words = found
		}
	}
	if words == nil {
		finding.Tried = true
		return finding, cloud.Errorf(cloud.Refused, "the command exited without saying whether the server has the password")
	}
	return triedFinding(words), nil
}

// What Windows says of a refused logon (winerror.h).
const (
	errorLogonFailure        = 1326 // the user name or password is incorrect
	errorAccountRestriction  = 1327
	errorInvalidLogonHours   = 1328
	errorInvalidWorkstation  = 1329
	errorPasswordExpired     = 1330
	errorAccountDisabled     = 1331
	errorLogonTypeNotGranted = 1385
	errorAccountExpired      = 1793
	errorPasswordMustChange  = 1907
	errorAccountLockedOut    = 1909
)

// notTried ends what is said of a user on whom no password was tried, since no answer would tell which one he has.
const notTried = "; no password was tried, so which one the server has is not known"

// triedFinding is what the words of a triedLine mean. Only a login that Windows let in shows that the server has the password, and
// only the code for a wrong one that it has another: of the other codes no page says for local accounts that they are given
// after the password was found to be right.
func triedFinding(words []string) cloud.PasswordFinding {
	finding := cloud.PasswordFinding{Match: cloud.NoMatch}
	user := func(state cloud.UserState, detail string) cloud.PasswordFinding {
		finding.State, finding.Detail, finding.Unknown = state, detail, detail+notTried
		return finding
	}
	unknown := func(why string) cloud.PasswordFinding {
		finding.Unknown = why
		return finding
	}
	switch words[1] {
	case "no_user":
		finding.State, finding.Detail = cloud.UserMissing, "the server has no such local user"
		return finding
	case "locked":
		return user(cloud.UserLocked, "the account is locked out, since too many wrong passwords were tried")
	case "disabled":
		return user(cloud.UserDisabled, "the account is disabled")
	case "account_expired":
		return user(cloud.UserExpired, "the account has expired")
	case "password_expired":
		return user(cloud.UserExpired, "the password has expired, or must be changed at the next login")
	case "too_many":
		if words[3] == "" {
			break // not the script's
		}
		return unknown(fmt.Sprintf("%s wrong passwords of the user are counted on the server, which locks the account at %s; no password is "+
			"tried, as a wrong one and one more could lock it. Log in once with the right password, raise the threshold, or rotate the password",
			words[2], words[3]))
	case "no_policy":
		return unknown("the server does not tell how many wrong passwords lock the account, so none is tried; leave check_method empty " +
			"for this instance")
	case "late":
		return unknown("the server began the command too late, by its own clock; see that its clock is right and its agent prompt, and " +
			"check again")
	}
	finding.Tried = true
	switch words[1] {
	case "matches":
		finding.Match = 0
		return finding
	case "refused":
		code, err := strconv.Atoi(words[2])
		if err != nil {
			return unknown("the command has not said what Windows answered")
		}
		return refusedFinding(finding, code)
	case "other_user":
		return unknown("Windows let in somebody else, so its answer says nothing about the password; set the security option \"Sharing and " +
			"security model for local accounts\" to Classic")
	}
	return unknown("the login on the server failed in another way than for a wrong password; see the security log of the server")
}

// refusedFinding is what a refused logon means.
func refusedFinding(finding cloud.PasswordFinding, code int) cloud.PasswordFinding {
	var why string
	switch code {
	case errorLogonFailure:
		return finding
	case errorAccountLockedOut:
		finding.State, why = cloud.UserLocked, "the account is locked out, since too many wrong passwords were tried"
	case errorAccountDisabled:
		finding.State, why = cloud.UserDisabled, "the account is disabled"
	case errorAccountExpired:
		finding.State, why = cloud.UserExpired, "the account has expired"
	case errorPasswordExpired, errorPasswordMustChange:
		finding.State, why = cloud.UserExpired, "the password has expired, or must be changed at the next login"
	case errorLogonTypeNotGranted:
		why = "the server does not let the user log in over the network, which a check does (user rights assignment); leave check_method " +
			"empty for this instance, or grant the right"
	case errorAccountRestriction, errorInvalidLogonHours, errorInvalidWorkstation:
		why = "the server restricts when or from where the user logs in"
	default:
		why = "the login failed in another way than for a wrong password"
	}
	finding.Detail = why
	if finding.State == cloud.UserUsable {
		finding.Detail = ""
	}
	finding.Unknown = fmt.Sprintf("%s (Windows error %d), so whether the password is right is not known", why, code)
	return finding
}
