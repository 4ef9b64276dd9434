package engine

import (
	"context"
	"net/url"
	"time"
)

// Status is the state of the mount. docs/api/status.md says what the fields mean.
type Status struct {
	Running          bool           `json:"running"`
	Loading          bool           `json:"loading"`
	Stale            bool           `json:"stale,omitzero"`
	Accounts         map[string]int `json:"accounts"` // by state
	Leases           int            `json:"leases"`
	Due              int            `json:"due"`
	OldestDue        time.Time      `json:"oldest_due,omitzero"`
	OldestDueAccount string         `json:"oldest_due_account,omitzero"`
	OldestDueRole    string         `json:"oldest_due_role,omitzero"`
	Queued           int            `json:"queued"`
	FailingCount     int            `json:"failing_count"`
	FailingRoleCount int            `json:"failing_role_count"`
	ConflictCount    int            `json:"conflict_count"`
	LateSeconds      int64          `json:"late_seconds"`
	Drifted          int            `json:"drifted"`
	Rebuilt          int            `json:"rebuilt"`
	Summary          string         `json:"summary"` // some lines for people
	Warnings         []string       `json:"warnings,omitempty"`
	Details          StatusDetails  `json:"details,omitzero"`
}

// StatusDetails are the parts of the state, by name.
type StatusDetails struct {
	Connections  map[string]ConnectionState `json:"connections,omitempty"`
	Roles        map[string]RoleState       `json:"roles,omitempty"`
	Failing      []Failing                  `json:"failing,omitempty"`
	Causes       []Cause                    `json:"causes,omitempty"`
	FailingRoles []map[string]any           `json:"failing_roles,omitempty"`
	Conflicts    []map[string]any           `json:"conflicts,omitempty"`
}

// ConnectionState is how a connection to a cloud does.
type ConnectionState struct {
	RequestsPerSecond   float64        `json:"requests_per_second"`
	Waiting             map[string]int `json:"waiting,omitempty"` // requests that wait for the rate limit, by API action
	Working             int            `json:"working"`
	Queued              int            `json:"queued"`
	BreakerOpen         bool           `json:"breaker_open,omitzero"` // its cloud does not answer
	RetryIn             float64        `json:"retry_in,omitzero"`     // seconds
	LastError           string         `json:"last_error,omitzero"`
	Braked              bool           `json:"braked,omitzero"`
	BrakedAccounts      int            `json:"braked_accounts,omitzero"`
	CredentialAge       int64          `json:"credential_age,omitzero"` // seconds
	CredentialExpires   time.Time      `json:"credential_expires,omitzero"`
	LastRootRotation    time.Time      `json:"last_root_rotation,omitzero"`
	NextRootRotation    time.Time      `json:"next_root_rotation,omitzero"`
	RootRotationTrouble string         `json:"root_rotation_error,omitzero"`
}

// RoleState is how the accounts of a role do.
type RoleState struct {
	Connection string         `json:"connection"`
	Accounts   int            `json:"accounts"`
	States     map[string]int `json:"states"`
	Leases     int            `json:"leases"`
	Due        int            `json:"due"`
	OldestDue  time.Time      `json:"oldest_due,omitzero"`
	Failing    int            `json:"failing"`
	Drifted    int            `json:"drifted"`
}

// Status reads the state of the mount, with its details.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	_, err := c.get(ctx, c.mount+"/status", url.Values{"detailed": {"true"}}, 0, &s)
	return s, err
}
