package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// ErrInterrupted says that a session was told to end before it began. It wraps context.Canceled.
var ErrInterrupted = fmt.Errorf("interrupted: %w", context.Canceled)

// slice is how long one request has Vault wait for a password: that long an interrupt may have to wait for the answer.
const slice = 5 * time.Second

// giveBackTime bounds the end of a session.
const giveBackTime = 20 * time.Second

// Reader reads a password under a lease.
type Reader struct {
	// Read asks Vault once, and has it wait that long.
	Read   func(ctx context.Context, wait time.Duration) (*engine.Password, error)
	Leases Leases
	// Wait is how long to ask again while no password can be handed out.
	Wait time.Duration
	// Say tells the person something.
	Say func(string)
}

// Password asks until there is a password, or Wait is over. If a signal comes, it asks no more, but hears the answer that is on its way: a
// lease that Vault has made by then is given back. The error is ErrInterrupted then. A second signal, if it is Ctrl-C, leaves at once.
func (r Reader) Password(ends <-chan os.Signal) (*engine.Password, error) {
	type result struct {
		password *engine.Password
		err      error
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	answered := make(chan result, 1)
	go func() {
		p, err := r.ask(ctx, stop)
		answered <- result{p, err}
	}()
	select {
	case a := <-answered:
		return a.password, a.err
	case <-ends:
	}
	close(stop)
	r.Say("interrupted: waiting for Vault's answer, so that a lease that it makes is given back; Ctrl-C again: do not wait")
	for {
		select {
		case a := <-answered:
			if a.err != nil || a.password.LeaseID == "" {
				return nil, ErrInterrupted
			}
			return nil, errors.Join(ErrInterrupted, GiveBack(Hold(r.Leases, LeaseOf(a.password), func(string) {}), ends, r.Say))
		case s := <-ends:
			if s != os.Interrupt {
				continue // a terminal that is closed, or a service manager, says more than one thing
			}
			r.Say("not waited for: if Vault makes a lease, it ends by itself within its ttl")
			return nil, ErrInterrupted
		}
	}
}

func (r Reader) ask(ctx context.Context, stop <-chan struct{}) (*engine.Password, error) {
	end := time.Now().Add(r.Wait)
	told := ""
	for {
		asked := time.Now()
		p, err := r.Read(ctx, max(min(time.Until(end), slice), 0))
		if err == nil || !engine.IsUnavailable(err) {
			return p, err
		}
		pause := max(shortestPause-time.Since(asked), 0)
		if time.Until(end) <= pause {
			return nil, err
		}
		if told != err.Error() { // once for each reason
			told = err.Error()
			r.Say("waiting: " + told)
		}
		timer := time.NewTimer(pause)
		select {
		case <-stop:
			timer.Stop()
			return nil, ErrInterrupted
		case <-timer.C:
		}
		select {
		case <-stop:
			return nil, ErrInterrupted
		default:
		}
	}
}

// GiveBack gives a lease back, within a bounded time. Signals do not keep it from that, but for Ctrl-C, twice: whatever ends a session may
// say so more than once. Where it fails, it says until when the lease lives, and how to give it back.
func GiveBack(h *Held, ends <-chan os.Signal, say func(string)) error {
	ctx, cancel := context.WithTimeout(context.Background(), giveBackTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- h.GiveBack(ctx) }()
	var err error
	for warned, over := false, false; !over; {
		select {
		case err = <-done:
			over = true
		case s := <-ends:
			switch {
			case s != os.Interrupt:
			case !warned:
				warned = true
				say("giving the lease back; Ctrl-C again: leave it to its ttl")
			default:
				err, over = errors.New("interrupted"), true
			}
		}
	}
	if err == nil {
		return nil
	}
	say(fmt.Sprintf("the lease is not given back (%v); it ends by itself at %s at the latest", err, clock(h.Latest())))
	say("  try: cloudpw give " + h.lease.ID)
	return &NotGivenBackError{h.lease.ID, err}
}

// NotGivenBackError is a lease that outlives its session. It has been said.
type NotGivenBackError struct {
	LeaseID string
	Err     error
}

func (e *NotGivenBackError) Error() string {
	return fmt.Sprintf("lease %s is not given back: %v", e.LeaseID, e.Err)
}
func (e *NotGivenBackError) Unwrap() error { return e.Err }
