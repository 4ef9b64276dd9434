package backend

import (
	"maps"
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
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
		"created_time":        request.TimeField(true, "When this version was made"),
		"last_vault_rotation": request.TimeField(true, "When Vault last rotated the account; for an unrotated version its creation time"),
		"version":             {Type: framework.TypeInt, Required: true, Description: "Number of the version, counted from 1."},
	}
	fields["confirmed_here"] = &framework.FieldSchema{Type: framework.TypeBool,
		Description: "Only if the connection now leads to another place than when this version was confirmed: false."}
	maps.Copy(fields, scheduleResponse())
	fields["password"].DisplayAttrs = request.SensitiveName("Password")
	return fields
}

// groupResponse is credsResponse for a path that may answer for all accounts of a role.
func groupResponse() map[string]*framework.FieldSchema {
	fields := credsResponse()
	fields["instance_ids"] = &framework.FieldSchema{Type: framework.TypeStringSlice,
		Description: "Only with shared_password: ids of the instances that have this password. instance_id, instance_name, the addresses and " +
			"platform are then empty, and so is username if it differs between them."}
	return fields
}

// credsFields is how many fields an answer has at most: its map is made once, at its full size.
const credsFields = 17

// credsAnswer makes the response: in leased mode under a lease. data says whose password it is, and receives the rest.
func (b *backend) credsAnswer(a *rotation.Answer, data map[string]any) *logical.Response {
	rotated := a.LastRotation
	if rotated.IsZero() {
		rotated = a.Version.Created
	}
	data["password"] = a.Version.Password
	data["connection"] = a.ID.Connection
	data["source"] = string(a.Version.Source)
	data["version"] = a.Version.Number
	data["created_time"] = request.Timestamp(a.Version.Created)
	data["last_vault_rotation"] = request.Timestamp(rotated)
	var resp *logical.Response
	if a.Lease == nil {
		b.scheduleAnswer(data, a, b.core.Now())
		resp = &logical.Response{Data: data}
	} else {
		resp = b.leased(data, a)
	}
	if a.Elsewhere {
		data["confirmed_here"] = false
		resp = request.Warn(resp, hint.Textf(
			"connection %s leads to another place now than when this password was confirmed; nothing there has confirmed it: %s",
			a.ID.Connection, hint.New("read", connection.PlacePrefix+a.ID.Connection)))
	}
	if !a.Rebuilt.IsZero() {
		resp = request.Warn(resp, a.Rebuilt)
	}
	return resp
}

// accountAnswer is the part of an answer that tells about one account.
func accountAnswer(a *rotation.Answer) map[string]any {
	data := make(map[string]any, credsFields)
	data["username"] = a.ID.Username
	data["instance_id"] = a.ID.InstanceID
	data["instance_name"] = a.Facts.Name
	data["private_ip"] = a.Facts.PrivateIP
	data["public_ip"] = a.Facts.PublicIP
	data["platform"] = string(a.Facts.Platform)
	return data
}

// groupAnswer is the part of an answer that tells about the accounts of a role that have its password.
func groupAnswer(holders []rotation.ID) map[string]any {
	data := accountAnswer(&rotation.Answer{})
	instances := make([]string, 0, len(holders))
	for i, id := range holders {
		instances = append(instances, id.InstanceID)
		if i == 0 {
			data["username"] = id.Username
		} else if id.Username != data["username"] {
			data["username"] = ""
		}
	}
	slices.Sort(instances)
	data["instance_ids"] = instances
	return data
}
