package protocol

// The record of an account.

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// Version is one password that the account has or had.
type Version struct {
	Number   int       `json:"number"`
	Password string    `json:"password"`
	Source   Source    `json:"source"`
	Created  time.Time `json:"created"`
	// Confirmed is false for an initial password: a change made by hand inside the server cannot be
	// seen from outside.
	Confirmed bool `json:"confirmed,omitempty"`
	// Known is set when a lease of it has ended: a client knows it, whoever else has been given it.
	Known bool `json:"known,omitempty"`
	// Disclosed is when a client was first given it; zero: never.
	Disclosed time.Time `json:"disclosed,omitzero"`
	// Until is the end of the disclosure of a leased version, Disclosed + max_ttl as it was then.
	Until time.Time `json:"until,omitzero"`
	// Ended is when a newer version replaced it.
	Ended time.Time `json:"ended,omitzero"`
	// Batch is the id of the group's batch that the version comes from; empty: none.
	Batch string `json:"batch,omitempty"`
	// Place is the one for which it is current (rule 18): it confirmed the version, or was that of the connection
	// when the version was recorded.
	Place Place `json:"place,omitempty"`
	// Roles are the roles to whose readers it was given. A recorded one counts as given to those of the
	// role that the account had then.
	Roles RoleSet `json:"roles,omitempty"`
	// Given is to whom it was given.
	Given Given `json:"given,omitzero"`
	// Change tells why and how it was made; zero: it is the initial password of a first read.
	Change Change `json:"change,omitzero"`
}

// Lease is a nonce of a version.
type Lease struct {
	Version int       `json:"version"`
	Issued  time.Time `json:"issued"`
	// Expires is the latest time at which Vault may still count the lease as live.
	Expires time.Time `json:"expires"`
	// Renewed is when it was last renewed; zero: never.
	Renewed time.Time `json:"renewed,omitzero"`
	// TTL is the TTL that its client asked for, which a renewal without one keeps; 0: the account's.
	TTL time.Duration `json:"ttl,omitempty"`
	// Owner stands for the entity or token that has it; empty: not known.
	Owner string `json:"owner,omitempty"`
	// Client is who has it, as a number of Account.Clients from 1; 0: it is not known. See Account.ClientOf.
	Client int `json:"client,omitempty"`
}

// Backoff keeps a failing account from being tried too often.
type Backoff struct {
	Failures int `json:"failures"`
	// Uncertain counts those of the failures after which the server may have been reset.
	Uncertain int       `json:"uncertain,omitempty"`
	NotBefore time.Time `json:"not_before"`
	// LastError and LastErrorTime are for accounts/ and status; the text never holds a secret.
	LastError     hint.Text `json:"last_error"`
	LastErrorTime time.Time `json:"last_error_time"`
	// Brake is that of a value which was given up since a check showed that it never came.
	Brake Brake `json:"brake,omitzero"`
}

