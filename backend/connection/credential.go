package connection

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// What a cloud tells of the credential of a connection, and when that credential is to be replaced. Both are stored with the
// connection: reads ask no cloud, every node gives the same answer, and neither a restart nor a failover asks again.

const (
	// CredentialWarning is how long before the end of a credential people are warned.
	CredentialWarning = 30 * 24 * time.Hour
	// askedEvery is how often the background asks at most.
	askedEvery = 24 * time.Hour
	// askingTimeout bounds one question. It is short: nothing depends on the answer, and where a firewall swallows requests to the
	// identity service, the write of a connection waits for it.
	askingTimeout = 5 * time.Second
	// minRotationPeriod is for a credential that others may have to be told of, and for clouds that count how often keys are made.
	minRotationPeriod = 24 * time.Hour
	maxRotationPeriod = 10 * 365 * 24 * time.Hour
	// maxCredentialID is in characters.
	maxCredentialID = 128
	// maxJitter bounds how much earlier than its period a credential is replaced.
	maxJitter = 12 * time.Hour
	// Delays after an unattended rotation that failed, each twice the one before.
	firstRootDelay = 10 * time.Minute
	lastRootDelay  = 24 * time.Hour
)

// ToldCredential is the cloud's last answer about a connection's credential.
type ToldCredential struct {
	ID      string    `json:"id,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Asked   time.Time `json:"asked"`
	Error   hint.Text `json:"error,omitzero"` // why it tells no more
}

// RootFailure is that of the last unattended rotation of a connection's credential.
type RootFailure struct {
	Error    hint.Text `json:"error"`
	At       time.Time `json:"at"`
	Next     time.Time `json:"next"` // not before it is tried again
	Failures int       `json:"failures"`
}

// CredentialState is what is known of the credential that a connection uses. It is zero for one whose credentials come from the
// surroundings.
type CredentialState struct {
	ID string
	// Created and Expires are zero if the cloud does not tell, or the credential does not end. Configured is when Vault was given it.
	Created, Expires, Configured time.Time
	// Age is since Created, or else since Configured.
	Age time.Duration
	// Asked is when the cloud was last asked, and Error why it does not tell.
	Asked time.Time
	Error hint.Text
}

// Ends reports whether the credential ends so soon that people are to be warned.
func (s CredentialState) Ends(now time.Time) bool {
	return !s.Expires.IsZero() && s.Expires.Sub(now) <= CredentialWarning
}

// CredentialState tells of the credential in use, as stored. It asks no cloud.
func (c *Record) CredentialState(d cloud.Descriptor, now time.Time) CredentialState {
	if len(SecretFields(d, c)) == 0 {
		return CredentialState{}
	}
	s := CredentialState{ID: d.CredentialID(c.Own), Configured: c.CredentialConfigured}
	if told := c.Told; told != nil {
		if s.ID == "" {
			s.ID = told.ID
		}
		s.Created, s.Expires, s.Asked, s.Error = told.Created, told.Expires, told.Asked, told.Error
	}
	since := s.Created
	if since.IsZero() {
		since = s.Configured
	}
	s.Age = max(now.Sub(since), 0)
	return s
}

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

// Tell notes what the cloud said of the credential.
func (c *Record) Tell(told *ToldCredential) { c.Told = told }

// newCredential notes that Vault was given another credential.
func (c *Record) newCredential(now time.Time) {
	c.CredentialConfigured, c.Told, c.RootFailure = now.UTC(), nil, nil
}

// sameCredential reports whether two states of a connection have the same credential.
func sameCredential(d cloud.Descriptor, a, b *Record) bool {
	return len(changedFields(d, a, b, func(k cloud.FieldKind) bool { return k == cloud.FieldSecret || k == cloud.FieldIdentity })) == 0
}

// AskCredential asks a cloud what it tells of the credential that the provider uses; nil where it tells nothing of any. That it
// refuses is no failure: the answer then says why.
func AskCredential(ctx context.Context, p cloud.Provider, now time.Time) *ToldCredential {
	teller, ok := p.(cloud.CredentialTeller)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askingTimeout)
	defer cancel()
	credential, err := teller.Credential(ctx)
	told := &ToldCredential{Created: credential.Created.UTC(), Expires: credential.Expires.UTC(), Asked: now.UTC(), Error: hint.Of(err)}
	if len(credential.ID) <= maxCredentialID && text.Check(credential.ID) == nil {
		told.ID = credential.ID
	}
	if told.Created.After(now.Add(time.Hour)) { // clocks differ, but not by that much
		told.Created = time.Time{}
	}
	return told
}

// StoreTold stores what the cloud said of a connection's credential, unless that is another one now.
func (s *Store) StoreTold(ctx context.Context, name string, asked *Record, told *ToldCredential) error {
	defer s.Lock(name)()
	c, err := s.Get(ctx, name)
	if err != nil || c == nil || c.Provider != asked.Provider || !sameCredential(s.registry[c.Provider], asked, c) {
		return err
	}
	next := c.Clone()
	next.Tell(told)
	return s.Put(ctx, name, next)
}

// toAsk reports whether a write of the connection is to ask what the cloud tells of its credential.
func (c *Record) toAsk() bool { return c.Told == nil || !c.Told.Error.IsZero() }

// AskAll asks the clouds of all connections that were not asked for a day.
func (s *Store) AskAll(ctx context.Context) error {
	names, err := s.List(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		c, err := s.Get(ctx, name)
		if err != nil || c == nil || len(SecretFields(s.registry[c.Provider], c)) == 0 || ctx.Err() != nil {
			continue
		}
		// A time to come was noted by a clock that was set back since.
		if now := s.now(); c.Told != nil && !c.Told.Asked.After(now) && now.Sub(c.Told.Asked) < askedEvery {
			continue
		}
		if err := s.ask(ctx, name, c); err != nil {
			return err
		}
	}
	return nil
}

// ask asks the cloud of one connection, whose record it is given, and stores the answer.
func (s *Store) ask(ctx context.Context, name string, c *Record) error {
	provider, err := s.core.Provider(ctx, name)
	if err != nil {
		return nil //nolint:nilerr // a connection that cannot be used says so elsewhere
	}
	told := AskCredential(ctx, provider, s.now())
	if told == nil {
		return nil
	}
	if err := ctx.Err(); err != nil { // that says nothing of the cloud
		return err
	}
	return s.StoreTold(ctx, name, c, told)
}

// RootSchedule is when the connection's credential is replaced unattended, and what became of it.
type RootSchedule struct {
	Period    time.Duration // 0: never
	Last      time.Time     // when rotate-root, attended or not, last replaced it
	Next      time.Time     // zero without a period
	Error     hint.Text     // of the last unattended try, if it failed
	ErrorTime time.Time
}

// RootSchedule tells when the credential of the connection is to be replaced.
func (c *Record) RootSchedule(name string, now time.Time) RootSchedule {
	s := RootSchedule{Last: c.LastRootRotation}
	if c.RotationPeriod == nil || *c.RotationPeriod == 0 {
		return s
	}
	s.Period = *c.RotationPeriod
	since := c.RotationSince
	for _, at := range []time.Time{c.LastRootRotation, c.CredentialConfigured} {
		if at.After(since) {
			since = at
		}
	}
	s.Next = since.Add(s.Period - jitter(name, since, s.Period))
	if f := c.RootFailure; f != nil {
		s.Error, s.ErrorTime = f.Error, f.At
		// A failure to come was noted by a clock that was set back since.
		if f.Next.After(s.Next) && !f.At.After(now) {
			s.Next = f.Next
		}
	}
	return s
}

// jitter is how much before the end of its period a credential is replaced: at most a tenth of the period. It is always the same
// for one credential, so that what is shown as the next time is the next time, and differs between connections, so that those which
// were written together are not replaced together.
func jitter(name string, since time.Time, period time.Duration) time.Duration {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name + since.UTC().Format(time.RFC3339)))
	return time.Duration(hash.Sum64() % uint64(min(period/10, maxJitter)))
}

// FailRoot notes that an unattended rotation of the credential has failed.
func (c *Record) FailRoot(cause error, now time.Time) {
	failures := 1
	if c.RootFailure != nil {
		failures = c.RootFailure.Failures + 1
	}
	delay := lastRootDelay
	if doublings := failures - 1; doublings < 8 { // more are longer than the longest
		delay = min(firstRootDelay<<doublings, lastRootDelay)
	}
	c.RootFailure = &RootFailure{Error: hint.Of(cause), At: now.UTC(), Next: now.Add(delay).UTC(), Failures: failures}
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

// CheckUnshared refuses to replace, unattended, a credential that other connections of the mount use as well: they would have lost it.
func (s *Store) CheckUnshared(ctx context.Context, name string, d cloud.Descriptor, c *Record) error {
	id := d.CredentialID(c.Own)
	if id == "" { // a password stays valid
		return nil
	}
	names, err := s.List(ctx)
	if err != nil {
		return err
	}
	var users []string
	for _, other := range names {
		if o, err := s.Get(ctx, other); err == nil && o != nil && other != name && o.Provider == c.Provider && d.CredentialID(o.Own) == id {
			users = append(users, other)
		}
	}
	if len(users) == 0 {
		return nil
	}
	return request.Conflictf("rotation_period: other connections use the same credential, which they would lose; give each one of its own: %s",
		request.Summarize(users))
}

// applyRotation takes over rotation_period. had is set where the connection had one before.
func (s *Store) applyRotation(ctx context.Context, name string, next *Record, in request.Fields, d cloud.Descriptor, had bool) error {
	if err := in.Duration("rotation_period", &next.RotationPeriod); err != nil {
		return err
	}
	if next.RotationPeriod == nil || *next.RotationPeriod == 0 {
		next.RotationPeriod, next.RotationSince, next.RootFailure = nil, time.Time{}, nil
		return nil
	}
	if p := *next.RotationPeriod; p < minRotationPeriod || p > maxRotationPeriod {
		return request.Invalidf("rotation_period: must be %s to %s, or 0, which rotates nothing", request.FormatDuration(minRotationPeriod),
			request.FormatDuration(maxRotationPeriod))
	}
	if !had {
		next.RotationSince = s.now().UTC()
	}
	provider, err := NewProvider(name, next, d, cloud.Unlimited{}, s.Answers)
	if err != nil {
		return err
	}
	rotator, ok := provider.(cloud.CredentialRotator)
	if !ok {
		return request.Invalidf("rotation_period: provider %s cannot replace its credentials; leave it out, or write rotation_period=0", d.Name)
	}
	if err := rotator.CheckRotation(); err != nil {
		return request.WithWayOut(request.VaultError("rotation_period", err), "or write rotation_period=0")
	}
	return s.CheckUnshared(ctx, name, d, next)
}
