package role

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// Schemas is the schema of roles/<name>.
func Schemas(registry cloud.Registry) map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"name": request.NameField("Name of the role."),
		"connection": {Type: framework.TypeString, Required: true, DisplayAttrs: request.DisplayName("Connection"),
			Description: "Name of the connection, one of config/. Cannot be changed. Required."},
		"instance_ids": {Type: framework.TypeCommaStringSlice, DisplayAttrs: request.DisplayName("Instance ids"),
			Description: fmt.Sprintf("Ids of the instances, at most %d. Each must exist. Required unless instance_tags is given.", MaxInstances)},
		"instance_tags": {Type: framework.TypeKVPairs, DisplayAttrs: request.DisplayName("Instance tags"),
			Description: fmt.Sprintf("Tags, as key=value, all of which an instance must have, at most %d. On Huawei Cloud, Open Telekom Cloud "+
				"and OpenStack metadata counts, too. Required unless instance_ids is given.", request.MaxTags)},
		"username": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("User name"),
			Description: "User whose password the role manages: a local one, with letters of any script and blanks inside, at most 20 characters " +
				"on Windows and 32 on Linux. With reset_method=command, @builtin-administrator is the Windows account whose SID ends in -500, " +
				"whatever its name. No domain accounts. Default: by platform: Administrator on Windows, ubuntu on Tencent Cloud's Ubuntu, else root."},
		"mode": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Mode"), AllowedValues: []any{string(rotation.Leased),
			string(rotation.Static)},
			Description: "leased: every read returns a lease; when the last one ends, the account is rotated; for providers that can reset. " +
				"static: never a lease. Fixed when the role is created. Default: leased with source=reset, else static."},
		"source": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Source"), AllowedValues: []any{string(rotation.FromInitial),
			string(rotation.FromReset), string(rotation.FromImport)},
			Description: "What version 1 is. initial: the password that the cloud generated at first boot, decrypted. reset: Vault sets it. " +
				"import: recorded with import/, for servers whose passwords only people set; static roles. Default: initial if the cloud has one, " +
				"else reset."},
		"key": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Key"),
			Description: "With source=initial: name of the private key, one of keys/. Default: the name of the instance's key pair in the cloud."},
		"password_policy": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Password policy"),
			Description: "If the provider can reset: Vault password policy. Its passwords must follow the cloud's rules; this is checked when " +
				"the role is written. Default: the connection's, else the built-in generator."},
		"checkout": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Check-out"), AllowedValues: []any{string(rotation.Shared),
			string(rotation.Exclusive)},
			Description: "Leased roles. shared: more readers get the same version under their own lease. exclusive: they are refused until the " +
				"lease ends. Default: shared."},
		"rotate_on_revoke": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Rotate on revoke"),
			AllowedValues: []any{string(rotation.LastLease), string(rotation.AnyLease)},
			Description: "Leased roles: which lease's end rotates. last: the last one of a version. any: the first one that ends; the other " +
				"readers of the version cannot renew their leases, and must read again after the rotation. Default: last."},
		"ttl": {Type: framework.TypeDurationSecond, DisplayAttrs: request.DisplayName("TTL"),
			Description: fmt.Sprintf("Leased roles: duration of a lease. Default: %s.", request.FormatDuration(defaultTTL))},
		"max_ttl": {Type: framework.TypeDurationSecond, DisplayAttrs: request.DisplayName("Maximum TTL"),
			Description: fmt.Sprintf("Leased roles: longest time from the first disclosure of a version to its end, including renewals and "+
				"further reads. Default: %s.", request.FormatDuration(defaultMaxTTL))},
		"reset_method": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Reset method"),
			AllowedValues: []any{cloud.MethodAPI, cloud.MethodCommand},
			Description: "How passwords are set. api: by a call of the cloud's API with the password. command: by a command that an agent runs " +
				"in the guest, without a shutdown. A static role with source=initial sets passwords only if it names one. Default: " +
				connection.ResetMethods(registry) + "; none in a static role with source=initial."},
		"force_stop": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Force stop"),
			Description: forcesOf(registry)},
		"min_reset_interval": {Type: framework.TypeDurationSecond, DisplayAttrs: request.DisplayName("Least reset interval"),
			Description: fmt.Sprintf("If the provider can reset: minimum time between the starts of two rotations of one account. Default: %s "+
				"with force_stop=true, else 0.", request.FormatDuration(defaultForcedInterval))},
		"clear_initial": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Clear initial password"),
			Description: strings.Join(clearersOf(registry), ", ") +
				": delete the cloud's copy of the initial password after Vault has stored it. Default: false."},
		"skip_import_rotation": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Skip import rotation"),
			Description: "Static roles, if the provider can reset: keep the accounts' passwords when the role is written, instead of rotating " +
				"them. Default: true with force_stop=true, else false."},
		"shared_password": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Shared password"),
			Description: "With source=reset: all accounts of the role have one password and are rotated together, in the cloud's batches if it " +
				"has them. If an instance joins, all of them rotate, since no server is sent a password that others already have; with " +
				"force_stop=true each of them is shut down. An instance that leaves is rotated. Needs an instance. Fixed when the role is created. " +
				"Default: false."},
		"rotation_period": {Type: framework.TypeDurationSecond, DisplayAttrs: request.DisplayName("Rotation period"),
			Description: fmt.Sprintf("Static roles, if the provider can reset: time between two scheduled rotations, at least %s and "+
				"min_reset_interval. Not together with rotation_schedule. Default: none.", request.FormatDuration(minRotationPeriod))},
		"rotation_schedule": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Rotation schedule"),
			Description: "If the provider can reset: cron expression with five fields (minute, hour, day of the month, month, weekday, in which " +
				"Sunday is 0 or 7), such as 0 3 * * SAT. Static roles: when the accounts are rotated. Leased roles, with rotation_window: when " +
				"resets may begin. Default: none."},
		"rotation_timezone": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Rotation time zone"),
			Description: "IANA name of the time zone of rotation_schedule, such as Europe/Berlin. Default: " + defaultTimezone + "."},
		"rotation_window": {Type: framework.TypeDurationSecond, DisplayAttrs: request.DisplayName("Rotation window"),
			Description: fmt.Sprintf("How long after a time of rotation_schedule a reset may still begin, at least %s and less than the interval "+
				"between these times. rotate-role overrides it. Default: none, which means at any time.", request.FormatDuration(minRotationWindow))},
		"rotate_on_read": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Rotate on read"),
			Description: "Static roles, if the provider can reset: a read returns the password and makes the account due. Default: false."},
		"rotate_on_read_cooldown": {Type: framework.TypeDurationSecond, DisplayAttrs: request.DisplayName("Rotate on read: cool-down"),
			Description: fmt.Sprintf("With rotate_on_read: minimum time after a rotation before a read makes the account due again. Default: %s.",
				request.FormatDuration(defaultReadCooldown))},
		"disable_automated_rotation": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Disable automated rotation"),
			Description: "Static roles with rotation_period or rotation_schedule: keep the schedule, but do not follow it. rotate-role still " +
				"rotates. Default: false."},
		"check_method": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Check method"),
			AllowedValues: []any{cloud.CheckCommand, cloud.CheckSSH},
			Description: "How it is looked up whether a server still has the password. command, with " + checkersOf(registry, cloud.CheckCommand) +
				": a command in the guest that changes nothing on Linux. On Windows, experimental: a command that tries the current password " +
				"once, not more often than once in 10 minutes. ssh, with " + checkersOf(registry, cloud.CheckSSH) + ": a login over the network " +
				"with the current password, not more often than once in 10 minutes, and only at a server whose host key is pinned, see hosts/. It " +
				"follows each rotation, too. Default: none, which means that nothing looks."},
		"check_address": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Check: address"),
			AllowedValues: []any{string(cloud.AddressPrivate), string(cloud.AddressPublic), string(cloud.AddressName)},
			Description: "With check_method=ssh, for a cloud's servers: where Vault finds them. private_ip or public_ip, as the cloud tells it, " +
				"or name: the instance's name at the cloud, which Vault's resolver must know. Default: private_ip."},
		"check_port": {Type: framework.TypeInt, DisplayAttrs: request.DisplayName("Check: port"),
			Description: fmt.Sprintf("With check_method=ssh, for a cloud's servers: port of SSH, 1 to %d. Default: %d.", maxPort, cloud.SSHPort)},
		"check_trust_on_first_use": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Check: trust on first use"),
			Description: "With check_method=ssh, for a cloud's servers: if no host key of a server is pinned, pin the one that it shows at the " +
				"first login. Whoever is between Vault and the server then is given that password. Default: false."},
		"verify_period": {Type: framework.TypeDurationSecond, DisplayAttrs: request.DisplayName("Verify period"),
			Description: fmt.Sprintf("With check_method: time between two checks of each server, at least %s. Default: none, which means only when "+
				"verify/ is written.", request.FormatDuration(minVerifyPeriod))},
		"drift_action": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Drift action"),
			AllowedValues: []any{string(rotation.DriftReport), string(rotation.DriftRestore), string(rotation.DriftRotate)},
			Description: "With check_method: what to do when a server has another password than Vault. report: say so, in accounts/ and the log. " +
				"restore: if it has an older version, as after the restore of a snapshot, record that as the current one; a leased account is then " +
				"rotated. rotate: set a new password. A user who is locked, expired or missing is only reported. With shared_password only report. " +
				"Default: report."},
		"read_drifted": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Read drifted"),
			Description: "With check_method: whether a password is still handed out that the server was found not to have. Default: false."},
		"max_versions": {Type: framework.TypeInt, DisplayAttrs: request.DisplayName("Versions kept"),
			Description: fmt.Sprintf("How many versions of a password to keep, 1 to %d. A version that may be in use is always kept. Default: %d.",
				maxVersionsBound, defaultMaxVersions)},
		"custom_metadata": {Type: framework.TypeKVPairs, DisplayAttrs: request.DisplayName("Custom metadata"),
			Description: fmt.Sprintf("Pairs, as key=value, for your own use, at most %d. Not secret. Default: none.", maxMetadata)},
	}
}

