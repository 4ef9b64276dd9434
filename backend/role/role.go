// Package role has the roles of a mount ([Store]): what is stored of one ([Record]), its fields and their checks, the instances
// that it means and the accounts that it is bound to. It looks at the instances of all roles every ten minutes
// ([Store.LookAtAll]), and forgets accounts of servers that are gone.
package role

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/policy"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Defaults of role fields.
const (
	defaultTTL         = time.Hour
	defaultMaxTTL      = 24 * time.Hour
	defaultMaxVersions = 10
	// defaultForcedInterval is min_reset_interval's default where a reset may stop a running server.
	defaultForcedInterval = 10 * time.Minute
)

// Prefix is where roles are stored.
const Prefix = "role/"

// Store has the roles of a mount: as stored, with what binds their accounts and looks at their instances. Writers of one
// name hold its lock, and their connection's for reading, so that the connection stays while the role is checked against
// it. The order is role before connection.
type Store struct {
	*store.Cache[Record]
	store.Locks
	Deps

	resolutions resolutions
	refreshes   refreshes
}

// Deps is what roles need of the mount.
type Deps struct {
	Storage     logical.Storage
	Registry    cloud.Registry
	Policies    policy.Generator
	Connections *connection.Store
	Keys        *keypair.Store
	Core        *rotation.Core
	Log         func() hclog.Logger
	Now         func() time.Time
}

// NewStore makes the roles of a mount.
func NewStore(deps Deps) *Store {
	return &Store{Cache: store.NewCache(deps.Storage, Prefix, decode), Locks: store.NewLocks(), Deps: deps}
}

// Invalidate forgets what is cached of a storage key that another node has changed, and reports whether it is a role's.
func (s *Store) Invalidate(key string) bool {
	name, ok := strings.CutPrefix(key, Prefix)
	if ok {
		s.Drop(name)
	}
	return ok
}

