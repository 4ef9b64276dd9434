package protocol

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// ID names an account: the thing that has a password.
type ID struct {
	Connection string `json:"connection"`
	InstanceID string `json:"instance_id"`
	Username   string `json:"username"`
}

// String is the account's name in logs and errors and its place under accounts/.
func (id ID) String() string { return id.Connection + "/" + id.InstanceID + "/" + id.Username }

// ParseID is the inverse of ID.String.
func ParseID(s string) (ID, error) {
	p := strings.Split(s, "/")
	if len(p) != 3 || p[0] == "" || p[1] == "" || p[2] == "" {
		return ID{}, fmt.Errorf("%q is no account name of the form connection/instance_id/username", s)
	}
	return ID{p[0], p[1], p[2]}, nil
}

// Mode of a role: how its passwords are handed out.
type Mode string

// Modes.
const (
	Leased Mode = "leased" // every answer has a lease, and its end rotates the account
	Static Mode = "static" // never a lease
)

// Source of a version.
type Source string

// Sources.
const (
	FromInitial Source = "initial" // the cloud's first-boot password, decrypted
	FromReset   Source = "reset"   // set through the cloud's reset API
	FromImport  Source = "import"  // recorded by an operator
)

// Checkout of a leased role.
type Checkout string

// Checkouts.
const (
	Shared    Checkout = "shared"
	Exclusive Checkout = "exclusive"
)

// Reason why an account is due.
type Reason string

// Reasons. Those that ForbidsReading names forbid reading until the account has been rotated; the others
// leave it readable until an attempt is recorded.
const (
	DueFirst    Reason = "first"
	DueRevoked  Reason = "revoked"
	DueDeadline Reason = "deadline"
	DueLeaver   Reason = "leaver"
	DueJoiner   Reason = "joiner"
	DueMoved    Reason = "moved" // readers of another role know the current version (rule 23)
	DueSchedule Reason = "schedule"
	DueManual   Reason = "manual"
	DueImport   Reason = "import"
	DueRead     Reason = "read"
	// DuePlace: the current version is another place's than the connection's (rule 18).
	DuePlace Reason = "place"
)

// ForbidsReading reports whether the current version must not be handed out before the account has
// been rotated.
func (r Reason) ForbidsReading() bool {
	switch r {
	case DueFirst, DueRevoked, DueDeadline, DueLeaver, DuePlace, DueMoved:
		return true
	}
	return false
}

// Settings are what the rotation of an account needs of its role. The account carries them, so that
// a role may be changed or deleted while leases exist.
type Settings struct {
	Mode     Mode     `json:"mode"`
	Source   Source   `json:"source"`
	Checkout Checkout `json:"checkout,omitempty"`
	// TTL and MaxTTL are those of leases; both are positive in leased mode.
	TTL    time.Duration `json:"ttl,omitempty"`
	MaxTTL time.Duration `json:"max_ttl,omitempty"`
	// Key names the private key for the initial password; empty: the instance's own key-pair name.
	Key              string        `json:"key,omitempty"`
	PasswordPolicy   string        `json:"password_policy,omitempty"`
	ForceStop        bool          `json:"force_stop,omitempty"`
	MinResetInterval time.Duration `json:"min_reset_interval,omitempty"`
	MaxVersions      int           `json:"max_versions,omitempty"`
	ClearInitial     bool          `json:"clear_initial,omitempty"`
	// CanReset is whether passwords may be reset: the provider can, and the role has it do so.
	CanReset bool `json:"can_reset,omitempty"`
	// ResetMethod names the way in which passwords are set; see cloud.Descriptor.
	ResetMethod string `json:"reset_method,omitempty"`
	// SharedPassword makes the account a member of its role's group (rule 16).
	SharedPassword bool `json:"shared_password,omitempty"`
	Schedule
	// RotateOnRead makes a static account due when it is read, at most once per RotateOnReadCooldown.
	RotateOnRead         bool          `json:"rotate_on_read,omitempty"`
	RotateOnReadCooldown time.Duration `json:"rotate_on_read_cooldown,omitempty"`
}

// Facts are what an answer tells about the instance, as last described by the cloud.
type Facts struct {
	Name       string         `json:"name,omitempty"`
	Platform   cloud.Platform `json:"platform,omitempty"`
	OSName     string         `json:"os_name,omitempty"`
	PrivateIP  string         `json:"private_ip,omitempty"`
	PublicIP   string         `json:"public_ip,omitempty"`
	KeyName    string         `json:"key_name,omitempty"`
	LaunchTime time.Time      `json:"launch_time,omitzero"`
	// Place is where the cloud described it so.
	Place Place `json:"place,omitempty"`
}

