package engine

import (
	"context"
	"fmt"
	"time"
)

// RotateOrder says what is to be rotated: one server of a role, a whole role, or a whole connection.
type RotateOrder struct {
	Role       string
	InstanceID string // of one server of the role; empty: all of them
	Connection string // instead of Role
	// Wait is how long Vault may wait for the end before it answers; of one server or a role.
	Wait time.Duration
}

// VerifyOrder says which servers are to be checked, as a RotateOrder does.
type VerifyOrder struct {
	Role        string
	InstanceID  string
	Connection  string
	DriftAction string        // report, restore or rotate; empty: the role's
	Wait        time.Duration // only of one server
}

// ReaderOrder says whose passwords are to be rotated: those that were given to an entity, or to tokens with a display name.
type ReaderOrder struct {
	EntityID, DisplayName string // exactly one of them
	DryRun                bool   // only say which accounts that are
}

// Ordered is the answer to an order.
type Ordered struct {
	// Campaign follows the order; empty: there is nothing to do, or it is about one server.
	Campaign string
	// Accounts is how many accounts the order is about.
	Accounts int
	Warnings []string

	// States are the accounts by instance id, as far as the answer has them: for one server, and for roles with up to 100.
	States map[string]AccountState
	// NotCheckable is how many accounts nothing can look at; of a VerifyOrder.
	NotCheckable int
	// Possible, Unable, AccountNames and UnableNames are those of a ReaderOrder; see docs/api/accounts.md.
	Possible, Unable          int
	AccountNames, UnableNames []string
	// Check is of a VerifyOrder of one server.
	Check Check
}

// AccountState is the state of an account in the answer to an order.
type AccountState struct {
	Username       string    `json:"username"`
	State          string    `json:"state"`
	CurrentVersion int       `json:"current_version"`
	DueReason      string    `json:"due_reason"`
	DueSince       time.Time `json:"due_since,omitzero"`
	LastRotation   time.Time `json:"last_vault_rotation,omitzero"`
	LastError      string    `json:"last_error"`
	Error          string    `json:"error"` // why the account could not be made due
}

// target is the path of an order.
func (c *Client) target(verb, role, instance, connection string) (string, error) {
	switch {
	case connection != "" && (role != "" || instance != ""):
		return "", fmt.Errorf("a connection and a role: give one of them")
	case connection != "":
		return c.path(verb+"-connection", connection)
	}
	if verb == "rotate" {
		verb = "rotate-role"
	}
	if instance != "" {
		return c.path(verb, role, instance)
	}
	return c.path(verb, role)
}

// Rotate orders rotations. The order is sent once: if its answer is lost, Vault may have taken it, and Campaigns tells.
func (c *Client) Rotate(ctx context.Context, o RotateOrder) (Ordered, error) {
	path, err := c.target("rotate", o.Role, o.InstanceID, o.Connection)
	if err != nil {
		return Ordered{}, err
	}
	var data struct {
		Campaign string                  `json:"campaign"`
		Due      int                     `json:"accounts_due"`
		Accounts map[string]AccountState `json:"accounts"`
	}
	a, err := c.put(ctx, path, nil, o.Wait, &data)
	if err != nil {
		return Ordered{}, err
	}
	done := Ordered{Campaign: data.Campaign, Accounts: data.Due, Warnings: a.Warnings, States: data.Accounts}
	if o.InstanceID != "" {
		done.Accounts = len(data.Accounts)
	}
	return done, nil
}

// Verify orders checks. It is sent once, as an order to rotate.
func (c *Client) Verify(ctx context.Context, o VerifyOrder) (Ordered, error) {
	path, err := c.target("verify", o.Role, o.InstanceID, o.Connection)
	if err != nil {
		return Ordered{}, err
	}
	var data struct {
		Campaign     string `json:"campaign"`
		ToCheck      int    `json:"accounts_to_check"`
		NotCheckable int    `json:"not_checkable"`
		State        string `json:"state"`
		Username     string `json:"username"`
		Version      int    `json:"current_version"`
		Check
	}
	fields := map[string]any{}
	if o.DriftAction != "" {
		fields["drift_action"] = o.DriftAction
	}
	a, err := c.put(ctx, path, fields, o.Wait, &data)
	if err != nil {
		return Ordered{}, err
	}
	done := Ordered{Campaign: data.Campaign, Accounts: data.ToCheck, NotCheckable: data.NotCheckable, Warnings: a.Warnings}
	if o.InstanceID != "" {
		done.Accounts, done.Check = 1, data.Check
		done.States = map[string]AccountState{o.InstanceID: {Username: data.Username, State: data.State, CurrentVersion: data.Version}}
	}
	return done, nil
}

// RotateReader orders the rotation of what somebody was given. It is sent once, unless it is a dry run.
func (c *Client) RotateReader(ctx context.Context, o ReaderOrder) (Ordered, error) {
	path, err := c.path("rotate-reader")
	if err != nil {
		return Ordered{}, err
	}
	fields := map[string]any{}
	if o.EntityID != "" {
		fields["entity_id"] = o.EntityID
	}
	if o.DisplayName != "" {
		fields["display_name"] = o.DisplayName
	}
	if o.DryRun {
		fields["dry_run"] = true
	}
	var data struct {
		Campaign string   `json:"campaign"`
		Due      int      `json:"accounts_due"`
		Possible int      `json:"accounts_possible"`
		Unable   int      `json:"accounts_unable"`
		Accounts []string `json:"accounts"`
		Names    []string `json:"unable"`
	}
	a, err := c.put(ctx, path, fields, 0, &data)
	if err != nil {
		return Ordered{}, err
	}
	return Ordered{Campaign: data.Campaign, Accounts: data.Due, Warnings: a.Warnings, Possible: data.Possible, Unable: data.Unable,
		AccountNames: data.Accounts, UnableNames: data.Names}, nil
}
