package model

import (
	"cmp"
	"time"
)

// RebuildOptions say how a server is made again.
type RebuildOptions struct {
	// Image is the image of the new system disk; "" takes that of the old one.
	Image string `json:"image,omitempty"`
	// Password is what the guest makes at the new first boot; "" makes one.
	Password string `json:"password,omitempty"`
	// ReadyAfter is how long the guest then takes to publish it; 0: as long as at the first boot.
	ReadyAfter time.Duration `json:"ready_after,omitempty"`
	// KeepSlot leaves the cloud's copy of the initial password as it was: a slot that is not empty may refuse the new one.
	KeepSlot bool `json:"keep_slot,omitempty"`
}

// Rebuild gives a server a new system disk under its old id, at once: all passwords in it are new, also in a guest whose cloud
// publishes none; users that the image does not have are gone, and so is what commands have left there. It ends the scripts that
// run, and refuses while an operation does.
func (w *World) Rebuild(id string, o RebuildOptions) error {
	var refused error
	err := w.change(id, func(s *server) {
		switch {
		case s.op != nil:
			refused = &RefusedError{ServerID: id, State: s.State, Err: ErrBusy}
		case s.State == StateTerminated:
			refused = &RefusedError{ServerID: id, State: s.State, Err: ErrState}
		default:
			refused = w.rebuild(s, o)
		}
	})
	return cmp.Or(err, refused)
}

func (w *World) rebuild(s *server, o RebuildOptions) error {
	for _, i := range w.invocations {
		if i.server == s && i.State == CommandRunning {
			w.finish(i, CommandTerminated)
		}
	}
	fresh := s.clone()
	fresh.ImageID, fresh.DiskID = cmp.Or(o.Image, s.ImageID), w.uuid()
	fresh.InitialPassword, fresh.Logins = cmp.Or(o.Password, w.initialPassword()), nil
	fresh.Launched, fresh.Started, fresh.ReadyAfter = w.now(), w.now(), cmp.Or(o.ReadyAfter, s.ReadyAfter)
	fresh.Hashes, fresh.Orders, fresh.WrongTries = nil, nil, nil
	fresh.Guest.Locked, fresh.Guest.Expired, fresh.Guest.Disabled = nil, nil, nil
	fresh.Cleared, fresh.Ciphertext = false, ""
	w.fillLogins(&fresh)
	if err := w.fillCiphertext(&fresh); err != nil {
		return err
	}
	if o.KeepSlot {
		fresh.Cleared, fresh.Ciphertext, fresh.ReadyAfter = s.Cleared, s.Ciphertext, 0
	}
	s.Server, s.guestKey = fresh, nil
	return nil
}
