package host

import (
	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// ResponseSchemas is the schema of a read.
func ResponseSchemas() map[string]*framework.FieldSchema {
	fields := request.ReadBack(Schemas())
	for _, name := range []string{"port", "trust_on_first_use", "tags"} {
		fields[name].Required = true
	}
	for _, name := range []string{"platform", "sudo"} {
		request.AllowEmpty(fields[name])
	}
	addKeySchemas(fields)
	fields["created_time"] = request.TimeField(true, "When the host was written first")
	return fields
}

// addKeySchemas adds what is told of a pinned key.
func addKeySchemas(fields map[string]*framework.FieldSchema) {
	fields["fingerprint"] = &framework.FieldSchema{Type: framework.TypeString,
		Description: "Fingerprint of host_key as OpenSSH prints it; empty if no key is pinned."}
	fields["key_pinned"] = &framework.FieldSchema{Type: framework.TypeString, AllowedValues: []any{PinnedByWrite, PinnedByFirstUse, ""},
		Description: "How the key came to be pinned: written, or first use; empty if none is."}
	fields["key_time"] = request.TimeField(false, "When the key was pinned")
}

// Data is what reading a host returns.
func (r *Record) Data() map[string]any {
	tags := r.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	data := map[string]any{
		"connection": r.Connection, "address": r.Address, "port": r.portInForce(), "host_key": r.HostKey,
		"trust_on_first_use": r.TrustOnFirstUse, "platform": string(r.Platform), "login_user": r.LoginUser, "sudo": r.Sudo, "tags": tags,
		"created_time": request.Timestamp(r.Created),
	}
	r.addKey(data)
	return data
}

func (r *Record) addKey(data map[string]any) {
	data["fingerprint"], data["key_pinned"] = sshclient.Fingerprint(r.HostKey), r.KeyPinned
	if !r.KeyTime.IsZero() {
		data["key_time"] = request.Timestamp(r.KeyTime)
	}
}

// Row is what a list tells of a host.
func (r *Record) Row() map[string]any {
	return map[string]any{"connection": r.Connection, "address": r.Address, "port": r.portInForce(), "platform": string(r.Platform),
		"fingerprint": sshclient.Fingerprint(r.HostKey), "key_pinned": r.KeyPinned}
}

// PinSchemas is the schema of what host-key/ answers.
func PinSchemas() map[string]*framework.FieldSchema {
	fields := map[string]*framework.FieldSchema{
		"connection": {Type: framework.TypeString, Required: true, Description: "Name of the connection of the host."},
		"host_key":   {Type: framework.TypeString, Required: true, Description: "The pinned public host key; empty if none is."},
		"login_user": {Type: framework.TypeString, Required: true,
			Description: "User to log in as; empty if it is that of the connection."},
		"deleted_time": request.TimeField(false, "If the host was deleted while it had accounts: when"),
	}
	addKeySchemas(fields)
	return fields
}

// PinData is what host-key/ answers.
func (r *Record) PinData() map[string]any {
	data := map[string]any{"connection": r.Connection, "host_key": r.HostKey, "login_user": r.LoginUser}
	r.addKey(data)
	if !r.Deleted.IsZero() {
		data["deleted_time"] = request.Timestamp(r.Deleted)
	}
	return data
}
