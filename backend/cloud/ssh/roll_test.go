package ssh

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/keyhost"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// isRolled checks that a host lets in the new key, and the old one no more.
func isRolled(t *testing.T, h *keyhost.Host, before, now ssh.Signer) {
	t.Helper()
	if h.LetsIn(before.PublicKey()) || !h.LetsIn(now.PublicKey()) {
		t.Errorf("%s lets in the old key: %v, the new one: %v", h.Name, h.LetsIn(before.PublicKey()), h.LetsIn(now.PublicKey()))
	}
}

func TestProveAddsTheKeyAndRemovesNone(t *testing.T) {
	before, now := sshserver.NewKey(t), sshserver.NewKey(t)
	h := keyhost.Start(t, "web-1", before)
	r := newRoller(before, now)
	for range 2 {
		if err := r.prove(t.Context(), spotOf(h)); err != nil {
			t.Fatal(err)
		}
		if !h.LetsIn(before.PublicKey()) || !h.LetsIn(now.PublicKey()) {
			t.Fatalf("after prove the file is %q", h.Read(t))
		}
	}
	if left := len(r.remaining([]spot{spotOf(h)})); left != 1 {
		t.Error("a host that is only proven counts as rolled")
	}
}

// A new key that the host does not let in, though the line is there: the line goes again, and the old key stays.
func TestProveTakesBackALineOfNoUse(t *testing.T) {
	before, now := sshserver.NewKey(t), sshserver.NewKey(t)
	h := keyhost.Start(t, "web-1", before)
	h.Set(func(h *keyhost.Host) { h.Ignores = now.PublicKey() })
	err := newRoller(before, now).prove(t.Context(), spotOf(h))
	if cloud.KindOf(err) != cloud.Refused || h.Read(t) != keyhost.Lines(before) {
		t.Errorf("%v, the file is %q", err, h.Read(t))
	}
}

func TestRoll(t *testing.T) {
	before, now, other := sshserver.NewKey(t), sshserver.NewKey(t), sshserver.NewKey(t)
	for name, c := range map[string]struct {
		keys   []ssh.Signer
		logins int
	}{
		"old only":           {[]ssh.Signer{other, before}, 3},
		"both":               {[]ssh.Signer{before, now}, 3},
		"new only":           {[]ssh.Signer{other, now}, 1},
		"by hand, meanwhile": {[]ssh.Signer{now, before, before}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			h := keyhost.Start(t, "web-1", c.keys...)
			r := newRoller(before, now)
			if err := r.roll(t.Context(), spotOf(h)); err != nil {
				t.Fatal(err)
			}
			isRolled(t, h, before, now)
			if h.LetsIn(other.PublicKey()) != strings.Contains(keyhost.Lines(c.keys...), keyhost.Lines(other)) || h.Logins() != c.logins {
				t.Errorf("%d logins, want %d; the file is %q", h.Logins(), c.logins, h.Read(t))
			}
			if len(r.remaining([]spot{spotOf(h)})) != 0 {
				t.Error("the host is not known as rolled")
			}
			again := spotOf(h)
			again.serial = "another server"
			if len(r.remaining([]spot{again})) != 1 {
				t.Error("another server of the name counts as rolled")
			}
		})
	}
}

// What no script can change is said with the way out, and done by hand it counts.
func TestRollByHand(t *testing.T) {
	before, now := sshserver.NewKey(t), sshserver.NewKey(t)
	for name, c := range map[string]struct {
		prepare func(*keyhost.Host)
		says    string
	}{
		"no shell": {func(h *keyhost.Host) { h.NoShell = true }, "does the login user have a shell there?"},
		"a key file elsewhere": {func(h *keyhost.Host) { h.Elsewhere = []ssh.PublicKey{before.PublicKey()}; h.Home += "/none" },
			"no ~/.ssh/authorized_keys"},
	} {
		t.Run(name, func(t *testing.T) {
			h := keyhost.Start(t, "web-1", before)
			h.Set(c.prepare)
			r := newRoller(before, now)
			err := r.roll(t.Context(), spotOf(h))
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), authorizedKey(now.PublicKey())+" cloudpw") {
				t.Fatalf("%v does not say %q and the line to add", err, c.says)
			}
			h.Set(func(h *keyhost.Host) {
				h.Ignores, h.Elsewhere = before.PublicKey(), []ssh.PublicKey{now.PublicKey()}
			})
			if err := r.roll(t.Context(), spotOf(h)); err != nil {
				t.Errorf("done by hand: %v", err)
			}
		})
	}
	// A key that is let in by two files is gone only when both have lost it.
	h := keyhost.Start(t, "web-1", before)
	h.Set(func(h *keyhost.Host) { h.Elsewhere = []ssh.PublicKey{before.PublicKey()} })
	r := newRoller(before, now)
	err := r.roll(t.Context(), spotOf(h))
	if err == nil || !strings.Contains(err.Error(), "still lets in the previous key") || len(r.remaining([]spot{spotOf(h)})) != 1 {
		t.Errorf("%v", err)
	}
	h.Set(func(h *keyhost.Host) { h.Elsewhere = nil })
	if err := r.roll(t.Context(), spotOf(h)); err != nil {
		t.Error(err)
	}
	isRolled(t, h, before, now)
	// The key files of Windows are not touched.
	w := keyhost.Start(t, "win-1", before)
	at := spotOf(w)
	at.platform = cloud.Windows
	if err := r.roll(t.Context(), at); err == nil || !strings.Contains(err.Error(), "by hand") || w.Read(t) != keyhost.Lines(before) {
		t.Errorf("%v, the file is %q", err, w.Read(t))
	}
}

