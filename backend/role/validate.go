package role

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Bounds of role fields.
const (
	// MaxInstances keeps a role's stored mapping below what Vault's storage takes, unless names are long or the
	// password is shared (see checkSize).
	MaxInstances     = request.MaxElements
	maxVersionsBound = 100
	maxMetadata      = 64 // pairs, as in Vault's KV engine
	maxMetadataKey   = 128
	maxMetadataValue = 512
	// longestTTL is a bound against slips of the keyboard.
	longestTTL = 10 * 365 * 24 * time.Hour
)

// apply makes the role that a write asks for out of the stored one, which is nil for a new one.
// It checks everything that can be checked without asking the cloud.
func (s *Store) apply(ctx context.Context, name string, old *Record, in request.Fields) (*Record, *connection.Record, cloud.Descriptor,
	error) {
	next := &Record{}
	if old != nil {
		next = old.clone()
	}
	next.Schema = store.SchemaVersion
	refuse := func(err error) (*Record, *connection.Record, cloud.Descriptor, error) {
		return nil, nil, cloud.Descriptor{}, err
	}
	in.Text("connection", &next.Connection)
	switch {
	case next.Connection == "":
		return refuse(request.Invalidf("connection: required; name one of: %s", hint.New("list", "config")))
	case old != nil && next.Connection != old.Connection:
		return refuse(request.Invalidf(
			"connection: cannot be changed from %s, since the role's accounts and their passwords belong to it. For other "+
				"servers write another role. To reach the same servers with other credentials or endpoints, write these to that connection: %s",
			old.Connection,
			hint.New("read", "config/"+old.Connection)))
	case !request.IsName(next.Connection):
		return refuse(request.Invalidf("connection: %.40q is no name of a connection", next.Connection))
	}
	c, err := s.Connections.Get(ctx, next.Connection)
	if err != nil {
		return refuse(err)
	}
	if c == nil {
		return refuse(request.Invalidf("connection: there is no connection %s; write config/%s first, or take one of: %s", next.Connection,
			next.Connection, hint.New("list", "config")))
	}
	if !c.Allows(name) {
		return refuse(request.Invalidf("connection: %s does not allow role %s; %s", next.Connection, name, c.AllowHint(next.Connection, name)))
	}
	d, ok := s.Registry[c.Provider]
	if !ok {
		return refuse(request.Invalidf("connection: this plugin version has no provider %s", c.Provider))
	}
	if err := readFields(next, in); err != nil {
		return refuse(err)
	}
	for _, check := range []func(*Record, *Record, request.Fields, cloud.Descriptor) error{
		checkMapping, checkSourceAndMode, checkLeaseFields, checkResetFields, s.checkSchedule, checkSharedPassword, checkInitialFields,
		checkOtherFields,
	} {
		if err := check(next, old, in, d); err != nil {
			return refuse(err)
		}
	}
	if next.Key != "" && next.source(d) == rotation.FromInitial &&
		(old == nil || old.Key != next.Key || old.source(d) != rotation.FromInitial) {
		stored, _, err := s.Keys.Load(ctx, next.Key)
		if err != nil {
			return refuse(err)
		}
		if stored == nil {
			return refuse(request.Invalidf("key: there is no key keys/%s; %s", next.Key, keypair.StoreHint(next.Key)))
		}
		if !stored.Allows(next.Connection) {
			return refuse(request.Invalidf("key: %s", keypair.Refusal(next.Key, stored, next.Connection)))
		}
	}
	return next, c, d, nil
}

