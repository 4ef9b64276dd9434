package engine

import (
	"context"
	"time"
)

// Detail is everything about an account but its passwords, as the path accounts/ shows it. docs/api/accounts.md says what the
// fields mean.
type Detail struct {
	Connection     string    `json:"connection"`
	InstanceID     string    `json:"instance_id"`
	Username       string    `json:"username"`
	Provider       string    `json:"provider"`
	Role           string    `json:"role"`
	Mode           string    `json:"mode"`
	Source         string    `json:"source"`
	State          string    `json:"state"`
	InstanceName   string    `json:"instance_name"`
	Platform       string    `json:"platform"`
	OSName         string    `json:"os_name"`
	PrivateIP      string    `json:"private_ip"`
	PublicIP       string    `json:"public_ip"`
	KeyName        string    `json:"key_name"`
	LaunchTime     time.Time `json:"launch_time,omitzero"`
	CurrentVersion int       `json:"current_version"`
	Versions       []Version `json:"versions"` // oldest first
	Leases         []Lease   `json:"leases"`

	DueReason       string    `json:"due_reason,omitzero"`
	DueSince        time.Time `json:"due_since,omitzero"`
	DueRequestedBy  string    `json:"due_requested_by,omitzero"`
	PendingSince    time.Time `json:"pending_since,omitzero"`
	WaitingFor      string    `json:"waiting_for,omitzero"`
	NextTry         time.Time `json:"next_try,omitzero"`
	Attempts        int       `json:"attempts"`
	OpenAttempts    int       `json:"open_attempts"`
	UnshownAttempts int       `json:"unshown_attempts"`
	ShownInstead    string    `json:"shown_instead,omitzero"`
	Candidates      int       `json:"candidates"`
	OldUnresolved   bool      `json:"old_unresolved"`
	Rejected        bool      `json:"rejected"`
	Failures        int       `json:"failures"`
	LastError       string    `json:"last_error"`
	LastErrorTime   time.Time `json:"last_error_time,omitzero"`

	LastRotation   time.Time `json:"last_vault_rotation,omitzero"`
	NextRotation   time.Time `json:"next_vault_rotation,omitzero"`
	MissedRotation time.Time `json:"missed_vault_rotation,omitzero"`

	InitialOverwritten bool      `json:"initial_overwritten"`
	InitialCleared     time.Time `json:"initial_cleared_time,omitzero"`
	Gone               time.Time `json:"gone_time,omitzero"`
	Forgotten          time.Time `json:"forgotten_time,omitzero"`

	SharedPassword bool      `json:"shared_password"`
	Group          *Group    `json:"group,omitzero"`
	Joining        bool      `json:"joining,omitzero"`
	LeftOutReason  string    `json:"left_out_reason,omitzero"`
	LeftOutTime    time.Time `json:"left_out_time,omitzero"`
	LastRole       string    `json:"last_role"`
	MoveTo         string    `json:"move_to"`
	Place          string    `json:"place"`
	PlaceTrusted   bool      `json:"place_trusted"`

	Check
	RebuiltTime   time.Time `json:"rebuilt_time,omitzero"`
	RebuiltReason string    `json:"rebuilt_reason,omitzero"`
}

// Check is what the last check of the server's password found.
type Check struct {
	Drifted      bool      `json:"drifted"`
	Result       string    `json:"check_result,omitzero"` // empty: there was no check
	CheckVersion int       `json:"check_version,omitzero"`
	Reason       string    `json:"check_reason,omitzero"`
	UserState    string    `json:"check_user_state,omitzero"`
	Checked      time.Time `json:"checked_time,omitzero"`
	Ordered      time.Time `json:"check_ordered_time,omitzero"` // while an ordered check has not been made
	NextCheck    time.Time `json:"next_check,omitzero"`
	NotBefore    time.Time `json:"check_not_before,omitzero"`
	Experimental bool      `json:"check_experimental,omitzero"`
}

