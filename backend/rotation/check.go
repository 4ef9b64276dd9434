package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// checkTimeout bounds a look at a server, its command's way there and back included.
const checkTimeout = 3 * time.Minute

// check looks which password the server has, and records what that shows (rule 22). rec is the record with which it begins.
func (x *executor) check(ctx context.Context, e *entry, rec *Account, to session) error {
	look, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if !x.beginCheck(e, cancel) {
		return nil
	}
	made := protocol.CheckMade{Seen: rec, Place: to.Place}
	err := x.lookAtServer(look, e, to, &made)
	clock := x.clock.read()
	made.At, made.Latest = clock.Now, clock.Latest()
	stopped := look.Err() != nil && !errors.Is(look.Err(), context.DeadlineExceeded)
	x.endCheck(e)
	if stopped {
		return nil // the account has become due, or the node stops: nothing was seen
	}
	if cause := (*notStartedError)(nil); errors.As(err, &cause) {
		if protocol.IsNoChange(cause.err) {
			return nil
		}
		return cause.err
	}
	if err != nil {
		made.Unknown, made.Again = hint.Of(err), cloud.KindOf(err) == cloud.Throttled
	}
	next, err := x.update(ctx, e, made)
	if protocol.IsNoChange(err) {
		return nil
	}
	if err == nil {
		x.logCheck(next, rec.LastVersion)
	}
	return err
}

// beginCheck notes that the server is looked at, and how to end that. It is false if there is no such account any more.
func (x *executor) beginCheck(e *entry, cancel context.CancelFunc) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rec == nil {
		return false
	}
	e.check.held = x.opts.Now().Add(protocol.CheckInterval)
	e.check.cancel = cancel
	return true
}

func (x *executor) endCheck(e *entry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.check.cancel = nil
}

// lookAtServer asks the connection's check method. An error says why nothing was seen.
func (x *executor) lookAtServer(ctx context.Context, e *entry, to session, made *protocol.CheckMade) error {
	rec := made.Seen
	checker, err := to.checker(rec.Settings.CheckMethod)
	if err != nil {
		return err
	}
	if err := checker.CanCheck(rec.Facts.Instance(rec.InstanceID), rec.Username); err != nil {
		return err
	}
	traits := checker.CheckTraits(rec.Facts.Platform)
	made.Interval, made.Experimental = traits.Interval, traits.Experimental
	values := rec.CheckValues()
	if traits.Tries {
		if values, err = x.beginTry(ctx, e, to, traits, made); len(values) == 0 {
			return err
		}
	}
	found, err := checker.CheckPassword(ctx, cloud.PasswordCheck{InstanceID: rec.InstanceID, Username: rec.Username,
		Platform: rec.Facts.Platform, Address: rec.CheckAddress(), Port: rec.Settings.CheckPort, FirstUse: rec.Settings.CheckFirstUse,
		LoginWorked: rec.Checked().LoggedIn, Values: values})
	if traits.Direct {
		to.state.breaker.release()
	} else {
		to.state.breaker.reportCall(ctx, x.opts.Now(), err)
	}
	if traits.Tries && !found.Tried {
		made.Interval = 0
	}
	if made.Unended = traits.Tries && found.Tried && err != nil; err != nil {
		return err
	}
	if found.Match >= 0 && found.Match < len(values) {
		made.Match, made.LoggedIn = values[found.Match], traits.Direct
	}
	made.User = protocol.CheckResult(found.State)
	made.Detail = hint.Plain(text.Line(found.Detail, cloud.MaxText, values...))
	made.Unknown = hint.Plain(text.Line(found.Unknown, cloud.MaxText, values...))
	return nil
}

// notStartedError says that a try was not made, as it could not be stored before.
type notStartedError struct{ err error }

// Error implements error.
func (n *notStartedError) Error() string {
	return "the try of a password could not be stored: " + n.err.Error()
}

// Unwrap returns the cause.
func (n *notStartedError) Unwrap() error { return n.err }

// beginTry returns the one value for a method that logs in, after it has stored that it is tried: whatever crashes then, the next
// try keeps its distance. None: nothing is to be tried, and made says why, or the error.
func (x *executor) beginTry(ctx context.Context, e *entry, to session, traits cloud.CheckTraits, made *protocol.CheckMade) ([]string,
	error) {
	started := protocol.CheckStarted{Clock: x.clock.read(), Interval: traits.Interval, LongestTry: traits.LongestTry}
	value, early := made.Seen.TryValue()
	if value == "" || !made.Seen.Place.Same(to.Place) {
		made.Unknown, made.Early, made.Interval = protocol.NothingToTry(early), early, 0
		return nil, nil
	}
	next, err := x.update(context.WithoutCancel(ctx), e, started) // what ends the look is no reason to leave the write in doubt
	if err != nil {
		return nil, &notStartedError{err}
	}
	if again, _ := next.TryValue(); again != value {
		return nil, &notStartedError{protocol.ErrStale}
	}
	made.Only = value
	return []string{value}, nil
}

// logCheck is the line in the log for a check that has found something. before is the number of the last version before it.
func (x *executor) logCheck(a *Account, before int) {
	c := a.Checked()
	if a.LastVersion > before {
		x.logRotated(a)
	}
	switch {
	case a.Drifted():
		x.opts.Logger.Warn("the server has another password than Vault", "account", a.String(), "result", string(c.Result), "version", c.Version,
			"current_version", c.Of)
	case c.Result == protocol.CheckUnknown:
		x.opts.Logger.Debug("a check of the server's password could not tell", "account", a.String(), "reason", c.Reason.String())
	case c.User != "" && c.User != protocol.CheckLoginOff:
		x.opts.Logger.Warn("the server does not let the user log in with a password", "account", a.String(), "state", string(c.User),
			"reason", c.Reason.String())
	}
}

// checker returns one of the connection's check methods: the login is the engine's, all others are the provider's.
func (v *Connection) checker(method string) (cloud.PasswordChecker, error) {
	if method == cloud.CheckSSH && v.Login != nil {
		return v.Login, nil
	}
	if p, ok := v.Provider.(cloud.PasswordCheckers); ok {
		if c := p.Checker(method); c != nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("provider %s cannot look at passwords by the method %q", v.ProviderName, method)
}