// Account is the one record of an account. It is self-contained: everything that its rotation needs
// after a restart is in it. Every change is one write (rule 1).
type Account struct {
	Schema   int `json:"schema"`
	ID       `json:"id"`
	Provider string `json:"provider"`
	Role     string `json:"role,omitempty"` // the role that it is bound to
	// LastRole is the role that an account without a role last belonged to, and MoveTo the one that may
	// have it on an operator's word (rule 23).
	LastRole string `json:"last_role,omitempty"`
	MoveTo   string `json:"move_to,omitempty"`
	// Successor is the name under which the account goes on at another connection, as this record is but for the name.
	// Nothing else is done with the record from then on (rule 26).
	Successor *ID `json:"successor,omitempty"`

	Settings Settings `json:"settings"`
	Facts    Facts    `json:"facts"`

	// Members are the accounts of a group; see group.go. They are empty in an account.
	Members []ID `json:"members,omitempty"`
	// Joining, LeftOut and Refusals are a member's; see group_member.go.
	Joining  string    `json:"joining,omitempty"`
	LeftOut  time.Time `json:"left_out,omitzero"`
	Refusals int       `json:"refusals,omitempty"`

	// Versions, oldest first; the last is the current one.
	Versions []Version `json:"versions,omitempty"`
	// LastVersion is the highest number ever given, since old versions are pruned.
	LastVersion int `json:"last_version,omitempty"`

	Pending *Pending `json:"pending,omitempty"`
	// OldUnresolved are the attempts of values that have been promoted or replaced which were still open then.
	OldUnresolved []Attempt   `json:"old_unresolved,omitempty"`
	Candidates    []Candidate `json:"candidates,omitempty"`
	// Leftovers are records at the cloud that are to be removed, the oldest first (rule 21).
	Leftovers []Leftover `json:"leftovers,omitempty"`
	// LastOrder is the largest order number of the account's values, and of those that its server is known to have had (rule 19).
	LastOrder int64 `json:"last_order,omitempty"`
	// ClosedByTimeout is set once the settle window alone has closed an attempt of the present reset method: its
	// operation may go on where the cloud runs one at a time, which matters if the method is changed.
	ClosedByTimeout bool `json:"closed_by_timeout,omitempty"`
	// LateSerial is set once the settle window alone has closed an attempt where the cloud runs one operation at a time: its
	// operation may go on, and set that value yet. It ends with the next value that is confirmed, which the cloud orders behind it.
	LateSerial bool `json:"late_serial,omitempty"`
	// LateUntil is until when that may be, also of the current value: what somebody sets by hand meanwhile is overwritten then.
	// Zero: nothing is left.
	LateUntil time.Time `json:"late_until,omitzero"`
	// TimeoutFence is the longest fence of those attempts.
	TimeoutFence time.Duration `json:"timeout_fence,omitempty"`

	// Place is where the connection led when that was last noted (rule 18). Trusted are the places that are
	// trusted in what they say about existing servers, the oldest first. Doubted is set while it is not known
	// whether the connection's credentials are those of the same cloud account as before.
	Place   Place   `json:"place,omitempty"`
	Trusted []Place `json:"trusted,omitempty"`
	Doubted bool    `json:"doubted,omitempty"`

	Due    *Due             `json:"due,omitempty"`
	Check  *Check           `json:"check,omitempty"`  // see Account.Checked
	Leases map[string]Lease `json:"leases,omitempty"` // by nonce
	// Clients are those whom leases name, some perhaps for which no lease is left. Records share the slice.
	Clients []Client `json:"clients,omitempty"`

	Backoff *Backoff `json:"backoff,omitempty"`
	// LastReset is when the newest pending was begun, for min_reset_interval.
	LastReset time.Time `json:"last_reset,omitzero"`
	// LastRotation is when the current version was promoted; zero: never rotated.
	LastRotation time.Time `json:"last_rotation,omitzero"`
	// NextRotation is the next scheduled rotation. It is stored, never derived from a missing last one.
	NextRotation time.Time `json:"next_rotation,omitzero"`
	// MissedRotation is the last scheduled time whose window passed without a rotation.
	MissedRotation time.Time `json:"missed_rotation,omitzero"`

	// InitialCleared is when the cloud's copy of the initial password was deleted.
	InitialCleared time.Time `json:"initial_cleared,omitzero"`
	// InitialOverwritten is set once the cloud's initial password is known not to be the server's.
	InitialOverwritten bool `json:"initial_overwritten,omitempty"`
	// InitialKey is where the engine has stored what is known of the initial password that was read.
	InitialKey string `json:"initial_key,omitempty"`
	// Rebuilt is set while the server seems to have been rebuilt and nothing has shown or said since which password it has.
	Rebuilt *Rebuild `json:"rebuilt,omitempty"`
	// Gone is when the cloud said that the instance does not exist any more; zero: it exists.
	Gone time.Time `json:"gone,omitzero"`

	timetable *Timetable // of a cron expression, see Account.Timetable; records share it
}

// Current returns the current version, or nil.
func (a *Account) Current() *Version {
	if len(a.Versions) == 0 {
		return nil
	}
	return &a.Versions[len(a.Versions)-1]
}

// Version returns the version with that number, or nil.
func (a *Account) Version(n int) *Version {
	for i := range a.Versions {
		if a.Versions[i].Number == n {
			return &a.Versions[i]
		}
	}
	return nil
}

// Clone is a deep copy, so that a transition never touches a record that others may be reading.
func (a *Account) Clone() *Account {
	c := *a
	c.Versions = append([]Version(nil), a.Versions...)
	c.Members = append([]ID(nil), a.Members...)
	c.OldUnresolved = append([]Attempt(nil), a.OldUnresolved...)
	c.Candidates = append([]Candidate(nil), a.Candidates...)
	c.Leftovers = append([]Leftover(nil), a.Leftovers...)
	c.Trusted = append([]Place(nil), a.Trusted...)
	if a.Pending != nil {
		p := *a.Pending
		p.Attempts = append([]Attempt(nil), a.Pending.Attempts...)
		if p.Again != nil {
			again := *p.Again
			p.Again = &again
		}
		c.Pending = &p
	}
	if a.Due != nil {
		d := *a.Due
		c.Due = &d
	}
	if a.Backoff != nil {
		b := *a.Backoff
		c.Backoff = &b
	}
	if a.Successor != nil {
		successor := *a.Successor
		c.Successor = &successor
	}
	if a.Check != nil {
		check := *a.Check
		c.Check = &check
	}
	if a.Rebuilt != nil {
		rebuilt := *a.Rebuilt
		c.Rebuilt = &rebuilt
	}
	if a.Leases != nil {
		c.Leases = make(map[string]Lease, len(a.Leases)+1)
		for k, v := range a.Leases {
			c.Leases[k] = v
		}
	}
	return &c
}

// keepTimetable parses the cron expression of the settings, if they have one.
func (a *Account) keepTimetable() {
	a.timetable = nil
	if a.Settings.Cron != "" {
		t := a.Settings.Timetable()
		a.timetable = &t
	}
}

// Timetable is that of the account's settings. It is parsed when the record is decoded or its settings change.
func (a *Account) Timetable() Timetable {
	if a.timetable != nil && a.timetable.Schedule == a.Settings.Schedule {
		return *a.timetable
	}
	return a.Settings.Timetable()
}

// MayHaveUnconfirmed reports whether the server may have a value that is no version, or no more.
func (a *Account) MayHaveUnconfirmed() bool {
	return len(a.Candidates)+len(a.OldUnresolved) > 0 || a.Pending != nil && a.Pending.maybeSet()
}
