package connection

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// CredentialData is what reading the connection tells of its credential.
func (c *Record) CredentialData(d cloud.Descriptor, now time.Time) map[string]any {
	s := c.CredentialState(d, now)
	if s.Configured.IsZero() {
		return nil
	}
	data := map[string]any{"credential_configured": request.Timestamp(s.Configured), "credential_age": request.Seconds(s.Age)}
	if s.ID != "" {
		data["credential_id"] = s.ID
	}
	for field, at := range map[string]time.Time{"credential_created": s.Created, "credential_expires": s.Expires,
		"credential_checked": s.Asked} {
		if !at.IsZero() {
			data[field] = request.Timestamp(at)
		}
	}
	if !s.Error.IsZero() {
		data["credential_error"] = s.Error
	}
	return data
}

// CredentialStatus is what status tells of the connection's credential: not its id, which is for those who may read the connection.
func (c *Record) CredentialStatus(name string, d cloud.Descriptor, now time.Time) map[string]any {
	data := map[string]any{}
	s, r := c.CredentialState(d, now), c.RootSchedule(name, now)
	if !s.Configured.IsZero() {
		data["credential_age"] = request.Seconds(s.Age)
	}
	for field, at := range map[string]time.Time{"credential_expires": s.Expires, "last_root_rotation": r.Last, "next_root_rotation": r.Next} {
		if !at.IsZero() {
			data[field] = request.Timestamp(at)
		}
	}
	if !r.ErrorTime.IsZero() {
		data["root_rotation_error"] = r.Error
	}
	return data
}

// CredentialWarnings says what people should know of the connection's credential: that it ends, or that it is not replaced.
func (c *Record) CredentialWarnings(name string, d cloud.Descriptor, now time.Time) []hint.Text {
	var warnings []hint.Text
	s := c.CredentialState(d, now)
	switch {
	case !s.Ends(now):
	case !s.Expires.After(now):
		warnings = append(warnings, hint.Textf("connection %s: its credential has ended at %s; write another one to config/%s", name,
			request.Timestamp(s.Expires), name))
	default:
		warnings = append(warnings, hint.Textf("connection %s: its credential ends at %s, in %d days; write another one to config/%s before",
			name, request.Timestamp(s.Expires), int(s.Expires.Sub(now)/(24*time.Hour)), name))
	}
	if r := c.RootSchedule(name, now); r.Period > 0 && !r.ErrorTime.IsZero() {
		warnings = append(warnings, hint.Textf("connection %s: its credential is due for rotation, which has failed: %s", name, r.Error))
	}
	return warnings
}

// rotationData is what reading the connection tells of the unattended rotation of its credential.
func (c *Record) rotationData(name string, now time.Time) map[string]any {
	s := c.RootSchedule(name, now)
	data := map[string]any{"rotation_period": request.Seconds(s.Period)}
	if !s.Next.IsZero() {
		data["next_root_rotation"] = request.Timestamp(s.Next)
	}
	if !s.ErrorTime.IsZero() {
		data["root_rotation_error"], data["root_rotation_error_time"] = s.Error, request.Timestamp(s.ErrorTime)
	}
	return data
}