// An ordinary session brings the key along, once its own work is done, and no failure of that is its own.
func TestSessionsRollTheirHost(t *testing.T) {
	before, now := sshserver.NewKey(t), sshserver.NewKey(t)
	h, sick := keyhost.Start(t, "web-1", before), keyhost.Start(t, "web-2", before)
	sick.Set(func(h *keyhost.Host) { h.NoShell = true })
	r := newRoller(before, now)
	for _, at := range []spot{spotOf(h), spotOf(sick)} {
		for range 2 {
			s, err := r.login(t.Context(), at, r.signers()...)
			if err != nil {
				t.Fatal(err)
			}
			r.follow(t.Context(), at, s)
			s.Close()
		}
	}
	isRolled(t, h, before, now)
	if left := r.remaining([]spot{spotOf(h), spotOf(sick)}); len(left) != 1 || left[0].name != "web-2" || h.Logins() != 4 {
		t.Errorf("%d logins; there remain %v", h.Logins(), left)
	}
	// Without a roll there is nothing to follow.
	plain := newRoller(nil, now)
	s, err := plain.login(t.Context(), spotOf(h), plain.signers()...)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plain.follow(t.Context(), spotOf(h), s)
	if h.Logins() != 5 {
		t.Errorf("%d logins", h.Logins())
	}
}

// TestRollCutAnywhere: wherever a roll is cut, a key that is stored is let in, and the next roll ends. Before the new key is in use,
// the old one is let in throughout.
func TestRollCutAnywhere(t *testing.T) {
	before, now := sshserver.NewKey(t), sshserver.NewKey(t)
	for name, c := range map[string]struct {
		do    func(*roller, context.Context, spot) error
		quick bool
		step  int
	}{
		"prove":             {(*roller).prove, true, 211},
		"roll":              {(*roller).roll, true, 211},
		"prove, in a shell": {(*roller).prove, false, 1499},
		"roll, in a shell":  {(*roller).roll, false, 1499},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			step := c.step
			if !testing.Short() {
				step /= 10
			}
			h := keyhost.Start(t, "web-1", before)
			h.Set(func(h *keyhost.Host) { h.Quick = c.quick })
			cuts := 0
			for n := 0; ; n += step {
				h.Set(func(h *keyhost.Host) { h.Left = n })
				h.Write(t, keyhost.Lines(before), 0o600)
				r := newRoller(before, now)
				err := c.do(r, t.Context(), spotOf(h))
				quiet(t, h)
				in := h.LetsIn(before.PublicKey()) || h.LetsIn(now.PublicKey())
				if strings.HasPrefix(name, "prove") {
					in = h.LetsIn(before.PublicKey())
				}
				if !in {
					t.Fatalf("cut after %d bytes nothing is let in: %v, %q", n, err, h.Read(t))
				}
				h.Set(func(h *keyhost.Host) { h.Left = -1 })
				if again := r.roll(t.Context(), spotOf(h)); again != nil {
					t.Fatalf("cut after %d bytes, the next roll ends with: %v", n, again)
				}
				isRolled(t, h, before, now)
				if err == nil {
					break
				}
				cuts++
			}
			if cuts < 10 {
				t.Errorf("cut %d times only", cuts)
			}
		})
	}
}

// quiet waits until the host has run what it was given.
func quiet(t *testing.T, h *keyhost.Host) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for h.IsBusy() {
		if time.Now().After(deadline) {
			t.Fatal("a command does not end")
		}
		time.Sleep(time.Millisecond)
	}
}

