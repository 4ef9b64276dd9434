package sshclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Verdict is what a server made of a password.
type Verdict int

// Verdicts. The zero one stands beside an error: no password was sent.
const (
	// NotSent: nothing was tried, see the error.
	NotSent Verdict = iota
	// Accepted: the password is right.
	Accepted
	// Wrong: the password was offered, and refused.
	Wrong
	// NotOffered: the server takes no passwords of this user ("[none]"). None was sent.
	NotOffered
	// MoreAsked: the password was sent, and the server asked for something else then, as for a second factor or for a new password in
	// place of one that has expired.
	MoreAsked
	// OtherAsked: the server asked for something else than the password. It was not sent.
	OtherAsked
	// NotNeeded: the server let the user in without any password. None was sent.
	NotNeeded
	// Lost: the password was sent, or may have been, and no answer came, see the error.
	Lost
)

// Sent reports whether the password was sent, or may have been: a wrong one then counts towards a lockout.
func (v Verdict) Sent() bool { return v == Accepted || v == Wrong || v == MoreAsked || v == Lost }

// Try logs in with a password, once (password, or keyboard-interactive with one hidden question for a password), and out again. It runs
// nothing. The jump host is logged in to with the keys. An error is a *cloud.Error: of kind Refused or Unavailable with NotSent, Unknown
// with Lost; with other verdicts there is none.
func Try(ctx context.Context, t Target, password string, jumpSigners []ssh.Signer, o Options) (Verdict, error) {
	if err := ctx.Err(); err != nil {
		return NotSent, abandoned(t, err)
	}
	l, conn, err := reach(ctx, t, jumpSigners, o)
	if err != nil {
		return NotSent, err
	}
	defer l.close()
	a := &attempt{password: password}
	client, err := login(ctx, l, conn, hop{
		address: place(t.Address, t.Port), user: t.User, hostKey: t.HostKey, first: t.First, timeout: o.timeout(), choose: a.choose,
	})
	if err == nil {
		l.close()
		_ = client.Close()
		if a.sent.Load() {
			return Accepted, nil
		}
		return NotNeeded, nil
	}
	return a.judge(ctx, t, err)
}

// attempt is one login by password.
type attempt struct {
	password string
	// sent is set before the password is.
	sent atomic.Bool
	// offered: the server named a method of passwords. other: it asked for something else. partial: it took the password, and wants
	// another method beside it.
	offered, other, partial bool
}

// The methods of RFC 4252 and 4256.
const (
	methodPassword    = "password"
	methodInteractive = "keyboard-interactive"
)

// errOtherAsked ends a login here.
var errOtherAsked = errors.New("the server asks for something else than a password")

// choose picks the one method that is tried. After that it picks none, which ends the login with the error of that method, if it had one.
func (a *attempt) choose(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	switch {
	case a.offered:
		a.partial = len(c.PartialSuccessMethods) > 0
		return nil, nil
	case slices.Contains(c.AllowedMethods, methodPassword):
		a.offered = true
		return ssh.PasswordCallback(func() (string, error) {
			a.sent.Store(true)
			return a.password, nil
		}), nil
	case slices.Contains(c.AllowedMethods, methodInteractive):
		a.offered = true
		return ssh.KeyboardInteractive(a.answer), nil
	}
	return nil, nil
}

// answer answers the server's questions: one hidden one for the password, once, and none.
func (a *attempt) answer(_, _ string, questions []string, echoed []bool) ([]string, error) {
	switch {
	case len(questions) == 0:
		return nil, nil
	case a.sent.Load() || len(questions) != 1 || echoed[0] || !asksPassword(questions[0]):
		a.other = true
		return nil, errOtherAsked
	}
	a.sent.Store(true)
	return []string{a.password}, nil
}

// asksPassword reports whether a question is for the user's password, as PAM and BSD authentication put it: not for a
// one-time password, and not for a new one.
func asksPassword(question string) bool {
	q := strings.ToLower(question)
	for _, other := range []string{"one-time", "one time", "otp", "new ", "retype", "code", "token"} {
		if strings.Contains(q, other) {
			return false
		}
	}
	return strings.Contains(q, "password")
}

// What x/crypto's errors say, which have no types.
const (
	// changeRequested is a request to change the password, SSH_MSG_USERAUTH_PASSWD_CHANGEREQ (RFC 4252, section 8), number 60.
	changeRequested = "unexpected message type 60"
	// allTried is a refusal by the server: no method is left that could be tried.
	allTried = "unable to authenticate"
	// tooMany, in small letters, is how sshd says that a refusal was the last one that it allows in a connection (MaxAuthTries).
	tooMany = "too many authentication failures"
)

// refusedByServer reports whether a login failed since the server refused it, and not for want of an answer.
func refusedByServer(err error) bool {
	return strings.Contains(err.Error(), allTried) || strings.Contains(strings.ToLower(err.Error()), tooMany)
}

// judge says what a login that failed means.
func (a *attempt) judge(ctx context.Context, t Target, err error) (Verdict, error) {
	sent := a.sent.Load()
	switch {
	case stageOf(err) != stageAuth:
		return NotSent, explain(ctx, t, nil, err)
	case sent && a.partial:
		return Accepted, nil // the server took the password, and wants something else beside it
	case sent && (a.other || strings.Contains(err.Error(), changeRequested)):
		return MoreAsked, nil
	case a.other:
		return OtherAsked, nil
	case sent && refusedByServer(err):
		return Wrong, nil
	case !sent && strings.Contains(err.Error(), allTried):
		return NotOffered, nil
	case !sent:
		return NotSent, explain(ctx, t, nil, err)
	}
	return Lost, &cloud.Error{Kind: cloud.Unknown, Err: err,
		Message: fmt.Sprintf("ssh to %s (%s): a password was tried, and no answer came: %s", t.Name, place(t.Address, t.Port),
			reason(err, a.password))}
}
