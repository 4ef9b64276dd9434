package backend

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// accountStates is the part of status that tells about accounts.
func accountStates(s rotation.Status, now time.Time) map[string]any {
	data := map[string]any{
		"running":       s.Running,
		"loading":       s.Loading,
		"accounts":      s.Accounts,
		"leases":        s.Leases,
		"due":           s.Due,
		"queued":        s.Queued,
		"failing_count": s.FailingCount,
		"drifted":       s.Drifted,
		"rebuilt":       s.Rebuilt,
		"late_seconds":  request.Seconds(s.Late),
	}
	if !s.OldestDue.IsZero() {
		data["oldest_due"] = request.Timestamp(s.OldestDue)
		data["oldest_due_seconds"] = request.Seconds(max(now.Sub(s.OldestDue), 0))
		name, value := named(s.Oldest.ID)
		data["oldest_due_"+name] = value
		data["oldest_due_waiting_for"] = string(s.Oldest.WaitingFor)
		setTime(data, "oldest_due_next_try", request.Timestamp(s.Oldest.NextTry))
	}
	return data
}

func failingData(failing []rotation.Failing) []map[string]any {
	out := make([]map[string]any, 0, len(failing))
	for _, f := range failing {
		data := map[string]any{"state": f.State, "failures": f.Failures, "last_error": f.LastError}
		name, value := named(f.ID)
		data[name] = value
		if f.WaitingFor != rotation.ForNothing {
			data["waiting_for"] = string(f.WaitingFor)
		}
		setTime(data, "next_try", request.Timestamp(f.NextTry))
		out = append(out, data)
	}
	return out
}

// named is how an account, or the role whose accounts share a password, is called.
func named(id rotation.ID) (field, value string) {
	if id == rotation.GroupID(id.Connection, id.Username) {
		return "role", id.Username
	}
	return "account", id.String()
}

// statusPatience is how long status waits for storage, statusLooks how many of it do so at once.
const (
	statusPatience = 2 * time.Second
	statusLooks    = 8
)

// storedStates is the part of status that is read from storage, so far as it is not cached.
type storedStates struct {
	failingRoles, conflicts []map[string]any
	conflictCount           int
	connections             map[string]rotation.ConnectionStatus
	credentials             map[string]map[string]any // of connections
	warnings                []hint.Text
}

// lookUpStates reads that part, or returns nil where storage hangs: that is when people need status most. What hangs goes
// on by itself, a few at a time.
func (b *backend) lookUpStates(ctx context.Context, known map[string]rotation.ConnectionStatus) (*storedStates, error) {
	select {
	case b.statusLooks <- struct{}{}:
	default:
		return nil, nil
	}
	type result struct {
		states *storedStates
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-b.statusLooks }()
		states, err := guard.Get(b.Logger(), "reading storage for status", func() (*storedStates, error) { return b.readStates(ctx, known) })
		done <- result{states, err}
	}()
	patience := time.NewTimer(statusPatience)
	defer patience.Stop()
	select {
	case r := <-done:
		return r.states, r.err
	case <-patience.C:
		return nil, nil
	}
}

func (b *backend) readStates(ctx context.Context, known map[string]rotation.ConnectionStatus) (*storedStates, error) {
	var s storedStates
	var err error
	if s.connections, s.credentials, s.warnings, err = b.connectionStates(ctx, known); err != nil {
		return nil, err
	}
	if s.conflicts, s.conflictCount, err = b.conflicts(ctx); err != nil {
		return nil, err
	}
	s.failingRoles, err = b.failingRoles(ctx)
	return &s, err
}

// statesInMemory is what is left of it without storage.
func (b *backend) statesInMemory(known map[string]rotation.ConnectionStatus) *storedStates {
	s := &storedStates{failingRoles: []map[string]any{}, conflicts: []map[string]any{}, connections: known,
		warnings: []hint.Text{}}
	failures := b.roles.Failures()
	for _, name := range slices.Sorted(maps.Keys(failures)) {
		s.failingRoles = append(s.failingRoles, failingRole(name, "", failures[name]))
	}
	return s
}

// statusDetails is what programs read of status.
func statusDetails(mount string, s rotation.Status, stored *storedStates) map[string]any {
	connections, roles := map[string]any{}, map[string]any{}
	for name, state := range stored.connections {
		of := connectionState(state)
		maps.Copy(of, stored.credentials[name])
		connections[name] = of
	}
	for name, tally := range s.ByRole {
		of := map[string]any{"connection": tally.Connection, "accounts": tally.Accounts, "states": tally.States, "leases": tally.Leases,
			"due": tally.Due, "failing": tally.Failing,
			"drifted": tally.Drifted}
		setTime(of, "oldest_due", request.Timestamp(tally.OldestDue))
		roles[name] = of
	}
	return map[string]any{"connections": connections, "roles": roles, "causes": causesData(mount, s.Causes, maxCauses),
		"failing":       failingData(s.Failing),
		"failing_roles": stored.failingRoles, "conflicts": stored.conflicts}
}

