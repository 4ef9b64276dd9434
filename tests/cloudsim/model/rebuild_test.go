package model

import (
	"errors"
	"testing"
	"time"
)

// A server that is made again has new passwords and no users beside those of its image, and publishes the initial one as late as at
// its first boot.
func TestRebuiltServersStartAnew(t *testing.T) {
	bubble(t, func(t *testing.T, w *World) {
		w.AddAccount(Account{Cloud: OpenTelekomCloud, ID: "d1", Regions: []string{"eu-de"}})
		pair, _, err := w.CreateKeyPair(KeyPair{Cloud: OpenTelekomCloud, AccountID: "d1", Name: "ops"}, 2048)
		if err != nil {
			t.Fatal(err)
		}
		old, err := w.AddServer(Server{Cloud: OpenTelekomCloud, AccountID: "d1", Region: "eu-de", Platform: Windows, KeyName: pair.Name,
			ReadyAfter: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Hour)
		if err := w.SetLogin(old.ID, "operator", "By-hand-1"); err != nil {
			t.Fatal(err)
		}
		before, err := w.EncryptedPassword(old.ID)
		if err != nil || before == "" {
			t.Fatalf("the first password is %q, %v", before, err)
		}
		if err := w.Rebuild(old.ID, RebuildOptions{Image: "another"}); err != nil {
			t.Fatal(err)
		}
		s, _ := w.Server(old.ID)
		if s.ImageID != "another" || s.DiskID == old.DiskID || s.Created != old.Created || s.Launched.Sub(old.Launched) != time.Hour ||
			s.InitialPassword == old.InitialPassword {
			t.Errorf("before: %+v\nafter: %+v", old, s)
		}
		if w.TryLogin(s.ID, "Administrator", old.InitialPassword) || w.TryLogin(s.ID, "operator", "By-hand-1") {
			t.Error("an old password works")
		}
		if !w.TryLogin(s.ID, "Administrator", s.InitialPassword) {
			t.Error("the new password does not work")
		}
		if now, err := w.EncryptedPassword(s.ID); err != nil || now != "" {
			t.Errorf("just rebuilt, it shows %q, %v", now, err)
		}
		w.Advance(time.Minute)
		if now, err := w.EncryptedPassword(s.ID); err != nil || now == "" || now == before {
			t.Errorf("a minute later it shows %q, %v", now, err)
		}
		kept, _ := w.EncryptedPassword(s.ID)
		if err := w.Rebuild(s.ID, RebuildOptions{KeepSlot: true, Password: "Chosen-2"}); err != nil {
			t.Fatal(err)
		}
		if now, _ := w.EncryptedPassword(s.ID); now != kept || !w.TryLogin(s.ID, "Administrator", "Chosen-2") {
			t.Error("the slot did not keep the old password, or the new one is another")
		}
		if err := w.Rebuild("nobody", RebuildOptions{}); !errors.Is(err, ErrNoServer) {
			t.Errorf("a server that is not there: %v", err)
		}
		if err := w.Stop(s.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.Rebuild(s.ID, RebuildOptions{}); !errors.Is(err, ErrBusy) {
			t.Errorf("while it stops: %v", err)
		}
	})
}
