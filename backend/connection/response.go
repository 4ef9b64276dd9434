package connection

import (
	"maps"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// ResponseData is what reading the connection returns: everything but secrets, with defaults filled in.
func (c *Record) ResponseData(name string, d cloud.Descriptor, now time.Time) map[string]any {
	data := map[string]any{
		"provider":                c.Provider,
		"endpoints":               c.Endpoints,
		"ca_certificate":          c.CACertificate,
		"allowed_roles":           c.AllowedRoles,
		"required_tags":           c.RequiredTags,
		"max_requests_per_second": c.Rate(d),
		"request_timeout":         request.Seconds(c.Timeout()),
		"password_policy":         c.PasswordPolicy,
		"verify_connection":       c.Verifies(),
		"forget_gone_after":       request.Seconds(c.ForgetsAfter()),
	}
	if c.AllowedRoles == nil {
		data["allowed_roles"] = []string{}
	}
	for _, field := range []string{"endpoints", "required_tags"} {
		if m, ok := data[field].(map[string]string); ok && m == nil {
			data[field] = map[string]string{}
		}
	}
	c.readOwnFields(d, data)
	maps.Copy(data, c.rootData())
	maps.Copy(data, c.rotationData(name, now))
	maps.Copy(data, c.CredentialData(d, now))
	return data
}

// readOwnFields adds the fields of the connection's provider to what reading it returns.
func (c *Record) readOwnFields(d cloud.Descriptor, data map[string]any) {
	for _, f := range d.Fields {
		switch {
		case !f.ReadBack():
		case f.Type == cloud.FieldFlag:
			data[f.Name] = c.Own.InForce(f) == "true"
		default:
			data[f.Name] = c.Own.InForce(f)
		}
	}
	for _, f := range d.Derived {
		data[f.Name] = f.Value(c.Own)
	}
}