// Group is the password that the accounts of a role share.
type Group struct {
	State          string    `json:"state"`
	CurrentVersion int       `json:"current_version"`
	Versions       []Version `json:"versions"`
	Leases         []Lease   `json:"leases"`
	DueReason      string    `json:"due_reason,omitzero"`
	DueSince       time.Time `json:"due_since,omitzero"`
	PendingSince   time.Time `json:"pending_since,omitzero"`
	WaitingFor     string    `json:"waiting_for,omitzero"`
	NextTry        time.Time `json:"next_try,omitzero"`
	Failures       int       `json:"failures"`
	LastError      string    `json:"last_error"`
	LastErrorTime  time.Time `json:"last_error_time,omitzero"`
	LastRotation   time.Time `json:"last_vault_rotation,omitzero"`
	NextRotation   time.Time `json:"next_vault_rotation,omitzero"`
	MissedRotation time.Time `json:"missed_vault_rotation,omitzero"`
}

// Version is a version of a password, without the password.
type Version struct {
	Number           int       `json:"version"`
	Source           string    `json:"source"`
	Created          time.Time `json:"created_time,omitzero"`
	Confirmed        bool      `json:"confirmed"`
	Current          bool      `json:"current"`
	Roles            []string  `json:"roles"` // whose readers were given it
	Place            string    `json:"place"`
	Disclosed        time.Time `json:"disclosed_time,omitzero"`
	DisclosedUntil   time.Time `json:"disclosed_until,omitzero"`
	Ended            time.Time `json:"ended_time,omitzero"`
	Reason           string    `json:"reason,omitzero"`
	DueSince         time.Time `json:"due_since,omitzero"`
	RequestedBy      string    `json:"requested_by,omitzero"`
	RequestedByID    string    `json:"requested_by_entity_id,omitzero"`
	Begun            time.Time `json:"begun_time,omitzero"`
	Attempts         int       `json:"attempts,omitzero"`
	RequestID        string    `json:"request_id,omitzero"`
	ForceStop        bool      `json:"force_stop,omitzero"` // the cloud was allowed to shut the server down
	ConfirmedByCheck bool      `json:"confirmed_by_check,omitzero"`
	Readers          []Reader  `json:"readers,omitempty"`
	MoreReaders      bool      `json:"more_readers,omitzero"` // it was also given to others than those in Readers
}

// Reader is a client of Vault that was given a version.
type Reader struct {
	EntityID      string    `json:"entity_id,omitzero"`
	DisplayName   string    `json:"display_name,omitzero"`
	OtherNames    bool      `json:"other_names,omitempty"` // the entity also read under another display name, which is not kept
	RemoteAddress string    `json:"remote_address,omitzero"`
	First         time.Time `json:"first_time,omitzero"`
	Last          time.Time `json:"last_time,omitzero"`
}

// Lease is a live lease, and who has it as far as Vault told.
type Lease struct {
	Version       int       `json:"version"`
	Issued        time.Time `json:"issue_time,omitzero"`
	Expires       time.Time `json:"expire_time,omitzero"`
	EntityID      string    `json:"entity_id,omitzero"`
	DisplayName   string    `json:"display_name,omitzero"`
	RemoteAddress string    `json:"remote_address,omitzero"`
}

// ID names the account as Vault's paths and campaigns do: connection/instance_id/username.
func (d *Detail) ID() string { return d.Connection + "/" + d.InstanceID + "/" + d.Username }

// AllVersions are the versions of the account, or with a shared password those of its role.
func (d *Detail) AllVersions() []Version {
	if d.Group != nil {
		return d.Group.Versions
	}
	return d.Versions
}

// AllLeases are the live leases of the account, or with a shared password those of its role.
func (d *Detail) AllLeases() []Lease {
	if d.Group != nil {
		return d.Group.Leases
	}
	return d.Leases
}

// Account reads one account.
func (c *Client) Account(ctx context.Context, connection, instance, user string) (Detail, error) {
	path, err := c.path("accounts", connection, instance, user)
	if err != nil {
		return Detail{}, err
	}
	var d Detail
	_, err = c.get(ctx, path, nil, 0, &d)
	return d, err
}
