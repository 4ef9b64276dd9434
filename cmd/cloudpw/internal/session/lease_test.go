package session

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// vault is a Vault with one lease, in the time of a bubble.
type vault struct {
	mu      sync.Mutex
	until   time.Time
	most    time.Time // no renewal goes beyond; zero: any
	err     error     // of renewals
	backErr error     // of giving back
	renewed []time.Time
	back    int
	hang    bool          // renewals answer only when their context ends
	slow    time.Duration // that giving back takes
}

func newVault(ttl time.Duration) *vault { return &vault{until: time.Now().Add(ttl)} }

func (v *vault) Renew(ctx context.Context, _ string, increment time.Duration) (time.Duration, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.renewed = append(v.renewed, time.Now())
	switch {
	case v.hang:
		v.mu.Unlock()
		<-ctx.Done()
		v.mu.Lock()
		return 0, &engine.Error{Err: ctx.Err()}
	case v.err != nil:
		return 0, v.err
	}
	v.until = time.Now().Add(increment)
	if !v.most.IsZero() && v.until.After(v.most) {
		v.until = v.most
	}
	return time.Until(v.until), nil
}

func (v *vault) GiveBack(ctx context.Context, _ string) error {
	select {
	case <-time.After(v.slow):
	case <-ctx.Done():
		return ctx.Err()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.back++
	return v.backErr
}

func (v *vault) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
}

// said gathers what a person is told.
type said struct {
	mu    sync.Mutex
	texts []string
}

func (s *said) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, text)
}

func (s *said) count(part string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, text := range s.texts {
		if strings.Contains(text, part) {
			n++
		}
	}
	return n
}

const ttl = 10 * time.Minute

// pass lets time pass.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
	synctest.Wait()
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestALeaseIsRenewedAtHalfOfItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, s := newVault(ttl), &said{}
		begun := time.Now()
		h := Hold(v, Lease{"a", ttl, true}, s.say)
		pass(t, 8*time.Hour)
		if closed(h.Ended()) || len(s.texts) > 0 {
			t.Fatalf("after 8 hours: ended %v, said %q", closed(h.Ended()), s.texts)
		}
		for i, at := range v.renewed {
			if want := begun.Add(time.Duration(i+1) * ttl / 2); !at.Equal(want) {
				t.Fatalf("renewal %d after %s, want %s", i, at.Sub(begun), want.Sub(begun))
			}
		}
		if left := time.Until(h.Until()); left < ttl/2 || left > ttl {
			t.Errorf("%s are left, want at most the ttl", left)
		}
		if err := h.GiveBack(t.Context()); err != nil || v.back != 1 {
			t.Errorf("given back %d times: %v", v.back, err)
		}
		renewed := len(v.renewed)
		pass(t, time.Hour)
		if len(v.renewed) != renewed {
			t.Error("it is renewed after it was given back")
		}
	})
}

func TestALeaseEndsAtItsMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, s := newVault(ttl), &said{}
		v.most = time.Now().Add(25 * time.Minute)
		h := Hold(v, Lease{"a", ttl, true}, s.say)
		pass(t, 25*time.Minute-time.Second)
		if closed(h.Ended()) || s.count("cannot last longer") != 1 {
			t.Errorf("before the end: ended %v, said %q", closed(h.Ended()), s.texts)
		}
		if n := len(v.renewed); n > 6 {
			t.Errorf("%d renewals that could gain nothing", n)
		}
		pass(t, 2*time.Second)
		if !closed(h.Ended()) || s.count("has ended") != 1 {
			t.Errorf("after the end: ended %v, said %q", closed(h.Ended()), s.texts)
		}
		if err := h.GiveBack(t.Context()); err != nil || v.back != 0 {
			t.Errorf("after its end it was given back %d times: %v", v.back, err)
		}
	})
}

