package sshclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// stage is how far a connection came.
type stage int

const (
	stageConnect  stage = iota // no TCP connection
	stageExchange              // before a host key was shown
	stageHostKey               // the host key
	stageAuth                  // the host is the right one
)

// stageError says at which stage a hop failed.
type stageError struct {
	stage stage
	err   error
}

func (e *stageError) Error() string { return e.err.Error() }

func (e *stageError) Unwrap() error { return e.err }

// maxReason bounds what a message repeats of a foreign reason, in characters.
const maxReason = 200

// refusal makes the error of a connection that was not made: nothing was done on the server.
func refusal(t Target, h hint.Hint, cause error, format string, args ...any) *cloud.Error {
	message := fmt.Sprintf("ssh to %s (%s): ", t.Name, place(t.Address, t.Port)) + fmt.Sprintf(format, args...)
	return &cloud.Error{Kind: cloud.Refused, Message: message, Hint: h, Err: cause}
}

// abandoned is the error of a call whose caller has gone before anything was sent.
func abandoned(t Target, cause error) *cloud.Error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: fmt.Sprintf("ssh to %s: abandoned before anything was sent", t.Name), Err: cause}
}

func unreachable(t Target, err error) *cloud.Error {
	return refusal(t, hint.Hint{}, err, "cannot be reached: %s", reason(err))
}

// explain makes the error of a login at the server itself.
func explain(ctx context.Context, t Target, signers []ssh.Signer, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return abandoned(t, err)
	}
	key := hint.New("write", "host-key/"+t.Name, "host_key="+hint.File("host_key"))
	var wrong *hostKeyError
	if errors.As(err, &wrong) {
		switch {
		case wrong.err != nil:
			e := refusal(t, hint.Hint{}, err, "the host key that it shows (%s) was not pinned: %s", wrong.shown,
				text.Line(wrong.err.Error(), 2*maxReason))
			if cause := cloud.AsError(wrong.err); cause != nil {
				e.Hint = cause.Hint
			}
			return e
		default:
			return refusal(t, key, err, "it shows the host key %s, and pinned is %s, so nothing was sent to it: it is another server, or somebody "+
				"is in between, or its key was replaced; if it is the right one, give its new key: %s", wrong.shown, wrong.pinned, key)
		}
	}
	if errors.Is(err, errNoHostKey) {
		return refusal(t, hint.Hint{}, err, "no host key is pinned, so nothing is sent to it; write host_key to hosts/%s, or allow "+
			"trust_on_first_use there", t.Name)
	}
	if e := differentType(t, key, err); e != nil {
		return e
	}
	switch at := stageOf(err); at {
	case stageConnect:
		return unreachable(t, err)
	case stageExchange:
		return refusal(t, hint.Hint{}, err, "no SSH connection: %s", exchangeReason(err))
	case stageHostKey:
		return refusal(t, key, err, "%s; give another one: %s", reason(err), key)
	}
	return refusal(t, hint.Hint{}, err, "%s", authReason(t.User, signers, err))
}

// differentType is the error of a server that has no host key of the pinned one's type any more; nil of any other.
func differentType(t Target, key hint.Hint, err error) error {
	var none *ssh.AlgorithmNegotiationError
	if !errors.As(err, &none) {
		return nil
	}
	theirs := text.Line(strings.Join(none.RequestedAlgorithms, ", "), maxReason)
	if none.What != "host key" {
		return refusal(t, hint.Hint{}, err, "no common %s: the server offers %s; update its sshd", text.Line(none.What, maxReason), theirs)
	}
	pinned := "none is pinned yet"
	if t.HostKey != "" {
		pinned = "pinned is " + Fingerprint(t.HostKey) + ", of the type " + strings.Fields(t.HostKey)[0]
	}
	return refusal(t, key, err, "it shows no host key of the pinned type, so nothing was sent to it: it offers %s, and %s; if it is the "+
		"right server, give its new key: %s", theirs, pinned, key)
}

