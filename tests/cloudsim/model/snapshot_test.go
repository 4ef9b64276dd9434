package model

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// A restored disk has the passwords of its time and no later ones, whether an administrator, the cloud or a command had
// set them before the snapshot or after it.
func TestRestoredSnapshotsForgetLaterCommands(t *testing.T) {
	byCommand := func(t *testing.T, w *World, s Server, name, secret string) {
		t.Helper()
		script, err := guest.Linux(guest.Change{Username: "ubuntu", Secret: secret, Order: 1, NotAfter: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		command(t, w, name, s.ID, script)
		ends(t, w, name, s.ID, CommandSucceeded)
	}
	byHand := func(t *testing.T, w *World, s Server, _, secret string) {
		t.Helper()
		if err := w.SetLogin(s.ID, "ubuntu", secret); err != nil {
			t.Fatal(err)
		}
	}
	type set func(*testing.T, *World, Server, string, string)
	for name, c := range map[string]struct{ before, after set }{
		"by hand, then by command":    {byHand, byCommand},
		"by command, then by command": {byCommand, byCommand},
		"by command, then by hand":    {byCommand, byHand},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *World) {
				s := tencent(t, w, StateRunning)
				c.before(t, w, s, "one", "before-1")
				taken, err := w.Snapshot(s.ID, "")
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // a snapshot may be restored again
					c.after(t, w, s, "two"+w.random(base36, 4), "after-2")
					if !w.TryLogin(s.ID, "ubuntu", "after-2") || w.TryLogin(s.ID, "ubuntu", "before-1") {
						t.Fatal("the second password was not set")
					}
					if err := w.RestoreSnapshot(s.ID, taken.ID); err != nil {
						t.Fatal(err)
					}
					if !w.TryLogin(s.ID, "ubuntu", "before-1") || w.TryLogin(s.ID, "ubuntu", "after-2") {
						t.Error("the restored server does not have the password of its snapshot, or has a later one")
					}
				}
			})
		})
	}
}

// The key pair of a Windows server is on its disk, too.
func TestRestoredSnapshotsHaveTheKeyOfTheirTime(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		s := windows(t, w)
		taken, err := w.Snapshot(s.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		command(t, w, "prepare", s.ID, guest.WindowsPrepare())
		ends(t, w, "prepare", s.ID, CommandSucceeded)
		if w.servers[s.ID].guestKey == nil {
			t.Fatal("no key pair was made")
		}
		if err := w.RestoreSnapshot(s.ID, taken.ID); err != nil {
			t.Fatal(err)
		}
		if w.servers[s.ID].guestKey != nil {
			t.Error("the restored server has a key pair of a later time")
		}
	})
}