func TestALostVault(t *testing.T) {
	away := &engine.Error{Err: errors.New("connection refused")}
	t.Run("comes back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v, s := newVault(ttl), &said{}
			v.fail(away)
			h := Hold(v, Lease{"a", ttl, true}, s.say)
			defer h.Keep()
			pass(t, ttl*3/4)
			v.fail(nil)
			pass(t, time.Hour)
			if closed(h.Ended()) || s.count("not renewed") != 1 || len(s.texts) != 1 {
				t.Errorf("ended %v, said %q", closed(h.Ended()), s.texts)
			}
		})
	})
	t.Run("stays away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v, s := newVault(ttl), &said{}
			v.fail(away)
			h := Hold(v, Lease{"a", ttl, true}, s.say)
			pass(t, ttl+time.Second)
			if !closed(h.Ended()) || len(s.texts) != 2 {
				t.Errorf("ended %v, said %q", closed(h.Ended()), s.texts)
			}
			// A renewal may have reached Vault and its answer not us: the lease may live on, and is given back.
			if !h.Latest().After(time.Now()) {
				t.Error("it knows that the lease has ended, and cannot know")
			}
			if err := h.GiveBack(t.Context()); err != nil || v.back != 1 {
				t.Errorf("given back %d times: %v", v.back, err)
			}
		})
	})
	t.Run("knows the lease no more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v, s := newVault(ttl), &said{}
			v.fail(&engine.Error{Status: http.StatusBadRequest, Messages: []string{"lease not found"}})
			h := Hold(v, Lease{"a", ttl, true}, s.say)
			pass(t, ttl/2+time.Second)
			if !closed(h.Ended()) || s.count("before its time (lease not found)") != 1 {
				t.Errorf("ended %v, said %q", closed(h.Ended()), s.texts)
			}
		})
	})
	t.Run("forbids renewals", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v, s := newVault(ttl), &said{}
			v.fail(&engine.Error{Status: http.StatusForbidden, Messages: []string{"permission denied"}})
			h := Hold(v, Lease{"a", ttl, true}, s.say)
			pass(t, ttl+time.Second)
			if !closed(h.Ended()) || h.Latest().After(time.Now()) {
				t.Error("a renewal that was refused has prolonged the lease")
			}
		})
	})
	t.Run("does not answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v, s := newVault(ttl), &said{}
			v.hang = true
			h := Hold(v, Lease{"a", ttl, true}, s.say)
			pass(t, ttl/2+time.Second)
			before := time.Now()
			if err := h.GiveBack(t.Context()); err != nil || v.back != 1 {
				t.Errorf("given back %d times: %v", v.back, err)
			}
			if time.Since(before) > time.Second {
				t.Error("giving back waits for a renewal")
			}
		})
	})
}

func TestWithoutALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, s := newVault(ttl), &said{}
		h := Hold(v, Lease{}, s.say)
		pass(t, time.Hour)
		if err := h.GiveBack(t.Context()); err != nil || v.back+len(v.renewed)+len(s.texts) != 0 || closed(h.Ended()) {
			t.Errorf("%d renewals, %d times given back, said %q: %v", len(v.renewed), v.back, s.texts, err)
		}
	})
}

func TestALeaseThatCannotBeRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, s := newVault(ttl), &said{}
		h := Hold(v, Lease{"a", ttl, false}, s.say)
		pass(t, ttl+time.Second)
		if !closed(h.Ended()) || len(v.renewed) != 0 {
			t.Errorf("ended %v, %d renewals", closed(h.Ended()), len(v.renewed))
		}
	})
}

func TestALeaseThatIsNotGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, s := newVault(ttl), &said{}
		v.backErr = errors.New("connection refused")
		h := Hold(v, Lease{"cloudpw/creds/web/a", ttl, true}, s.say)
		err := GiveBack(h, nil, s.say)
		var not *NotGivenBackError
		if !errors.As(err, &not) || s.count("connection refused") != 1 || s.count(clock(h.Latest())) != 1 ||
			s.count("try: cloudpw give cloudpw/creds/web/a") != 1 {
			t.Errorf("%v, said %q", err, s.texts)
		}
	})
}