// FactsOf takes an instance's facts.
func FactsOf(i cloud.Instance) Facts {
	return Facts{Name: i.Name, Platform: i.Platform, OSName: i.OSName, PrivateIP: i.PrivateIP,
		PublicIP: i.PublicIP, KeyName: i.KeyName, LaunchTime: i.LaunchTime}
}

// Instance is the inverse of FactsOf, for the provider's pure methods.
func (f Facts) Instance(id string) cloud.Instance {
	return cloud.Instance{ID: id, Name: f.Name, Platform: f.Platform, OSName: f.OSName, PrivateIP: f.PrivateIP,
		PublicIP: f.PublicIP, KeyName: f.KeyName, LaunchTime: f.LaunchTime}
}

// Version is one password that the account has or had.
type Version struct {
	Number   int       `json:"number"`
	Password string    `json:"password"`
	Source   Source    `json:"source"`
	Created  time.Time `json:"created"`
	// Confirmed is false for an initial password: a change made by hand inside the server cannot be
	// seen from outside.
	Confirmed bool `json:"confirmed,omitempty"`
	// Disclosed is when a client was first given it; zero: never.
	Disclosed time.Time `json:"disclosed,omitzero"`
	// Until is the end of the disclosure of a leased version, Disclosed + max_ttl as it was then.
	Until time.Time `json:"until,omitzero"`
	// Ended is when a newer version replaced it.
	Ended time.Time `json:"ended,omitzero"`
	// Known is set when a lease of it has ended: a client knows it, whoever else has been given it.
	Known bool `json:"known,omitempty"`
	// Batch is the id of the group's batch that the version comes from; empty: none.
	Batch string `json:"batch,omitempty"`
	// Place is for which it is current (rule 18): that which confirmed it, or at which it was recorded.
	Place Place `json:"place,omitempty"`
	// Roles are the roles to whose readers it was given. A recorded one counts as given to those of the
	// role that the account had then.
	Roles RoleSet `json:"roles,omitempty"`
}

// Attempt is one cloud call that may set a password and that has not been closed.
type Attempt struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	// Method is the reset method that it used.
	Method string `json:"method,omitempty"`
	// RequestID is the cloud's id of the accepted request; empty: not known to be accepted.
	RequestID string `json:"request_id,omitempty"`
	// SeenOperation is the operation id that the cloud showed before the call.
	SeenOperation string `json:"seen_operation,omitempty"`
	// Overwritten is set when the cloud's record shows another operation instead: this attempt's
	// outcome will never be shown.
	Overwritten bool `json:"overwritten,omitempty"`
	// IsFence marks no call of its own. It stands in OldUnresolved for all that calls of an earlier
	// reset method may still do when the method is changed: each cloud orders at most the operations
	// of one method, so that a late one of the old could follow one of the new.
	IsFence bool `json:"is_fence,omitempty"`
	// Place is where it was sent.
	Place Place `json:"place,omitempty"`
	// Window is its settle window, and Fence that of a barrier for it, as they were when it was recorded: what
	// the connection says later does not shorten them. 0: the connection tells.
	Window      time.Duration `json:"window,omitempty"`
	FenceWindow time.Duration `json:"fence_window,omitempty"`
	// Serial is set where the cloud orders it with the next one, so that its window does not contain its end.
	Serial bool `json:"serial,omitempty"`
}

// Polled reports whether the cloud may still show the attempt's outcome.
func (t Attempt) Polled() bool { return t.RequestID != "" && !t.Overwritten }

// Pending is the next version before the cloud has confirmed it.
type Pending struct {
	Password string    `json:"password"`
	Created  time.Time `json:"created"`
	// Attempts are the attempts that are not closed.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Tried counts all attempts.
	Tried int `json:"tried,omitempty"`
	// Failures counts the attempts that the cloud reported as failed.
	Failures int `json:"failures,omitempty"`
	// Uncertain is set when an attempt was closed without the certainty that it changed nothing.
	Uncertain bool `json:"uncertain,omitempty"`
	// Brake counts the attempts whose outcome the cloud did not show (rule 25).
	Brake Brake `json:"brake,omitzero"`
	// Spent is when the newest attempt began that may have reset the server to no avail; zero: none did, or
	// an operator has let the next one go.
	Spent time.Time `json:"spent,omitzero"`
	// Rejected is set when the value is not sent any more.
	Rejected bool `json:"rejected,omitempty"`
	// Batch is the id of the group's batch that the value comes from; empty: none.
	Batch string `json:"batch,omitempty"`
	// Place is for which the value was made; it is sent nowhere else (rule 18).
	Place Place `json:"place,omitempty"`
	// Disclosed and Until are those of a group's batch that was handed out for an instance which has
	// it already, before all have it.
	Disclosed time.Time `json:"disclosed,omitzero"`
	Until     time.Time `json:"until,omitzero"`
	// Known is set when a lease of it has ended: a client knows it.
	Known bool `json:"known,omitempty"`
	// Roles are the roles to whose readers the value may have been given already: it is a group's.
	Roles RoleSet `json:"roles,omitempty"`
}

