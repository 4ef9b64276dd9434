package host

import (
	"fmt"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// Schemas is the schema of hosts/<name>.
func Schemas() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"name": request.NameField("Name of the host, which is its instance id: on a cloud's connection that of the cloud."),
		"connection": {Type: framework.TypeString, Required: true, DisplayAttrs: request.DisplayName("Connection"),
			Description: "Name of the connection that serves the host, one of config/. Fixed while accounts of the host exist. Required."},
		"address": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Address"),
			Description: "IP address or name of the server. Required with provider=ssh; a cloud tells its servers' addresses itself."},
		"port": {Type: framework.TypeInt, DisplayAttrs: request.DisplayName("Port"), Default: defaultPort,
			Description: fmt.Sprintf("Port of SSH, 1 to %d. Default: %d.", maxPort, defaultPort)},
		"host_key": {Type: framework.TypeString, DisplayAttrs: &framework.DisplayAttributes{Name: "Host key", EditType: "file"},
			Description: "Public host key to pin, in one line as ssh-keyscan prints it, or as in /etc/ssh/ssh_host_ed25519_key.pub. Nothing is " +
				"sent to a server with another key. Once pinned, only host-key/ changes it. Default: none."},
		"trust_on_first_use": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Trust on first use"), Default: false,
			Description: "If no key is pinned: pin the one that the server shows at the first login. It never replaces a pinned key. " +
				"Default: false."},
		"platform": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Platform"),
			AllowedValues: []any{string(cloud.Linux), string(cloud.Windows)},
			Description:   "With provider=ssh: linux or windows. Default: linux."},
		"login_user": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Login user"),
			Description: "With provider=ssh: user to log in as. Once accounts of the host exist, only host-key/ changes it. Default: the " +
				"connection's."},
		"sudo": {Type: framework.TypeString, DisplayAttrs: request.DisplayName("Sudo"), AllowedValues: []any{SudoAuto, SudoNever, SudoTTY},
			Description: "With provider=ssh: how the login user becomes root, as in config/. Default: the connection's."},
		"tags": {Type: framework.TypeKVPairs, DisplayAttrs: request.DisplayName("Tags"),
			Description: fmt.Sprintf("With provider=ssh: tags by which roles find the host, as key=value, at most %d. Default: none.",
				request.MaxTags)},
	}
}

// fieldsOfListed are those that a host has only where the inventory is all there is to know of it.
var fieldsOfListed = []string{"address", "platform", "login_user", "sudo", "tags"}

// read takes over the fields that a write names.
func (r *Record) read(in request.Fields) (key string, err error) {
	in.Trimmed("connection", &r.Connection)
	in.Trimmed("address", &r.Address)
	if in.Has("port") {
		r.Port = 0
		in.Number("port", &r.Port)
		if !in.Empty("port") && (r.Port < 1 || r.Port > maxPort) {
			return "", request.Invalidf("port: must be 1 to %d; an empty value is the default, %d", maxPort, defaultPort)
		}
		if r.Port == defaultPort {
			r.Port = 0
		}
	}
	if in.Has("trust_on_first_use") {
		var trust *bool
		in.Flag("trust_on_first_use", &trust)
		r.TrustOnFirstUse = request.ValueOr(trust, false)
	}
	platform := string(r.Platform)
	in.Trimmed("platform", &platform)
	r.Platform = cloud.Platform(platform)
	in.Trimmed("login_user", &r.LoginUser)
	in.Trimmed("sudo", &r.Sudo)
	in.Pairs("tags", &r.Tags)
	if !in.Gives("host_key") {
		return "", nil
	}
	return readKey(in)
}

// readKey is the host key that a write gives, in canonical form.
func readKey(in request.Fields) (string, error) {
	var given string
	in.Text("host_key", &given)
	key, err := sshclient.ParseHostKey(given)
	if err != nil {
		return "", request.Invalidf("host_key: %s", err)
	}
	return key, nil
}

// check checks the fields together, for a connection whose instances are those of the inventory, or a cloud's.
func (r *Record) check(in request.Fields, listed bool) error {
	if !listed {
		return r.checkOfCloud(in)
	}
	if r.Platform == "" {
		r.Platform = cloud.Linux
	}
	switch {
	case r.Address == "":
		return request.Invalidf("address: required; the name or IP address of the server")
	case r.Platform != cloud.Linux && r.Platform != cloud.Windows:
		return request.Invalidf("platform: %.40q is unknown; use %s or %s", string(r.Platform), cloud.Linux, cloud.Windows)
	case r.Sudo != "" && r.Sudo != SudoAuto && r.Sudo != SudoNever && r.Sudo != SudoTTY:
		return request.Invalidf("sudo: %.40q is unknown; use %s, %s or %s", r.Sudo, SudoAuto, SudoNever, SudoTTY)
	case r.Platform == cloud.Windows && r.Sudo != "":
		return request.Invalidf("sudo: Windows has none; leave it out, or take platform=linux")
	}
	if err := checkAddress(r.Address); err != nil {
		return err
	}
	if err := checkLoginUser(r.LoginUser); err != nil {
		return err
	}
	return request.CheckTags("tags", r.Tags)
}

// checkOfCloud refuses what a cloud tells of its servers itself.
func (r *Record) checkOfCloud(in request.Fields) error {
	for _, field := range fieldsOfListed {
		if in.Gives(field) {
			return request.Invalidf("%s: the cloud of connection %s tells it of its servers, or it has no meaning there; leave it out", field,
				r.Connection)
		}
	}
	r.Address, r.Platform, r.LoginUser, r.Sudo, r.Tags = "", "", "", "", nil
	return nil
}