// TestSignalsWhileALeaseIsGivenBack: only Ctrl-C, twice, leaves it.
func TestSignalsWhileALeaseIsGivenBack(t *testing.T) {
	for name, c := range map[string]struct {
		signals []os.Signal
		back    int
	}{
		"a closed terminal": {[]os.Signal{syscall.SIGHUP, syscall.SIGHUP, syscall.SIGTERM}, 1},
		"Ctrl-C":            {[]os.Signal{os.Interrupt}, 1},
		"Ctrl-C, twice":     {[]os.Signal{os.Interrupt, os.Interrupt}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, s := newVault(ttl), &said{}
				v.slow = 5 * time.Second
				h := Hold(v, Lease{"a", ttl, true}, s.say)
				ends := make(chan os.Signal, len(c.signals))
				for _, signal := range c.signals {
					ends <- signal
				}
				if err := GiveBack(h, ends, s.say); (err == nil) != (c.back == 1) || v.back != c.back {
					t.Errorf("given back %d times, want %d: %v", v.back, c.back, err)
				}
				pass(t, time.Minute) // what was left behind ends
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		v, s := newVault(ttl), &said{}
		v.slow = time.Hour
		h := Hold(v, Lease{"a", ttl, true}, s.say)
		begun := time.Now()
		if err := GiveBack(h, nil, s.say); err == nil || time.Since(begun) != giveBackTime {
			t.Errorf("it gives up after %s: %v", time.Since(begun), err)
		}
	})
}

// reader is one that gets these answers in turn, the last again and again.
func reader(v *vault, s *said, answers ...error) (r Reader, asked *int) {
	asked = new(int)
	return Reader{
		Leases: v, Wait: time.Minute, Say: s.say,
		Read: func(ctx context.Context, wait time.Duration) (*engine.Password, error) {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			err := answers[min(*asked, len(answers)-1)]
			*asked++
			if err != nil {
				return nil, err
			}
			return &engine.Password{Value: engine.NewSecret("x"), LeaseID: "a", LeaseDuration: ttl, Renewable: true}, nil
		},
	}, asked
}

var unavailable = &engine.Error{Status: http.StatusServiceUnavailable, Messages: []string{"rotating"}}

func TestThePasswordIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &said{}
		r, asked := reader(newVault(ttl), s, unavailable, unavailable, nil)
		if p, err := r.Password(nil); err != nil || p.LeaseID != "a" || *asked != 3 || s.count("waiting: rotating") != 1 {
			t.Errorf("%v, %v, asked %d times, said %q", p, err, *asked, s.texts)
		}
		r, _ = reader(newVault(ttl), s, unavailable)
		begun := time.Now()
		if _, err := r.Password(nil); !engine.IsUnavailable(err) || time.Since(begun) > r.Wait || time.Since(begun) < r.Wait-slice {
			t.Errorf("%v after %s, want the reason after %s", err, time.Since(begun), r.Wait)
		}
		r, asked = reader(newVault(ttl), s, &engine.Error{Status: http.StatusForbidden})
		if _, err := r.Password(nil); !engine.IsDenied(err) || *asked != 1 {
			t.Errorf("%v, asked %d times", err, *asked)
		}
	})
}

func TestAnInterruptWhileThePasswordIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		answers []error
		back    int
	}{
		"and then comes the lease": {[]error{nil}, 1},
		"and then comes none":      {[]error{unavailable, nil}, 0},
		"and then an error":        {[]error{&engine.Error{Status: http.StatusForbidden}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, s := newVault(ttl), &said{}
				r, asked := reader(v, s, c.answers...)
				ends := make(chan os.Signal, 1)
				time.AfterFunc(time.Second, func() { ends <- os.Interrupt })
				if _, err := r.Password(ends); !errors.Is(err, ErrInterrupted) {
					t.Errorf("%v, want %v", err, ErrInterrupted)
				}
				if v.back != c.back || *asked != 1 {
					t.Errorf("given back %d times, want %d; asked %d times, want once", v.back, c.back, *asked)
				}
			})
		})
	}
}

func TestASecondInterruptDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, s := newVault(ttl), &said{}
		r, _ := reader(v, s, nil)
		ends := make(chan os.Signal, 1)
		begun := time.Now()
		time.AfterFunc(time.Second, func() { ends <- os.Interrupt })
		time.AfterFunc(1500*time.Millisecond, func() { ends <- syscall.SIGHUP })
		time.AfterFunc(2*time.Second, func() { ends <- os.Interrupt })
		if _, err := r.Password(ends); !errors.Is(err, ErrInterrupted) || time.Since(begun) != 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		if s.count("ends by itself") != 1 {
			t.Errorf("said %q", s.texts)
		}
	})
}