// causesData are the causes for which most accounts fail.
func causesData(mount string, causes []rotation.FailureCause, most int) []map[string]any {
	data := []map[string]any{}
	for _, cause := range causes[:min(len(causes), most)] {
		name, value := named(cause.Example)
		data = append(data, map[string]any{"cause": cause.Words(mount), "accounts": cause.Accounts, "example_" + name: value})
	}
	return data
}

// maxCauses is how many causes the details have.
const maxCauses = 100

// failingRoles lists the roles whose instances the background could not look at the last time.
func (b *backend) failingRoles(ctx context.Context) ([]map[string]any, error) {
	failures := b.roles.Failures()
	listed := make([]map[string]any, 0, len(failures))
	for _, name := range slices.Sorted(maps.Keys(failures)) {
		r, err := b.roles.Get(ctx, name)
		connection := ""
		switch {
		case store.IsUnreadable(err):
		case err != nil:
			return nil, err
		case r == nil:
			continue // it was deleted meanwhile
		default:
			connection = r.Connection
		}
		listed = append(listed, failingRole(name, connection, failures[name]))
	}
	return listed, nil
}

func failingRole(name, connection string, f role.FailedLook) map[string]any {
	return map[string]any{"role": name, "connection": connection, "last_error": f.Cause, "last_error_time": request.Timestamp(f.At),
		"since": request.Timestamp(f.Since)}
}

// connectionStates tells about the connections that exist, and about those of which accounts are left
// that have something to do. known is what the core has used since its start.
func (b *backend) connectionStates(ctx context.Context, known map[string]rotation.ConnectionStatus) (
	map[string]rotation.ConnectionStatus, map[string]map[string]any, []hint.Text, error,
) {
	names, err := b.connections.List(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	states := make(map[string]rotation.ConnectionStatus, len(names))
	credentials, warnings := make(map[string]map[string]any, len(names)), []hint.Text{}
	for _, name := range names {
		c, err := b.connections.Get(ctx, name)
		if err != nil && !store.IsUnreadable(err) {
			return nil, nil, nil, err
		}
		state := known[name]
		if err != nil {
			state.LastError = hint.Of(err)
			states[name] = state
		}
		if c != nil {
			state.RequestsPerSecond = c.Rate(b.registry[c.Provider]) // the core knows it after its first use
			d, now := b.registry[c.Provider], b.clock.now()
			states[name] = state
			credentials[name] = c.CredentialStatus(name, d, now)
			warnings = append(warnings, c.CredentialWarnings(name, d, now)...)
		}
	}
	for name, state := range known {
		if _, exists := states[name]; !exists && state.Queued+state.Working > 0 {
			states[name] = state
		}
	}
	return states, credentials, warnings, nil
}

func connectionState(s rotation.ConnectionStatus) map[string]any {
	waiting := s.Waiting
	if waiting == nil {
		waiting = map[string]int{}
	}
	return map[string]any{
		"requests_per_second": s.RequestsPerSecond,
		"waiting":             waiting,
		"working":             s.Working,
		"queued":              s.Queued,
		"breaker_open":        s.BreakerOpen,
		"braked":              s.Stopped,
		"braked_accounts":     s.Braked,
		"retry_in":            int64(math.Ceil(s.RetryIn.Seconds())),
		"last_error":          s.LastError,
	}
}

// conflicts lists the instances that roles were not bound to when their tags were last resolved.
func (b *backend) conflicts(ctx context.Context) (listed []map[string]any, count int, err error) {
	names, err := b.roles.List(ctx)
	if err != nil {
		return nil, 0, err
	}
	listed = []map[string]any{}
	for _, name := range names {
		r, err := b.roles.Get(ctx, name)
		if err != nil && !store.IsUnreadable(err) { // that is among the failing roles
			return nil, 0, err
		}
		if r == nil {
			continue
		}
		count += r.ConflictCount
		for _, c := range r.Conflicts {
			listed = append(listed, map[string]any{"role": name, "connection": r.Connection,
				"instance_id": c.InstanceID, "username": c.Username, "reason": c.Reason})
		}
	}
	return listed, count, nil
}