// readFields takes over what the write names.
func readFields(r *Record, in request.Fields) error {
	in.List("instance_ids", &r.InstanceIDs)
	in.Pairs("instance_tags", &r.InstanceTags)
	in.Text("username", &r.Username)
	in.Text("key", &r.Key)
	in.Text("password_policy", &r.PasswordPolicy)
	in.Text("source", (*string)(&r.Source))
	in.Text("checkout", (*string)(&r.Checkout))
	in.Text("reset_method", &r.ResetMethod)
	in.Flag("force_stop", &r.ForceStop)
	in.Flag("clear_initial", &r.ClearInitial)
	in.Flag("skip_import_rotation", &r.SkipImportRotation)
	in.Flag("shared_password", &r.SharedPassword)
	in.Flag("rotate_on_read", &r.RotateOnRead)
	in.Flag("disable_automated_rotation", &r.DisableAutomatedRotation)
	in.Trimmed("rotation_schedule", &r.RotationSchedule)
	in.Trimmed("rotation_timezone", &r.RotationTimezone)
	in.Number("max_versions", &r.MaxVersions)
	if r.MaxVersions == 0 && in.Has("max_versions") && !in.Empty("max_versions") { // 0 would stand for the default
		return badMaxVersions()
	}
	in.Pairs("custom_metadata", &r.CustomMetadata)
	for field, at := range map[string]**time.Duration{
		"ttl": &r.TTL, "max_ttl": &r.MaxTTL, "min_reset_interval": &r.MinResetInterval,
		"rotation_period": &r.RotationPeriod, "rotation_window": &r.RotationWindow, "rotate_on_read_cooldown": &r.RotateOnReadCooldown,
	} {
		if err := in.Duration(field, at); err != nil {
			return err
		}
	}
	// 0 is Vault's way to ask for the default of a TTL, and of these the default is none.
	for _, at := range []**time.Duration{&r.TTL, &r.MaxTTL, &r.RotationPeriod, &r.RotationWindow} {
		if *at != nil && **at == 0 {
			*at = nil
		}
	}
	return nil
}

// checkMapping checks which instances and which user.
func checkMapping(r, _ *Record, _ request.Fields, _ cloud.Descriptor) error {
	switch {
	case len(r.InstanceIDs) > 0 && len(r.InstanceTags) > 0:
		return request.Invalidf("instance_tags: not together with instance_ids; give one of them, and an empty value to drop the other")
	case len(r.InstanceIDs) == 0 && len(r.InstanceTags) == 0:
		return request.Invalidf("instance_ids: required, unless instance_tags is given")
	case len(r.InstanceIDs) > MaxInstances:
		return request.Invalidf("instance_ids: %d ids; a role has at most %d, so write several roles", len(r.InstanceIDs), MaxInstances)
	}
	for _, id := range r.InstanceIDs {
		if !request.IsName(id) {
			return request.Invalidf("instance_ids: %.40q is no instance id", id)
		}
	}
	if err := request.CheckTags("instance_tags", r.InstanceTags); err != nil {
		return err
	}
	return checkUsername(r.Username)
}

// checkUsername checks a user name, of which the platform is not known yet; "" stands for the platform's default.
func checkUsername(name string) error {
	if name == "" {
		return nil
	}
	if err := cloud.CheckUsername("", name); err != nil {
		return request.Invalidf("%v", err)
	}
	return nil
}

// checkSourceAndMode checks what the provider can do, and settles the mode of a new role.
func checkSourceAndMode(r, old *Record, in request.Fields, d cloud.Descriptor) error {
	source := r.source(d)
	switch {
	case source != rotation.FromInitial && source != rotation.FromReset:
		return request.Invalidf("source: %.40q is unknown; use %s or %s", source, rotation.FromInitial, rotation.FromReset)
	case source == rotation.FromInitial && !d.HasInitialPassword:
		return request.Invalidf("source: %s keeps no initial passwords; use source=%s", d.Title, rotation.FromReset)
	case source == rotation.FromReset && !d.CanReset():
		return request.Invalidf("source: provider %s cannot reset passwords; use source=%s", d.Name, rotation.FromInitial)
	}
	mode := defaultMode(source)
	if old != nil {
		mode = old.Mode
	}
	if in.Gives("mode") {
		mode = rotation.Mode(in.Data.Get("mode").(string))
	}
	switch {
	case mode != rotation.Leased && mode != rotation.Static:
		return request.Invalidf("mode: %.40q is unknown; use %s or %s", mode, rotation.Leased, rotation.Static)
	case old != nil && mode != old.Mode:
		return request.Invalidf("mode: cannot be changed from %s; delete the role and write it again: %s", old.Mode, deleteHint(in))
	case mode == rotation.Leased && !d.CanReset():
		return request.Invalidf("mode: the end of a lease resets the password, which provider %s cannot do; use mode=%s: %s", d.Name,
			rotation.Static,
			in.Again("roles/", "mode=static"))
	}
	r.Mode = mode
	return nil
}