// AnyPolled reports whether any attempt's outcome may still be shown.
func (p *Pending) AnyPolled() bool {
	for _, t := range p.Attempts {
		if t.Polled() {
			return true
		}
	}
	return false
}

// Candidate is a replaced pending that the server may have.
type Candidate struct {
	Password string    `json:"password"`
	Created  time.Time `json:"created"`
	// Place is where the server may have it.
	Place Place `json:"place,omitempty"`
}

// Due says that a rotation should happen.
type Due struct {
	Since  time.Time `json:"since"`
	Reason Reason    `json:"reason"`
	// Forced is an operator's word not to wait for the rotation window.
	Forced bool `json:"forced,omitempty"`
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
}

// SchemaVersion of Account records. A record of a newer schema is refused, not guessed at.
const SchemaVersion = 1

// Account is the one record of an account. It is self-contained: everything that its rotation needs
// after a restart is in it. Every change is one write (rule 1).
type Account struct {
	Schema   int `json:"schema"`
	ID       `json:"id"`
	Provider string `json:"provider"`
	Role     string `json:"role,omitempty"` // the role that it is bound to
	// LastRole is the role that an account without a role last belonged to, and MoveTo the one that may
	// have it on an operator's word (rule 23).
	LastRole string   `json:"last_role,omitempty"`
	MoveTo   string   `json:"move_to,omitempty"`
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
	// OldUnresolved are the attempts of the promoted value that were still open when it was promoted.
	OldUnresolved []Attempt   `json:"old_unresolved,omitempty"`
	Candidates    []Candidate `json:"candidates,omitempty"`
	// ClosedByTimeout is set once the settle window alone has closed an attempt of the present reset method: its
	// operation may go on where the cloud runs one at a time, which matters if the method is changed.
	ClosedByTimeout bool `json:"closed_by_timeout,omitempty"`
	// TimeoutFence is the longest fence of those attempts.
	TimeoutFence time.Duration `json:"timeout_fence,omitempty"`

	// Place is where the connection led when that was noted last (rule 18). Trusted are the places whose word
	// about existing servers is trusted, the oldest first; Doubted is set while it is not known whether the
	// connection's credentials are those of the same cloud account as before.
	Place   Place   `json:"place,omitempty"`
	Trusted []Place `json:"trusted,omitempty"`
	Doubted bool    `json:"doubted,omitempty"`

	Due    *Due             `json:"due,omitempty"`
	Leases map[string]Lease `json:"leases,omitempty"` // by nonce

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
	// InitialRoles are the roles to whose readers the initial password was given by an account of this
	// instance and user that was deleted.
	InitialRoles RoleSet `json:"initial_roles,omitempty"`
	// Gone is when the cloud said that the instance does not exist any more; zero: it exists.
	Gone time.Time `json:"gone,omitzero"`

	timetable Timetable // see Account.Timetable
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
	c.Trusted = append([]Place(nil), a.Trusted...)
	if a.Pending != nil {
		p := *a.Pending
		p.Attempts = append([]Attempt(nil), a.Pending.Attempts...)
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
	if a.Leases != nil {
		c.Leases = make(map[string]Lease, len(a.Leases)+1)
		for k, v := range a.Leases {
			c.Leases[k] = v
		}
	}
	return &c
}

func DecodeAccount(raw []byte) (*Account, error) {
	var a Account
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, fmt.Errorf("the account's record cannot be read: %w", err)
	}
	if a.Schema > SchemaVersion {
		return nil, fmt.Errorf("the account's record has schema %d, newer than %d: run the newer plugin version that wrote it", a.Schema,
			SchemaVersion)
	}
	a.timetable = a.Settings.Timetable()
	return &a, nil
}

// State is the account's state in one word.
func (a *Account) State() string {
	switch {
	case !a.Gone.IsZero():
		return "gone"
	case a.Braked() && !a.Pending.AnyPolled():
		return "braked"
	case a.Pending != nil:
		return "rotating"
	case a.Due != nil:
		return "due"
	case len(a.OldUnresolved) > 0:
		return "settling"
	case len(a.Versions) == 0:
		return "empty"
	}
	return "ready"
}