// explainJump makes the error of a login at the jump host. No host of the connection can be reached without it.
func explainJump(ctx context.Context, t Target, signers []ssh.Signer, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return abandoned(t, err)
	}
	at := fmt.Sprintf("ssh to %s: the jump host %s ", t.Name, place(t.Jump.Address, t.Jump.Port))
	unavailable := func(format string, args ...any) error {
		return &cloud.Error{Kind: cloud.Unavailable, Message: at + fmt.Sprintf(format, args...), Err: err}
	}
	var wrong *hostKeyError
	var none *ssh.AlgorithmNegotiationError
	switch {
	case errors.As(err, &wrong):
		return unavailable("shows the host key %s, and proxy_jump_host_key is %s, so nothing was sent to it; if it is the right one, write its "+
			"new key to the connection", wrong.shown, wrong.pinned)
	case errors.As(err, &none):
		return unavailable("has no %s in common with us: it offers %s; if it is the right one, compare proxy_jump_host_key with its keys",
			text.Line(none.What, maxReason), text.Line(strings.Join(none.RequestedAlgorithms, ", "), maxReason))
	}
	switch stageOf(err) {
	case stageConnect:
		return unavailable("cannot be reached: %s", reason(err))
	case stageExchange:
		return unavailable("made no SSH connection: %s", exchangeReason(err))
	case stageHostKey:
		return unavailable("is not trusted: %s", reason(err))
	}
	return unavailable("%s", authReason(t.Jump.User, signers, err))
}

// explainBehind makes the error of a jump host that did not connect to the server.
func explainBehind(ctx context.Context, t Target, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return abandoned(t, err)
	}
	var refused *ssh.OpenChannelError
	by := place(t.Jump.Address, t.Jump.Port)
	switch {
	case errors.As(err, &refused) && refused.Reason == ssh.Prohibited:
		return refusal(t, hint.Hint{}, err, "the jump host %s does not pass connections on to it (AllowTcpForwarding, PermitOpen, or restrict "+
			"in authorized_keys)", by)
	case errors.As(err, &refused):
		return refusal(t, hint.Hint{}, err, "cannot be reached from the jump host %s: %s", by, text.Line(refused.Message, maxReason))
	case errors.Is(err, context.DeadlineExceeded):
		return refusal(t, hint.Hint{}, err, "the jump host %s got no connection to it in time", by)
	}
	return &cloud.Error{Kind: cloud.Unavailable, Err: err,
		Message: fmt.Sprintf("ssh to %s: the jump host %s ended the connection: %s", t.Name, by, reason(err))}
}

func stageOf(err error) stage {
	var s *stageError
	if errors.As(err, &s) {
		return s.stage
	}
	return stageAuth
}

// exchangeReason says why there was no key exchange.
func exchangeReason(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "the connection was closed before the key exchange (too many connections at once, see MaxStartups and PerSourcePenalties of " +
			"its sshd, or a filter in between)"
	case strings.Contains(err.Error(), "version string"):
		return "what answers at that port is no SSH server"
	}
	return reason(err)
}

// authReason says why nobody was let in.
func authReason(user string, signers []ssh.Signer, err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the login was not finished in time; see request_timeout of the connection"
	case !refusedByServer(err):
		return "the connection ended while " + text.Line(user, maxReason) + " logged in: " + reason(err)
	case len(signers) == 0:
		return "the server lets nobody in without a key"
	}
	keys := make([]string, len(signers))
	for i, s := range signers {
		keys[i] = s.PublicKey().Type() + " " + ssh.FingerprintSHA256(s.PublicKey())
	}
	return fmt.Sprintf("the server did not let %s in with the connection's key (%s); add its public_key, as reading the connection shows it, "+
		"to ~%s/.ssh/authorized_keys there, and see that the file belongs to that user and that sshd's log names no other reason",
		text.Line(user, maxReason), strings.Join(keys, ", "), text.Line(user, maxReason))
}

// reason is the innermost cause in words, without addresses that the message has already, and without the secrets: a server may repeat
// what it was sent.
func reason(err error, secrets ...string) string {
	var dns *net.DNSError
	var op *net.OpError
	var number syscall.Errno
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return "no answer in time; see request_timeout of the connection"
	case errors.As(err, &dns):
		return "its name cannot be resolved"
	case errors.Is(err, io.EOF):
		return "the connection was closed"
	case errors.Is(err, errNotAllowed):
		return text.Line(err.Error(), maxReason, secrets...)
	case errors.As(err, &number):
		return text.Line(number.Error(), maxReason, secrets...)
	case errors.As(err, &op) && op.Err != nil:
		return text.Line(op.Err.Error(), maxReason, secrets...)
	}
	return text.Line(strings.TrimPrefix(err.Error(), "ssh: "), maxReason, secrets...)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