// deleteHint is the command that deletes the role which is written.
func deleteHint(in request.Fields) hint.Hint {
	return hint.New("delete", "roles/"+in.Data.Get("name").(string))
}

// checkLeaseFields checks the fields of leased roles.
func checkLeaseFields(r, _ *Record, in request.Fields, _ cloud.Descriptor) error {
	if r.Mode != rotation.Leased {
		for _, field := range []string{"checkout", "ttl", "max_ttl"} {
			if in.Gives(field) {
				return request.Invalidf("%s: belongs to leased roles, and this one is %s; leave it out", field, r.Mode)
			}
		}
		return nil
	}
	if in.Gives("skip_import_rotation") {
		return request.Invalidf("skip_import_rotation: belongs to static roles; writing a leased role resets nothing, so leave it out")
	}
	switch {
	case r.checkout() != rotation.Shared && r.checkout() != rotation.Exclusive:
		return request.Invalidf("checkout: %.40q is unknown; use %s or %s", r.Checkout, rotation.Shared, rotation.Exclusive)
	case r.EffectiveMaxTTL() > longestTTL:
		return request.Invalidf("max_ttl: must be at most %dh", int(longestTTL.Hours()))
	case r.EffectiveTTL() > r.EffectiveMaxTTL() && r.MaxTTL == nil:
		return request.Invalidf("ttl: %s is above max_ttl, which is %s by default; set max_ttl too", request.FormatDuration(r.EffectiveTTL()),
			request.FormatDuration(r.EffectiveMaxTTL()))
	case r.EffectiveTTL() > r.EffectiveMaxTTL() && r.TTL == nil:
		return request.Invalidf("max_ttl: %s is below ttl, which is %s by default; set ttl too", request.FormatDuration(r.EffectiveMaxTTL()),
			request.FormatDuration(r.EffectiveTTL()))
	case r.EffectiveTTL() > r.EffectiveMaxTTL():
		return request.Invalidf("ttl: %s is above max_ttl, which is %s", request.FormatDuration(r.EffectiveTTL()),
			request.FormatDuration(r.EffectiveMaxTTL()))
	}
	return nil
}

// resetFields are the fields that only roles have use for that set passwords.
var resetFields = slices.Concat([]string{"password_policy", "min_reset_interval", "force_stop", "shared_password"}, scheduleFields)

// resetField returns a field of resetFields that the role still has a value for, or "".
func (r *Record) resetField() string {
	s := r.schedule()
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"password_policy", r.PasswordPolicy != ""}, {"min_reset_interval", r.MinResetInterval != nil}, {"force_stop", r.ForceStop != nil},
		{"rotation_period", s.Period > 0}, {"rotation_schedule", s.Cron != ""}, {"rotate_on_read", r.rotateOnRead()},
	} {
		if f.set {
			return f.name
		}
	}
	return ""
}

// checkResetFields checks the fields about resets.
func checkResetFields(r, _ *Record, in request.Fields, d cloud.Descriptor) error {
	method, resets := r.resetMethod(d)
	switch {
	case r.ResetMethod != "" && !d.CanReset():
		return request.Invalidf("reset_method: provider %s cannot reset passwords; leave it out", d.Name)
	case r.ResetMethod != "" && !resets:
		return request.Invalidf("reset_method: provider %s has no %.40q; use %s", d.Name, r.ResetMethod,
			strings.Join(d.ResetMethodNames(), " or "))
	case !resets:
		return checkNoResetFields(r, in, d)
	case method.MayStop && r.ForceStop == nil:
		return request.Invalidf("force_stop: required with provider %s, which resets the password of a running server by shutting it down: "+
			"true allows that, false resets only stopped servers. Decide it: %s", d.Name, in.Again("roles/", "force_stop=true"))
	case !method.MayStop && r.ForceStop != nil:
		return request.Invalidf("force_stop: provider %s stops no server with reset_method=%s; leave it out, or give an empty value to drop it",
			d.Name,
			method.Name)
	case r.minResetInterval() > longestTTL:
		return request.Invalidf("min_reset_interval: must be at most %dh", int(longestTTL.Hours()))
	}
	return nil
}

