package role

import (
	"maps"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
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

// sources are where version 1 can come from.
var sources = []rotation.Source{rotation.FromInitial, rotation.FromReset, rotation.FromImport}

// checkSource checks what version 1 is to be: what the provider can do.
func checkSource(r, _ *Record, _ request.Fields, d cloud.Descriptor) error {
	source := r.source(d)
	switch {
	case !slices.Contains(sources, source):
		return request.Invalidf("source: %.40q is unknown; use %s, %s or %s", source, rotation.FromInitial, rotation.FromReset,
			rotation.FromImport)
	case source == rotation.FromImport && r.ResetMethod != "":
		return request.Invalidf("reset_method: passwords of a role with source=%s are set by people; leave reset_method out, or give an empty "+
			"value to drop it, or use source=%s", rotation.FromImport, rotation.FromReset)
	case source == rotation.FromInitial && !d.HasInitialPassword:
		return request.Invalidf("source: %s keeps no initial passwords; use source=%s", d.Title, rotation.FromReset)
	case source == rotation.FromReset && !d.CanReset():
		return request.Invalidf("source: provider %s cannot reset passwords; use source=%s, or source=%s for passwords that people set", d.Name,
			rotation.FromInitial, rotation.FromImport)
	}
	return nil
}

// settleMode sets the mode, which a new role takes from the write or from its source, and checks it. What is checked after it
// goes by the mode.
func settleMode(r, old *Record, in request.Fields, d cloud.Descriptor) error {
	mode := defaultMode(r.source(d))
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
	case old != nil && mode == rotation.Leased && r.source(d) == rotation.FromImport:
		return request.Invalidf("source: the end of a lease sets another password, and those of a role with source=%s are set by people; delete "+
			"the role and write it again with mode=%s: %s", rotation.FromImport, rotation.Static, deleteHint(in))
	case mode == rotation.Leased && r.source(d) == rotation.FromImport:
		return request.Invalidf("mode: the end of a lease sets another password, and those of a role with source=%s are set by people; "+
			"use mode=%s", rotation.FromImport, rotation.Static)
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
		for _, field := range []string{"checkout", "rotate_on_revoke", "ttl", "max_ttl"} {
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
	case r.rotateOnRevoke() != rotation.LastLease && r.rotateOnRevoke() != rotation.AnyLease:
		return request.Invalidf("rotate_on_revoke: %.40q is unknown; use %s or %s", r.RotateOnRevoke, rotation.LastLease, rotation.AnyLease)
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

// checkSharedPassword checks shared_password. A change would have to merge or to part passwords that
// clients hold under leases, so it takes the end of the role.
func checkSharedPassword(r, old *Record, in request.Fields, d cloud.Descriptor) error {
	switch {
	case old != nil && r.Shared() != old.Shared():
		return request.Invalidf("shared_password: cannot be changed from %t; delete the role and write it again: %s", old.Shared(),
			deleteHint(in))
	case r.Shared() && r.source(d) == rotation.FromImport:
		return request.Invalidf("shared_password: is set on all instances by cloudpw, and passwords of a role with source=%s are set by people; "+
			"use source=%s with it", rotation.FromImport, rotation.FromReset)
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

// dropUnusedFields drops the fields about initial passwords from a role that has nothing to do with them, as one whose source
// has changed.
func dropUnusedFields(r *Record, d cloud.Descriptor) {
	if r.source(d) != rotation.FromInitial {
		r.Key, r.ClearInitial = "", nil
	}
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
