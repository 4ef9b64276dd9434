package model

import (
	"cmp"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
)

// Snapshot is a copy of a server's disk: what the guest knows of its users.
// The cloud's own records (tags, latest operation, the copy of the initial
// password) are not on the disk.
type Snapshot struct {
	ID       string            `json:"id,omitempty"`
	ServerID string            `json:"server_id,omitempty"`
	Logins   map[string]string `json:"logins,omitempty"`
	// Hashes are those of the users whose password a command had set: see Server.
	Hashes map[string]string `json:"hashes,omitempty"`
	// Orders are those of a Windows server's registry.
	Orders map[string]string `json:"orders,omitempty"`
	// guestKey is the key pair of a Windows server's machine key store, which is on the disk, too.
	guestKey *rsa.PrivateKey
}

// clone is a copy that shares nothing that changes.
func (s Snapshot) clone() Snapshot {
	s.Logins, s.Hashes, s.Orders = maps.Clone(s.Logins), maps.Clone(s.Hashes), maps.Clone(s.Orders)
	return s
}

// ErrNoSnapshot says that an id belongs to no snapshot of the server.
var ErrNoSnapshot = errors.New("no such snapshot of this server")

// Snapshot copies a server's disk. An empty name is filled in.
func (w *World) Snapshot(id, name string) (Snapshot, error) {
	var taken Snapshot
	err := w.change(id, func(s *server) {
		taken = Snapshot{ID: cmp.Or(name, "snap-"+w.random(base36, 8)), ServerID: id, Logins: s.Logins, Hashes: s.Hashes,
			Orders: s.Orders, guestKey: s.guestKey}.clone()
		if s.snapshots == nil {
			s.snapshots = map[string]Snapshot{}
		}
		s.snapshots[taken.ID] = taken
	})
	return taken.clone(), err
}

// RestoreSnapshot puts a server's disk back: its users have the passwords that
// they had then, and the cloud's API tells nobody. A server that runs an
// operation refuses, as clouds do.
func (w *World) RestoreSnapshot(id, snapshot string) error {
	var refused error
	err := w.change(id, func(s *server) {
		old, ok := s.snapshots[snapshot]
		switch {
		case !ok:
			refused = fmt.Errorf("server %q, snapshot %q: %w", id, snapshot, ErrNoSnapshot)
		case s.op != nil:
			refused = &RefusedError{ServerID: id, State: s.State, Err: ErrBusy}
		default:
			disk := old.clone()
			s.Logins, s.Hashes, s.Orders, s.guestKey = disk.Logins, disk.Hashes, disk.Orders, disk.guestKey
		}
	})
	return cmp.Or(err, refused)
}
