package connection

import (
	"maps"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// WithCredential is the connection with another credential of its identity, in place of whatever it
// has.
func (c *Record) WithCredential(made cloud.Values) *Record {
	n := c.Clone()
	n.Own = c.Own.With(made)
	n.Told = nil
	return n
}

// UseCredential puts another credential in place of the present one.
func (c *Record) UseCredential(made cloud.Values, now time.Time) {
	*c = *c.WithCredential(made)
	c.newCredential(now)
}

// uses reports whether the connection has the credential with that id.
func (c *Record) uses(id string) bool {
	return slices.Contains(slices.Collect(maps.Values(c.Own)), id)
}

// Leave notes that a credential stays behind at the cloud.
func (c *Record) Leave(id string, reason hint.Text, now time.Time) {
	known := slices.ContainsFunc(c.Leftovers, func(l Leftover) bool { return l.ID == id })
	if id == "" || known || c.uses(id) {
		return
	}
	c.Leftovers = append(c.Leftovers, Leftover{ID: id, Since: now, Reason: reason})
}

// LeftoverIDs lists the credentials that stay behind, for messages.
func (c *Record) LeftoverIDs() []string {
	ids := make([]string, 0, len(c.Leftovers))
	for _, l := range c.Leftovers {
		ids = append(ids, l.ID)
	}
	return ids
}

// AbandonRotation ends a rotation on an operator's word, who has written other credentials or another place to
// use them: the new secret is for the old place. It returns what to say about it.
func (c *Record) AbandonRotation(name string, d cloud.Descriptor, now time.Time) string {
	r := c.RootRotation
	c.RootRotation = nil
	c.forgetPrevious(d)
	reason := hint.Plain("config/ was written while rotate-root was unfinished")
	switch r.Step {
	case RootCreating:
		return "an unfinished rotate-root/" + name + " of " + request.Timestamp(r.Started) +
			" was abandoned; it may have made a credential next to " +
			r.OldID + ": look for it at the cloud, and delete it"
	case RootCreated:
		c.Leave(r.NewID, reason, now)
		return "an unfinished rotate-root/" + name + " was abandoned; delete credential " + r.NewID + " at the cloud"
	}
	c.Leave(r.OldID, reason, now)
	return "an unfinished rotate-root/" + name + " was abandoned; delete credential " + r.OldID + " at the cloud"
}

// rootData is what reading the connection tells of rotations of its credential.
func (c *Record) rootData() map[string]any {
	data := map[string]any{}
	if r := c.RootRotation; r != nil {
		data["root_rotation"] = map[string]any{
			"step": string(r.Step), "started": request.Timestamp(r.Started), "old_credential_id": r.OldID,
			"new_credential_id": r.NewID, "last_error": r.LastError,
		}
	}
	if len(c.Leftovers) > 0 {
		left := make([]map[string]any, 0, len(c.Leftovers))
		for _, l := range c.Leftovers {
			left = append(left, map[string]any{"credential_id": l.ID, "since": request.Timestamp(l.Since), "reason": l.Reason})
		}
		data["leftover_credentials"] = left
	}
	if !c.LastRootRotation.IsZero() {
		data["last_root_rotation"] = request.Timestamp(c.LastRootRotation)
	}
	return data
}
