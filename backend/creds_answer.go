package backend

import (
	"maps"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func credsResponse() map[string]*framework.FieldSchema {
	text := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: description}
	}
	fields := map[string]*framework.FieldSchema{
		"username":            text("User to log in as."),
		"password":            text("The password."),
		"instance_id":         text("Id of the instance."),
		"instance_name":       text("Name of the instance in the cloud."),
		"private_ip":          text("Private address, as last seen."),
		"public_ip":           text("Public address, as last seen; empty if it has none."),
		"platform":            text("windows or linux; empty if the cloud does not tell."),
		"connection":          text("The connection that serves the instance."),
		"source":              text("Where this version comes from: initial, reset or import."),
		"created_time":        text("When this version was made, RFC 3339."),
		"last_vault_rotation": text("When Vault last rotated the account, RFC 3339; for an unrotated version its creation time."),
		"version":             {Type: framework.TypeInt, Required: true, Description: "Number of the version, counted from 1."},
	}
	maps.Copy(fields, scheduleResponse())
	fields["password"].DisplayAttrs = secretly("Password")
	return fields
}

// groupResponse is credsResponse for a path that may answer for all accounts of a role.
func groupResponse() map[string]*framework.FieldSchema {
	fields := credsResponse()
	fields["instance_ids"] = &framework.FieldSchema{Type: framework.TypeStringSlice,
		Description: "Only with shared_password: ids of the instances that have this password. instance_id, instance_name, the addresses and platform are empty then, and username is where it is not the same on all of them."}
	return fields
}

// credsAnswer makes the response: in leased mode under a lease. about says whose password it is.
func (b *backend) credsAnswer(a *rotation.Answer, about map[string]any) *logical.Response {
	rotated := a.LastRotation
	if rotated.IsZero() {
		rotated = a.Version.Created
	}
	data := map[string]any{
		"password":            a.Version.Password,
		"connection":          a.ID.Connection,
		"source":              string(a.Version.Source),
		"version":             a.Version.Number,
		"created_time":        timestamp(a.Version.Created),
		"last_vault_rotation": timestamp(rotated),
	}
	maps.Copy(data, about)
	if a.Lease == nil {
		maps.Copy(data, b.scheduleAnswer(a, time.Now()))
		return &logical.Response{Data: data}
	}
	return b.leased(data, a)
}

// accountAnswer is the part of an answer that tells about one account.
func accountAnswer(a *rotation.Answer) map[string]any {
	return map[string]any{
		"username":      a.ID.Username,
		"instance_id":   a.ID.InstanceID,
		"instance_name": a.Facts.Name,
		"private_ip":    a.Facts.PrivateIP,
		"public_ip":     a.Facts.PublicIP,
		"platform":      string(a.Facts.Platform),
	}
}

// groupAnswer is the part of an answer that tells about all accounts of a role.
func (r *role) groupAnswer() map[string]any {
	data := accountAnswer(&rotation.Answer{})
	instances := r.instances()
	data["instance_ids"] = instances
	data["username"] = r.Users[instances[0]]
	for _, instance := range instances {
		if r.Users[instance] != data["username"] {
			data["username"] = ""
			break
		}
	}
	return data
}
