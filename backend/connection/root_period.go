package connection

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

const (
	// minRotationPeriod is for a credential that others may have to be told of, and for clouds that count how often keys are made.
	minRotationPeriod = 24 * time.Hour
	maxRotationPeriod = 10 * 365 * 24 * time.Hour
)

// CheckUnshared refuses to replace a credential that other connections of the mount use as well: they would have lost it. what begins
// the error.
func (s *Store) CheckUnshared(ctx context.Context, what, name string, d cloud.Descriptor, c *Record) error {
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
	return request.Conflictf("%s: other connections use the same credential, which they would lose: %s; make one of its own for each at the "+
		"cloud, and write it to that connection; see: %s", what, request.Summarize(users), hint.New("read", "config/"+users[0]))
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
	provider, err := NewProvider(name, next, d, cloud.Unlimited{}, s.Answers, s.HostsOf(name, d))
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
	return s.CheckUnshared(ctx, "rotation_period", name, d, next)
}