// Two nodes that roll at once, to one key or to two, lock nobody out who has been let in.
func TestRollsAtOnce(t *testing.T) {
	before, a, b := sshserver.NewKey(t), sshserver.NewKey(t), sshserver.NewKey(t)
	for name, second := range map[string]ssh.Signer{"one key": a, "two keys": b} {
		t.Run(name, func(t *testing.T) {
			h := keyhost.Start(t, "web-1", before)
			rollers := []*roller{newRoller(before, a), newRoller(before, second)}
			var all sync.WaitGroup
			errs := make([]error, len(rollers))
			for i, r := range rollers {
				all.Go(func() { errs[i] = r.roll(t.Context(), spotOf(h)) })
			}
			all.Wait()
			if h.LetsIn(before.PublicKey()) {
				t.Errorf("%v: the old key is let in", errs)
			}
			in := 0
			for i, r := range rollers {
				if errs[i] == nil && !h.LetsIn(r.now.PublicKey()) {
					t.Errorf("roll %d ended well and its key is not let in: %q", i, h.Read(t))
				}
				if h.LetsIn(r.now.PublicKey()) {
					in++
				}
			}
			if in == 0 {
				t.Errorf("%v: no key is let in: %q", errs, h.Read(t))
			}
		})
	}
}

// One pass goes over all hosts: dead ones are counted and named, and do not keep it from the others; a pass that is too short goes on.
func TestRollAll(t *testing.T) {
	before, now := sshserver.NewKey(t), sshserver.NewKey(t)
	r := newRoller(before, now)
	hosts := map[string]*keyhost.Host{}
	var spots []spot
	for i := range 20 {
		h := keyhost.Start(t, fmt.Sprintf("web-%02d", i), before)
		h.Quick = true
		h.Dead = i%2 == 1
		hosts[h.Name] = h
		spots = append(spots, spotOf(h))
	}
	err := r.rollAll(t.Context(), spots, 4, time.Minute, atOnce)
	if cloud.KindOf(err) != cloud.NotReady {
		t.Fatalf("%v", err)
	}
	for _, says := range []string{"10 of 20 hosts are done", "10 could not be changed: web-01 (", "; web-07, web-09, web-11",
		"delete hosts/web-01"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	logins := hosts["web-00"].Logins()
	for name, h := range hosts {
		if !h.Dead {
			isRolled(t, h, before, now)
		}
		h.Set(func(h *keyhost.Host) { h.Dead = name == "web-19" })
	}
	// One was deleted from the inventory, and one is still dead.
	spots = append(spots[:3], spots[4:]...)
	err = r.rollAll(t.Context(), spots, 4, time.Minute, atOnce)
	if err == nil || !strings.Contains(err.Error(), "18 of 19 hosts are done") || hosts["web-00"].Logins() != logins {
		t.Errorf("%v; a host that was done had %d logins, then %d", err, logins, hosts["web-00"].Logins())
	}
	if !hosts["web-03"].LetsIn(before.PublicKey()) {
		t.Error("a host that is not in the inventory was changed")
	}
	hosts["web-19"].Set(func(h *keyhost.Host) { h.Dead = false })
	if err = r.rollAll(t.Context(), spots, 4, time.Minute, atOnce); err != nil {
		t.Error(err)
	}
	// No time at all.
	late := newRoller(before, now)
	err = late.rollAll(t.Context(), spots, 4, 0, atOnce)
	if cloud.KindOf(err) != cloud.NotReady ||
		!strings.Contains(err.Error(), "0 of 19 hosts are done with the previous key; 19 were not reached") {
		t.Errorf("%v", err)
	}
	if err := late.rollAll(t.Context(), nil, 4, time.Minute, atOnce); err != nil {
		t.Errorf("without hosts: %v", err)
	}
}

// atOnce is a turn that nobody waits for.
func atOnce(ctx context.Context, _ spot, do func(context.Context) error) error { return do(ctx) }

// Hosts that failed are tried after those that have not been.
func TestWhatFailedComesLast(t *testing.T) {
	r := newRoller(sshserver.NewKey(t), sshserver.NewKey(t))
	all := []spot{{name: "a"}, {name: "b"}, {name: "c"}}
	r.note(all[0], context.Canceled)
	r.note(all[1], nil)
	if got := fmt.Sprintf("%v", r.remaining(all)); got != fmt.Sprintf("%v", []spot{all[2], all[0]}) {
		t.Error(got)
	}
}
