package backend

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

// rootStep is how far the replacement of a connection's credential has come. Each step is stored
// before what follows it is done, so whoever finds it knows what may have happened since.
type rootStep string

const (
	// rootCreating: the cloud may have been asked for a new credential. Its secret is not known.
	rootCreating rootStep = "creating"
	// rootCreated: the new credential is stored beside the old one, which is still in use.
	rootCreated rootStep = "created"
	// rootStored: the new credential has proved to work and is in use. The old one is to be deleted.
	rootStored rootStep = "stored"
)

// rootRotation is the replacement of a connection's credential that is under way, as stored with the
// connection.
type rootRotation struct {
	Step    rootStep  `json:"step"`
	Started time.Time `json:"started"`
	// OldID is the credential to be replaced; empty where that is a password, which no cloud deletes.
	OldID string `json:"old_id,omitempty"`
	// Known are the credentials that the identity had before. One that is not among them was made since.
	Known []string `json:"known,omitempty"`
	// New is what becomes of the provider's own fields with the new credential, until they have: it is set in step
	// rootCreated. NewID is the id of that credential, also after it.
	New       cloud.Values `json:"new,omitempty"`
	NewID     string       `json:"new_id,omitempty"`
	LastError hint.Text    `json:"last_error,omitzero"`
}

// leftover is a credential that exists at the cloud, as far as is known, because a rotation failed,
// and that the connection does not use.
type leftover struct {
	ID     string    `json:"id"`
	Since  time.Time `json:"since"`
	Reason hint.Text `json:"reason"`
}

// withCredential is the connection with another credential of its identity, in place of whatever it
// has.
func (c *connection) withCredential(made cloud.Values) *connection {
	n := c.clone()
	n.Own = c.Own.With(made)
	return n
}

// uses reports whether the connection has the credential with that id.
func (c *connection) uses(id string) bool {
	return slices.Contains(slices.Collect(maps.Values(c.Own)), id)
}

// leave notes that a credential stays behind at the cloud.
func (c *connection) leave(id string, reason hint.Text, now time.Time) {
	known := slices.ContainsFunc(c.Leftovers, func(l leftover) bool { return l.ID == id })
	if id == "" || known || c.uses(id) {
		return
	}
	c.Leftovers = append(c.Leftovers, leftover{ID: id, Since: now, Reason: reason})
}

// leftoverIDs lists the credentials that stay behind, for messages.
func (c *connection) leftoverIDs() []string {
	ids := make([]string, 0, len(c.Leftovers))
	for _, l := range c.Leftovers {
		ids = append(ids, l.ID)
	}
	return ids
}

// abandon ends a rotation on an operator's word, who has written other credentials or another place to
// use them: the new secret is for the old place. It returns what to say about it.
func (c *connection) abandon(name string, now time.Time) string {
	r := c.RootRotation
	c.RootRotation = nil
	reason := hint.Plain("config/ was written while rotate-root was unfinished")
	switch r.Step {
	case rootCreating:
		return "an unfinished rotate-root/" + name + " of " + request.Timestamp(r.Started) +
			" was abandoned; it may have made a credential next to " +
			r.OldID + ": look for it at the cloud, and delete it"
	case rootCreated:
		c.leave(r.NewID, reason, now)
		return "an unfinished rotate-root/" + name + " was abandoned; delete credential " + r.NewID + " at the cloud"
	}
	c.leave(r.OldID, reason, now)
	return "an unfinished rotate-root/" + name + " was abandoned; delete credential " + r.OldID + " at the cloud"
}

// rootData is what reading the connection tells of rotations of its credential.
func (c *connection) rootData() map[string]any {
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

// rootRotations are the rotations that this process works on. While there is one, nobody else changes
// the connection's credential.
type rootRotations struct {
	mu      sync.Mutex
	running map[string]bool
	// retry is when the background tries again to finish one that failed.
	retry map[string]rootRetry
}

type rootRetry struct {
	at    time.Time
	delay time.Duration
}

// begin claims a connection and returns what releases it, or false if somebody has it.
func (r *rootRotations) begin(name string) (end func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[name] {
		return nil, false
	}
	if r.running == nil {
		r.running = map[string]bool{}
	}
	r.running[name] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, name)
	}, true
}

func (r *rootRotations) isRunning(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[name]
}

// Delays between the background's tries to finish a rotation.
const (
	firstRootRetry = time.Minute
	lastRootRetry  = time.Hour
)

// mayRetry reports whether the background may try now.
func (r *rootRotations) mayRetry(name string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !now.Before(r.retry[name].at)
}

// tried notes the outcome of a try.
func (r *rootRotations) tried(name string, err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.retry, name)
		return
	}
	if r.retry == nil {
		r.retry = map[string]rootRetry{}
	}
	delay := min(max(2*r.retry[name].delay, firstRootRetry), lastRootRetry)
	r.retry[name] = rootRetry{now.Add(delay), delay}
}

// clock is the mount's: by it caches age, retries wait and earlier keys and credentials are kept. When a password is
// due, the core's clock says, which watches whether the wall clock is right.
type clock struct {
	now func() time.Time
	// sleep waits, or returns early with the context's error.
	sleep func(ctx context.Context, d time.Duration) error
}

func wallClock() clock { return clock{now: time.Now, sleep: cloud.Sleep} }
