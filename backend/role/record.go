package role

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Record says which instances, which user, and how passwords are made, leased and rotated, as stored.
// Fields that the operator left out are zero; the methods below fill in the defaults.
type Record struct {
	store.Header
	Connection   string            `json:"connection"`
	InstanceIDs  []string          `json:"instance_ids,omitempty"`
	InstanceTags map[string]string `json:"instance_tags,omitempty"`
	Username     string            `json:"username,omitempty"`
	// Mode is stored when the role is created and never changes.
	Mode               rotation.Mode           `json:"mode"`
	Source             rotation.Source         `json:"source,omitempty"`
	Key                string                  `json:"key,omitempty"`
	PasswordPolicy     string                  `json:"password_policy,omitempty"`
	Checkout           rotation.Checkout       `json:"checkout,omitempty"`
	RotateOnRevoke     rotation.RotateOnRevoke `json:"rotate_on_revoke,omitempty"`
	TTL                *time.Duration          `json:"ttl,omitempty"`
	MaxTTL             *time.Duration          `json:"max_ttl,omitempty"`
	ResetMethod        string                  `json:"reset_method,omitempty"`
	ForceStop          *bool                   `json:"force_stop,omitempty"`
	MinResetInterval   *time.Duration          `json:"min_reset_interval,omitempty"`
	ClearInitial       *bool                   `json:"clear_initial,omitempty"`
	SkipImportRotation *bool                   `json:"skip_import_rotation,omitempty"`
	MaxVersions        int                     `json:"max_versions,omitempty"`
	CustomMetadata     map[string]string       `json:"custom_metadata,omitempty"`
	// SharedPassword is stored when the role is created and never changes.
	SharedPassword *bool `json:"shared_password,omitempty"`

	RotationPeriod           *time.Duration `json:"rotation_period,omitempty"`
	RotationSchedule         string         `json:"rotation_schedule,omitempty"`
	RotationTimezone         string         `json:"rotation_timezone,omitempty"`
	RotationWindow           *time.Duration `json:"rotation_window,omitempty"`
	RotateOnRead             *bool          `json:"rotate_on_read,omitempty"`
	RotateOnReadCooldown     *time.Duration `json:"rotate_on_read_cooldown,omitempty"`
	DisableAutomatedRotation *bool          `json:"disable_automated_rotation,omitempty"`

	CheckMethod  string               `json:"check_method,omitempty"`
	VerifyPeriod *time.Duration       `json:"verify_period,omitempty"`
	DriftAction  rotation.DriftAction `json:"drift_action,omitempty"`
	ReadDrifted  *bool                `json:"read_drifted,omitempty"`
	// The following are about logins by cloud.CheckSSH. CheckPort is 0 where the default is in force.
	CheckAddress  cloud.AddressKind `json:"check_address,omitempty"`
	CheckPort     int               `json:"check_port,omitempty"`
	CheckFirstUse *bool             `json:"check_trust_on_first_use,omitempty"`

	// Users are the accounts that the role is bound to: instance id -> user name, defaults resolved.
	// A read finds its account here and asks nobody.
	Users map[string]string `json:"users"`
	// Conflicts are the instances that the role's tags match and that were left out when they were
	// last resolved, since they belong to an older binding. ConflictCount counts the unlisted too.
	Conflicts     []Conflict `json:"conflicts,omitempty"`
	ConflictCount int        `json:"conflict_count,omitempty"`
	// Kept are instances that stay though the role's tags do not match them any more, since another
	// role's do, which waits for an operator's word.
	Kept []Conflict `json:"kept,omitempty"`
}

// Conflict is an instance that a role was not bound to.
type Conflict struct {
	InstanceID string    `json:"instance_id"`
	Username   string    `json:"username"`
	Reason     hint.Text `json:"reason"`
}

func (c Conflict) equal(other Conflict) bool {
	return c.InstanceID == other.InstanceID && c.Username == other.Username && c.Reason.Equal(other.Reason)
}

func decode(raw []byte) (*Record, error) {
	if err := store.CheckSchema(raw); err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("the stored role cannot be decoded: %w", err)
	}
	return &r, nil
}

// clone is a copy that may be changed.
func (r *Record) clone() *Record {
	n := *r
	n.InstanceIDs = slices.Clone(r.InstanceIDs)
	n.InstanceTags = maps.Clone(r.InstanceTags)
	n.CustomMetadata = maps.Clone(r.CustomMetadata)
	n.Users = maps.Clone(r.Users)
	n.Conflicts = slices.Clone(r.Conflicts)
	n.Kept = slices.Clone(r.Kept)
	return &n
}

// Account is the account of one of the role's instances.
func (r *Record) Account(instance string) rotation.ID {
	return rotation.ID{Connection: r.Connection, InstanceID: instance, Username: r.Users[instance]}
}

// MapsTo reports whether the role, which may be nil, is bound to an account.
func (r *Record) MapsTo(id rotation.ID) bool {
	return r != nil && r.Connection == id.Connection && r.Users[id.InstanceID] == id.Username
}

// Instances are the ids of the instances that the role is bound to, sorted.
func (r *Record) Instances() []string { return slices.Sorted(maps.Keys(r.Users)) }

// MaxConflicts is how many conflicts a role's entry keeps; the others are only counted.
const MaxConflicts = 100

// noteKept keeps for who reads the role that an instance is the role's though its tags do not match.
func (r *Record) noteKept(id rotation.ID, rival string) {
	if len(r.Kept) < MaxConflicts {
		r.Kept = append(r.Kept, Conflict{InstanceID: id.InstanceID, Username: id.Username,
			Reason: hint.Textf("its tags do not match any more, and those of role %s do; it stays until it is moved: %s", rival,
				id.MoveHint(rival))})
	}
}