// ResponseSchemas is the schema of a read. Which fields there are depends on mode, source and provider.
func ResponseSchemas(registry cloud.Registry) map[string]*framework.FieldSchema {
	fields := request.ReadBack(Schemas(registry))
	fields["waiting"] = &framework.FieldSchema{Type: framework.TypeSlice,
		Description: "With instance_tags: instances that the tags match but another role has, and those that this role keeps although its " +
			"tags no longer match, each with the reason and what ends this: instance_id, username, reason. At most 100 of each."}
	request.AllowEmpty(fields["reset_method"]) // where the role only reads initial passwords
	request.AllowEmpty(fields["check_method"]) // where nothing looks
	for _, name := range []string{"instance_ids", "instance_tags", "username", "mode", "source", "max_versions", "custom_metadata"} {
		fields[name].Required = true
	}
	fields["left_out"] = &framework.FieldSchema{Type: framework.TypeMap, Description: "Only with shared_password: instances that do not " +
		"have the password and for which the others do not wait, with the reason, by id. Omitted if there are none."}
	fields["joining"] = &framework.FieldSchema{Type: framework.TypeCommaStringSlice,
		Description: "Only with shared_password: ids of instances that wait for the next password. Omitted if there are none."}
	return fields
}

// forcesOf describes force_stop, which is for those methods that shut running servers down.
func forcesOf(registry cloud.Registry) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(registry)) {
		for _, method := range registry[name].ResetMethods {
			if method.MayStop {
				all = append(all, name+" with reset_method="+method.Name)
			}
		}
	}
	if len(all) == 0 {
		return "Whether the cloud may shut a running server down for a reset. Default: none."
	}
	where := strings.Join(all, ", ")
	return where + ": whether the cloud may shut a running server down for a reset. It has no default there. Required on " + where + "."
}

// checkersOf are the providers whose servers can be looked at by a check method.
func checkersOf(registry cloud.Registry, method string) string {
	all := slices.DeleteFunc(slices.Sorted(maps.Keys(registry)), func(name string) bool { return !registry[name].HasCheckMethod(method) })
	if len(all) == 0 {
		return "no provider of this version"
	}
	return strings.Join(all, ", ")
}

// clearersOf are the providers whose clouds can delete their copy of an initial password.
func clearersOf(registry cloud.Registry) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(registry)), func(name string) bool { return !registry[name].CanClearInitial })
}