// Record says which instances, which user, and how passwords are made, leased and rotated, as stored.
// Fields that the operator left out are zero; the methods below fill in the defaults.
type Record struct {
	store.Header
	Connection   string            `json:"connection"`
	InstanceIDs  []string          `json:"instance_ids,omitempty"`
	InstanceTags map[string]string `json:"instance_tags,omitempty"`
	Username     string            `json:"username,omitempty"`
	// Mode is stored when the role is created and never changes.
	Mode               rotation.Mode     `json:"mode"`
	Source             rotation.Source   `json:"source,omitempty"`
	Key                string            `json:"key,omitempty"`
	PasswordPolicy     string            `json:"password_policy,omitempty"`
	Checkout           rotation.Checkout `json:"checkout,omitempty"`
	TTL                *time.Duration    `json:"ttl,omitempty"`
	MaxTTL             *time.Duration    `json:"max_ttl,omitempty"`
	ResetMethod        string            `json:"reset_method,omitempty"`
	ForceStop          *bool             `json:"force_stop,omitempty"`
	MinResetInterval   *time.Duration    `json:"min_reset_interval,omitempty"`
	ClearInitial       *bool             `json:"clear_initial,omitempty"`
	SkipImportRotation *bool             `json:"skip_import_rotation,omitempty"`
	MaxVersions        int               `json:"max_versions,omitempty"`
	CustomMetadata     map[string]string `json:"custom_metadata,omitempty"`
	// SharedPassword is stored when the role is created and never changes.
	SharedPassword *bool `json:"shared_password,omitempty"`

	RotationPeriod           *time.Duration `json:"rotation_period,omitempty"`
	RotationSchedule         string         `json:"rotation_schedule,omitempty"`
	RotationTimezone         string         `json:"rotation_timezone,omitempty"`
	RotationWindow           *time.Duration `json:"rotation_window,omitempty"`
	RotateOnRead             *bool          `json:"rotate_on_read,omitempty"`
	RotateOnReadCooldown     *time.Duration `json:"rotate_on_read_cooldown,omitempty"`
	DisableAutomatedRotation *bool          `json:"disable_automated_rotation,omitempty"`

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

// source is the role's source as in force with a provider.
func (r *Record) source(d cloud.Descriptor) rotation.Source {
	switch {
	case r.Source != "":
		return r.Source
	case d.HasInitialPassword:
		return rotation.FromInitial
	}
	return rotation.FromReset
}

// defaultMode is the mode of a new role that names none.
func defaultMode(source rotation.Source) rotation.Mode {
	if source == rotation.FromInitial {
		return rotation.Static
	}
	return rotation.Leased
}

// resetMethod is the way in which the role has passwords set; false if it never does: where the provider
// cannot, and in a static role about initial passwords unless it names a method. Reading what the cloud
// has already must not need, or use, the right to change it. The role's mode is settled.
func (r *Record) resetMethod(d cloud.Descriptor) (cloud.ResetMethod, bool) {
	switch {
	case r.ResetMethod != "":
		return d.ResetMethod(r.ResetMethod)
	case !d.CanReset(), r.Mode == rotation.Static && r.source(d) == rotation.FromInitial:
		return cloud.ResetMethod{}, false
	}
	return d.ResetMethods[0], true
}

// resets reports whether the role ever has passwords set.
func (r *Record) resets(d cloud.Descriptor) bool {
	_, ok := r.resetMethod(d)
	return ok
}

func (r *Record) forceStop() bool { return r.ForceStop != nil && *r.ForceStop }

func (r *Record) minResetInterval() time.Duration {
	switch {
	case r.MinResetInterval != nil:
		return *r.MinResetInterval
	case r.forceStop():
		return defaultForcedInterval
	}
	return 0
}

func (r *Record) checkout() rotation.Checkout {
	if r.Checkout == "" {
		return rotation.Shared
	}
	return r.Checkout
}

func (r *Record) maxVersions() int {
	if r.MaxVersions == 0 {
		return defaultMaxVersions
	}
	return r.MaxVersions
}

// EffectiveTTL is ttl, as given or by default.
func (r *Record) EffectiveTTL() time.Duration { return request.ValueOr(r.TTL, defaultTTL) }

// EffectiveMaxTTL is max_ttl, as given or by default.
func (r *Record) EffectiveMaxTTL() time.Duration { return request.ValueOr(r.MaxTTL, defaultMaxTTL) }

// Shared reports whether the role's accounts have one password.
func (r *Record) Shared() bool { return request.ValueOr(r.SharedPassword, false) }

// skipImportRotation is whether writing the role leaves new accounts alone: by default where a reset
// may stop the server.
func (r *Record) skipImportRotation() bool {
	if r.SkipImportRotation != nil {
		return *r.SkipImportRotation
	}
	return r.forceStop()
}

// Settings are what the role's accounts need to know of it.
func (r *Record) Settings(d cloud.Descriptor) rotation.Settings {
	method, resets := r.resetMethod(d)
	s := rotation.Settings{
		Mode:             r.Mode,
		Source:           r.source(d),
		Key:              r.Key,
		PasswordPolicy:   r.PasswordPolicy,
		ForceStop:        r.forceStop(),
		MinResetInterval: r.minResetInterval(),
		MaxVersions:      r.maxVersions(),
		ClearInitial:     request.ValueOr(r.ClearInitial, false),
		CanReset:         resets,
		ResetMethod:      method.Name,
		SharedPassword:   r.Shared(),
		Schedule:         r.schedule(),
		RotateOnRead:     r.rotateOnRead(),
	}
	if s.RotateOnRead {
		s.RotateOnReadCooldown = r.readCooldown()
	}
	if r.Mode == rotation.Leased {
		s.Checkout, s.TTL, s.MaxTTL = r.checkout(), r.EffectiveTTL(), r.EffectiveMaxTTL()
	}
	return s
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

// ResponseData is what reading the role returns, with defaults filled in. Fields of the other mode, and those
// that the provider has no use for, are left out.
func (r *Record) ResponseData(d cloud.Descriptor) map[string]any {
	data := map[string]any{
		"connection":      r.Connection,
		"instance_ids":    r.InstanceIDs,
		"instance_tags":   r.InstanceTags,
		"username":        r.Username,
		"mode":            string(r.Mode),
		"source":          string(r.source(d)),
		"max_versions":    r.maxVersions(),
		"custom_metadata": r.CustomMetadata,
	}
	if r.InstanceIDs == nil {
		data["instance_ids"] = []string{}
	}
	if r.InstanceTags != nil {
		data["waiting"] = r.waiting()
	}
	for _, field := range []string{"instance_tags", "custom_metadata"} {
		if m, ok := data[field].(map[string]string); ok && m == nil {
			data[field] = map[string]string{}
		}
	}
	if r.Mode == rotation.Leased {
		data["checkout"] = string(r.checkout())
		data["ttl"] = request.Seconds(r.EffectiveTTL())
		data["max_ttl"] = request.Seconds(r.EffectiveMaxTTL())
	}
	if r.source(d) == rotation.FromInitial {
		data["key"] = r.Key
		if d.CanClearInitial {
			data["clear_initial"] = request.ValueOr(r.ClearInitial, false)
		}
	}
	method, resets := r.resetMethod(d)
	if d.CanReset() {
		data["reset_method"] = method.Name
	}
	if resets {
		data["password_policy"] = r.PasswordPolicy
		data["min_reset_interval"] = request.Seconds(r.minResetInterval())
		data["shared_password"] = r.Shared()
		if r.Mode == rotation.Static {
			data["skip_import_rotation"] = r.skipImportRotation()
		}
		maps.Copy(data, r.readSchedule())
	}
	if method.MayStop {
		data["force_stop"] = r.forceStop()
	}
	return data
}

// waiting are the instances that the role's tags match and that it does not have, and those that it has only
// until somebody has them moved.
func (r *Record) waiting() []map[string]any {
	waiting := []map[string]any{}
	for _, c := range slices.Concat(r.Conflicts, r.Kept) {
		waiting = append(waiting, map[string]any{"instance_id": c.InstanceID, "username": c.Username, "reason": c.Reason})
	}
	return waiting
}

// With lists the roles with a property, sorted.
func (s *Store) With(ctx context.Context, has func(*Record) bool) ([]string, error) {
	names, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		r, err := s.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		if r != nil && has(r) {
			found = append(found, name)
		}
	}
	return found, nil
}

// Of lists the roles that use a connection.
func (s *Store) Of(ctx context.Context, connection string) ([]string, error) {
	return s.With(ctx, func(r *Record) bool { return r.Connection == connection })
}
