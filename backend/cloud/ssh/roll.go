package ssh

import (
	"bytes"
	"context"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// The replacement of the connection's key pair. A new key is of no use before a host lets it in, and the old one must be let in nowhere
// in the end. Of each host it takes these steps; whatever is cut off, what is stored has a way in, and the next try goes on from what
// the host shows:
//
//	what is stored (config/)          the host lets in    what comes next
//	1  old key                        old                 CreateCredential makes the new key; it asks no host
//	2  old; new beside it             old                 prove: the new line is added on one host, by the old key
//	3  old; new beside it             old and new         prove: a login there with the new key; its failure takes the line away again
//	4  new, old as the previous one   old                 roll: as 2, of each other host
//	5  new, old as the previous one   old and new         roll: as 3; then the old line is removed, by the new key's session
//	6  new, old as the previous one   new                 roll: a login that offers the old key first, and that only the new one opens
//	7  new key                        new                 nothing
//
// In 2 and 3 the old key is never removed, since a rotation that is given up keeps it. In 4 to 6 each session offers both. Step 7 is
// stored once all hosts were in 6. A line is removed only under a lock on ~/.ssh, while the line of the other key is there, so two of
// these at once cannot remove both.

// session is a login at a host; *sshclient.Client is one.
type session interface {
	Signer() ssh.Signer
	Run(ctx context.Context, command string, input []byte) (sshclient.Result, error)
	Close()
}

// spot is a place where the key has to be let in: a host, or the jump host on the way to all others.
type spot struct {
	name     string
	isJump   bool
	serial   string // another one if another server takes the name
	platform cloud.Platform
	target   sshclient.Target
}

// roller brings the connection's key to its spots, in place of the one before.
type roller struct {
	login func(ctx context.Context, s spot, signers ...ssh.Signer) (session, error)
	now   ssh.Signer
	// before is the key that is replaced; nil: none is.
	before ssh.Signer

	mu sync.Mutex
	// done are the spots that are rolled, by name, with their serials; failed those that were not, when last tried.
	done   map[string]string
	failed map[string]bool
}

// signers are what a session offers.
func (r *roller) signers() []ssh.Signer {
	if r.before == nil {
		return []ssh.Signer{r.now}
	}
	return []ssh.Signer{r.now, r.before}
}

// isBefore reports whether the key that is replaced has let a session in.
func (r *roller) isBefore(s session) bool { return r.before != nil && sameKey(s.Signer(), r.before) }

func sameKey(a, b ssh.Signer) bool {
	return a != nil && b != nil && bytes.Equal(a.PublicKey().Marshal(), b.PublicKey().Marshal())
}

// prove logs in at a spot with the present key. Where only the one before is let in, it adds the present one. It never removes any.
func (r *roller) prove(ctx context.Context, at spot) error {
	s, err := r.login(ctx, at, r.signers()...)
	if err != nil {
		return err
	}
	defer s.Close()
	if !r.isBefore(s) {
		return nil
	}
	n, err := r.install(ctx, at, s)
	if err != nil {
		return err
	}
	n.Close()
	return nil
}

// roll has a spot let in the present key, and the one before no more. The key before is offered first: only where it is refused, the
// spot is rolled.
func (r *roller) roll(ctx context.Context, at spot) error {
	first, cancel := r.firstTry(ctx, at)
	s, err := r.login(first, at, r.before, r.now)
	cancel()
	if err != nil {
		return err
	}
	defer s.Close()
	if r.isBefore(s) {
		if err := r.replace(ctx, at, s); err != nil {
			return err
		}
	}
	r.note(at, nil)
	return nil
}

// firstTry bounds the login at a spot that has not failed yet.
func (r *roller) firstTry(ctx context.Context, at spot) (context.Context, context.CancelFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed[at.name] {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, firstLogin)
}

// follow rolls the spot of a session, after that session's own work, if the key before has opened it. What fails is done again later.
func (r *roller) follow(ctx context.Context, at spot, s session) {
	if r.isBefore(s) {
		r.note(at, r.replace(ctx, at, s))
	}
}

// replace adds the present key by a session that the key before has opened, logs in with it, and removes the one before.
func (r *roller) replace(ctx context.Context, at spot, s session) error {
	n, err := r.install(ctx, at, s)
	if err != nil {
		return err
	}
	defer n.Close()
	if err := r.run(ctx, at, n, rollText(dropOld, r.before.PublicKey(), r.now.PublicKey())); err != nil {
		return err
	}
	last, err := r.login(ctx, at, r.before, r.now)
	if err != nil {
		return err
	}
	defer last.Close()
	if r.isBefore(last) {
		return cloud.Errorf(cloud.Refused, "%s still lets in the previous key %s, which is in no line of ~/.ssh/authorized_keys any more; "+
			"remove it where else sshd finds it (AuthorizedKeysFile, AuthorizedKeysCommand)", at.name,
			ssh.FingerprintSHA256(r.before.PublicKey()))
	}
	return nil
}

// install adds the present key and logs in with it. Where that fails, the line is removed again.
func (r *roller) install(ctx context.Context, at spot, s session) (session, error) {
	before, now := r.before.PublicKey(), r.now.PublicKey()
	if at.platform == cloud.Windows {
		return nil, cloud.Errorf(cloud.Refused, "%s lets in only the previous key, and the key files of Windows are not changed by Vault; %s",
			at.name, byHand(before, now))
	}
	if err := r.run(ctx, at, s, rollText(addNew, before, now)); err != nil {
		return nil, err
	}
	n, err := r.login(ctx, at, r.now)
	if err == nil {
		return n, nil
	}
	// The two keys change places: the new line goes, if the old one is still there.
	if undo := r.run(ctx, at, s, rollText(dropOld, now, before)); undo != nil {
		return nil, cloud.Errorf(cloud.KindOf(err), "%v; the line of the new key stays in ~/.ssh/authorized_keys (%v)", err, undo)
	}
	return nil, err
}

// run runs the script in a session.
func (r *roller) run(ctx context.Context, at spot, s session, script []byte) error {
	result, err := s.Run(ctx, shell, script)
	if err != nil {
		return err
	}
	if err := rollOutcome(result); err != nil {
		return cloud.Errorf(cloud.KindOf(err), "%s: %v; repair that, or do it %s", at.name, err,
			byHand(r.before.PublicKey(), r.now.PublicKey()))
	}
	return nil
}

// note remembers what became of a spot.
func (r *roller) note(at spot, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if r.failed == nil {
			r.failed = map[string]bool{}
		}
		r.failed[at.name] = true
		return
	}
	if r.done == nil {
		r.done = map[string]string{}
	}
	r.done[at.name] = at.serial
	delete(r.failed, at.name)
}

// remaining are those of some spots that are not known to be rolled, those that failed before last.
func (r *roller) remaining(all []spot) []spot {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first, last []spot
	for _, s := range all {
		serial, done := r.done[s.name]
		switch {
		case done && serial == s.serial:
		case r.failed[s.name]:
			last = append(last, s)
		default:
			first = append(first, s)
		}
	}
	return append(first, last...)
}
