package protocol

// The versions of an account.

import (
	"slices"
	"time"
)

// defaultMaxVersions applies where the settings name none.
const defaultMaxVersions = 10

// Add appends a version, which becomes the current one.
func (a *Account) Add(v Version) {
	if cur := a.Current(); cur != nil {
		cur.Ended = v.Created
	}
	a.LastVersion++
	v.Number = a.LastVersion
	a.Versions = append(a.Versions, v)
}

// prune drops the oldest versions past max_versions. A version that may be live is never pruned: the
// current one, and while a pending or a candidate exists the one that the server had before it, which
// is the current one too. Nor is the newest one of another place (rule 18). Candidates are no versions and do not
// count (rule 8).
func (a *Account) prune() {
	keep := a.Settings.MaxVersions
	if keep <= 0 {
		keep = defaultMaxVersions
	}
	n := len(a.Versions) - keep
	if n <= 0 {
		return
	}
	var kept []Version
	for i, v := range a.Versions {
		newer := func(o Version) bool { return o.Place.Same(v.Place) }
		if i >= n || !slices.ContainsFunc(a.Versions[i+1:], newer) {
			kept = append(kept, v)
		}
	}
	a.Versions = kept
}

// InitialPasswordRead stores the decrypted initial password as version 1 (rule 17).
type InitialPasswordRead struct {
	Password string
	At       time.Time
	Place    Place // which one was asked
	// Given are the roles to whose readers it was given by accounts that have left this place's marker, or this
	// account's (rule 23).
	Given RoleSet
	// Overwritten says that these know it not to be the server's any more. Then there is no password.
	Overwritten bool
}

func (e InitialPasswordRead) apply(a *Account) error {
	if !e.Place.Same(a.Place) || !a.TrustsHere() {
		return ErrStale
	}
	if len(a.Versions) > 0 || a.Pending != nil || a.Due != nil || a.InitialOverwritten {
		return ErrStale
	}
	if e.Overwritten {
		a.InitialOverwritten = true
		return nil
	}
	a.Add(Version{Password: e.Password, Source: FromInitial, Created: e.At, Place: a.Place, Roles: a.InitialRoles.With(e.Given.Names()...)})
	a.owesMove(e.At)
	return nil
}

// InitialPasswordCleared notes that the cloud's copy is deleted.
type InitialPasswordCleared struct {
	At    time.Time
	Place Place
}

func (e InitialPasswordCleared) apply(a *Account) error {
	if !e.Place.Same(a.Place) || !a.TrustsHere() {
		return ErrStale
	}
	a.InitialCleared = e.At
	return nil
}