// checkNoResetFields refuses what has no use in a role that sets no passwords.
func checkNoResetFields(r *Record, in request.Fields, d cloud.Descriptor) error {
	field := r.resetField()
	for _, f := range resetFields {
		if f == "shared_password" && d.CanReset() {
			continue // checkSharedPassword has the better reason
		}
		if field == "" && in.Gives(f) {
			field = f
		}
	}
	if field == "" && r.SkipImportRotation != nil && !*r.SkipImportRotation {
		field = "skip_import_rotation"
	}
	switch {
	case field == "":
		return nil
	case !d.CanReset():
		return request.Invalidf("%s: provider %s cannot reset passwords, so nothing rotates; leave it out", field, d.Name)
	}
	return request.Invalidf(
		"%s: this role only reads initial passwords and sets none; give reset_method=%s too, or an empty value to drop the field",
		field, d.ResetMethods[0].Name)
}

// checkSharedPassword checks shared_password. A change would have to merge or to part passwords that
// clients hold under leases, so it takes the end of the role.
func checkSharedPassword(r, old *Record, in request.Fields, d cloud.Descriptor) error {
	switch {
	case old != nil && r.Shared() != old.Shared():
		return request.Invalidf("shared_password: cannot be changed from %t; delete the role and write it again: %s", old.Shared(),
			deleteHint(in))
	case r.Shared() && r.source(d) != rotation.FromReset:
		return request.Invalidf("shared_password: every instance has an initial password of its own; use source=%s with it", rotation.FromReset)
	}
	return nil
}

// checkInitialFields checks the fields about initial passwords.
func checkInitialFields(r, _ *Record, in request.Fields, d cloud.Descriptor) error {
	if r.source(d) != rotation.FromInitial {
		for _, field := range []string{"key", "clear_initial"} {
			if in.Gives(field) {
				return request.Invalidf("%s: belongs to source=%s, and this role has source=%s; leave it out", field, rotation.FromInitial, r.source(d))
			}
		}
		r.Key, r.ClearInitial = "", nil
		return nil
	}
	if request.ValueOr(r.ClearInitial, false) && !d.CanClearInitial {
		return request.Invalidf("clear_initial: %s cannot delete its copy of an initial password; leave it out", d.Title)
	}
	if r.Key != "" && !request.IsName(r.Key) {
		return request.Invalidf("key: %.40q is not the name of a key in keys/; list them with: %s", r.Key, hint.New("list", "keys"))
	}
	return nil
}

func badMaxVersions() error {
	return request.Invalidf("max_versions: must be 1 to %d; an empty value restores the default", maxVersionsBound)
}

// checkOtherFields checks what belongs nowhere else.
func checkOtherFields(r, _ *Record, _ request.Fields, _ cloud.Descriptor) error {
	if r.MaxVersions < 0 || r.MaxVersions > maxVersionsBound {
		return badMaxVersions()
	}
	if len(r.CustomMetadata) > maxMetadata {
		return request.Invalidf("custom_metadata: %d pairs; at most %d are kept", len(r.CustomMetadata), maxMetadata)
	}
	for _, key := range slices.Sorted(maps.Keys(r.CustomMetadata)) {
		if err := request.CheckPair("custom_metadata", key, r.CustomMetadata[key], maxMetadataKey, maxMetadataValue); err != nil {
			return err
		}
	}
	return nil
}
