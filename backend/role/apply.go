package role

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
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
			"connection: cannot be changed from %s, since the role's accounts and their passwords belong to it. For other servers write "+
				"another role. To have another connection of the same cloud account serve the same servers, write another role with that "+
				"connection, and move the accounts to both, with their passwords: %s. To reach the servers with other credentials or endpoints, "+
				"write these to the connection that they have: %s", old.Connection,
			rotation.ID{Connection: old.Connection, InstanceID: "INSTANCE_ID", Username: "USERNAME"}.MoveToHint(next.Connection, "ROLE"),
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
	for _, step := range []func(*Record, *Record, request.Fields, cloud.Descriptor) error{
		checkMapping, checkSource, settleMode, checkLeaseFields, checkResetFields, s.checkSchedule, checkSharedPassword, checkInitialFields,
		checkVerifyFields, checkOtherFields,
	} {
		if err := step(next, old, in, d); err != nil {
			return refuse(err)
		}
	}
	dropUnusedFields(next, d)
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
	in.Text("rotate_on_revoke", (*string)(&r.RotateOnRevoke))
	in.Text("reset_method", &r.ResetMethod)
	in.Flag("force_stop", &r.ForceStop)
	in.Flag("clear_initial", &r.ClearInitial)
	in.Flag("skip_import_rotation", &r.SkipImportRotation)
	in.Flag("shared_password", &r.SharedPassword)
	in.Flag("rotate_on_read", &r.RotateOnRead)
	in.Flag("disable_automated_rotation", &r.DisableAutomatedRotation)
	in.Text("check_method", &r.CheckMethod)
	in.Text("drift_action", (*string)(&r.DriftAction))
	in.Flag("read_drifted", &r.ReadDrifted)
	in.Text("check_address", (*string)(&r.CheckAddress))
	in.Flag("check_trust_on_first_use", &r.CheckFirstUse)
	in.Number("check_port", &r.CheckPort)
	if r.CheckPort == 0 && in.Has("check_port") && !in.Empty("check_port") { // 0 would stand for the default
		return badCheckPort()
	}
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
		"verify_period": &r.VerifyPeriod,
	} {
		if err := in.Duration(field, at); err != nil {
			return err
		}
	}
	// 0 is Vault's way to ask for the default of a TTL, and of these the default is none.
	for _, at := range []**time.Duration{&r.TTL, &r.MaxTTL, &r.RotationPeriod, &r.RotationWindow, &r.VerifyPeriod} {
		if *at != nil && **at == 0 {
			*at = nil
		}
	}
	return nil
}
