package sshlogin

import (
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// superuser is the user of whom OpenSSH refuses every password by default.
const superuser = "root"

// What a login proves, and what it does not.
const (
	refusedLogin = "the server refused a login with it: the password is another one, or the user is locked, or a rule of the server keeps " +
		"the user out, such as AllowUsers or PAM; no other version was tried"
	refusedRoot = "the server refused the password of root, which by default (PermitRootLogin prohibit-password) OpenSSH does with every " +
		"password, so this proves nothing; allow it in sshd_config, or leave check_method empty for root, or use another one"
	notOffered = "the server takes no passwords of this user by SSH, see PasswordAuthentication, KbdInteractiveAuthentication and " +
		"AuthenticationMethods in its sshd_config, so none was sent"
	moreAsked = "the server took the password and asked for something else then, such as a second factor, or a new password in place of an " +
		"expired one, so whether the password is right is not known"
	otherAsked = "the server asked for something else than the password, such as a second factor, so none was sent"
	notNeeded  = "the server let the user in without any password, so none was sent; see PermitEmptyPasswords in its sshd_config, and " +
		"whether the user has a password at all"
)

// finding is what a verdict shows.
func finding(verdict sshclient.Verdict, check cloud.PasswordCheck) cloud.PasswordFinding {
	found := cloud.PasswordFinding{Match: cloud.NoMatch, Tried: verdict.Sent()}
	switch verdict {
	case sshclient.Accepted:
		found.Match = 0
	case sshclient.Wrong:
		found.Detail = refusedLogin
		if check.Username == superuser && !check.LoginWorked {
			found.Unknown, found.Detail = refusedRoot, ""
		}
	case sshclient.NotOffered:
		found.Unknown = notOffered
	case sshclient.MoreAsked:
		found.Unknown = moreAsked
	case sshclient.OtherAsked:
		found.Unknown = otherAsked
	case sshclient.NotNeeded:
		found.Unknown, found.State = notNeeded, cloud.UserWithoutPassword
	default:
		found.Unknown = fmt.Sprintf("the login ended in a way that is not known (%d)", verdict)
	}
	return found
}
