// Package events tells Vault's event system what happens in a mount, without ever waiting for it: what happens is put into a
// bounded queue and sent from there in the background, and is dropped where too much waits.
package events

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"

	"github.com/hashicorp/go-hclog"
)

// The types of events.
const (
	Rotated   = "cloudpw/rotated"
	Failed    = "cloudpw/failed"
	Disclosed = "cloudpw/disclosed"
	Gone      = "cloudpw/gone"
	Drifted   = "cloudpw/drifted"
)

// What becomes of an event, for metrics.
const (
	Sent       = "sent"
	NotSent    = "failed"
	WasDropped = "dropped"
)

const (
	// waiting bounds the queue: a burst of some thousand rotations fits, and its memory is below 1 MB.
	waiting = 4096
	// patience bounds one call of Vault.
	patience = 10 * time.Second
)

// Queue sends events. All methods are safe for concurrent use; none waits but Stop.
type Queue struct {
	deps   Deps
	queue  chan event
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	started bool
	off     bool // Vault takes no events
	wg      sync.WaitGroup
}

// Deps are what a Queue needs.
type Deps struct {
	// Send is the framework's SendEvent.
	Send func(ctx context.Context, kind logical.EventType, data *logical.EventData) error
	// NoEvents is the error by which Send says that Vault takes no events.
	NoEvents error
	// Count is told what became of each event.
	Count func(kind, result string)
	Log   func() hclog.Logger
}

type event struct {
	kind string
	data []string // pairs of metadata
}

// New makes a Queue. It runs nothing until there is an event.
func New(d Deps) *Queue {
	q := &Queue{deps: d, queue: make(chan event, waiting)}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// Happened queues the event of a happening, if it has one. Of failures only the first in a row has: an account that fails for a
// day is no news.
func (q *Queue) Happened(h rotation.Happening) {
	kind, operation := "", ""
	switch h.Kind {
	case rotation.Rotated:
		kind, operation = Rotated, "rotate"
	case rotation.Failed, rotation.UnknownOutcome:
		if h.First {
			kind, operation = Failed, "rotate"
		}
	case rotation.Disclosed:
		kind, operation = Disclosed, "read"
	case rotation.Gone:
		kind, operation = Gone, "delete"
	case rotation.Drifted:
		kind, operation = Drifted, "verify"
	}
	if kind != "" {
		q.put(event{kind, metadata(h, operation)})
	}
}

// metadata are the pairs of an event, in the form of Vault's own engines: path is what a subscriber needs the capability subscribe
// for, data_path what he reads then. Vault puts the mount before both.
func metadata(h rotation.Happening, operation string) []string {
	pairs := []string{
		logical.EventMetadataOperation, operation,
		logical.EventMetadataModified, strconv.FormatBool(h.Kind != rotation.Disclosed),
		"connection", h.ID.Connection,
	}
	if h.Role != "" {
		pairs = append(pairs, "role", h.Role)
	}
	if h.ID.IsGroup() {
		path := "creds/" + h.ID.Username
		return append(pairs, logical.EventMetadataPath, path, logical.EventMetadataDataPath, path)
	}
	path, data := "accounts/"+h.ID.String(), "accounts/"+h.ID.String()
	if h.Role != "" && (h.Kind == rotation.Rotated || h.Kind == rotation.Disclosed) {
		data = "creds/" + h.Role + "/" + h.ID.InstanceID
	}
	pairs = append(pairs, logical.EventMetadataPath, path, logical.EventMetadataDataPath, data,
		"instance_id", h.ID.InstanceID, "username", h.ID.Username)
	if h.Version > 0 {
		pairs = append(pairs, "version", strconv.Itoa(h.Version))
	}
	if h.Reason != "" {
		pairs = append(pairs, "reason", string(h.Reason))
	}
	if h.Result != "" {
		pairs = append(pairs, "check_result", string(h.Result))
	}
	return pairs
}

func (q *Queue) put(e event) {
	if !q.starts() {
		return
	}
	select {
	case q.queue <- e:
	default:
		q.deps.Count(e.kind, WasDropped)
	}
}

// starts has the queue emptied in the background, and reports whether it is.
func (q *Queue) starts() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.off || q.ctx.Err() != nil {
		return false
	}
	if !q.started {
		q.started = true
		q.wg.Go(q.run)
	}
	return true
}

func (q *Queue) run() {
	for {
		select {
		case <-q.ctx.Done():
			return
		case e := <-q.queue:
			if !q.send(e) {
				return
			}
		}
	}
}

// send reports whether Vault takes events at all.
func (q *Queue) send(e event) bool {
	ctx, cancel := context.WithTimeout(q.ctx, patience)
	defer cancel()
	err := guard.Do(q.deps.Log(), "sending an event", func() error {
		return logical.SendEvent(ctx, sender(q.deps.Send), e.kind, e.data...)
	})
	switch {
	case errors.Is(err, q.deps.NoEvents):
		q.mu.Lock()
		defer q.mu.Unlock()
		q.off = true
		return false
	case err != nil:
		q.deps.Count(e.kind, NotSent)
		q.deps.Log().Debug("an event was not sent", "type", e.kind, "error", err)
	default:
		q.deps.Count(e.kind, Sent)
	}
	return true
}

// Stop ends the sending, and drops what is left.
func (q *Queue) Stop() {
	q.mu.Lock()
	q.cancel()
	q.mu.Unlock()
	q.wg.Wait()
}

// sender makes an EventSender of a function.
type sender func(ctx context.Context, kind logical.EventType, data *logical.EventData) error

// SendEvent implements logical.EventSender.
func (s sender) SendEvent(ctx context.Context, kind logical.EventType, data *logical.EventData) error {
	return s(ctx, kind, data)
}
