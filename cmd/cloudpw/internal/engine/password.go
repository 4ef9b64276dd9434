package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"
)

// hidden stands for a secret wherever one is printed.
const hidden = "(hidden)"

// Secret is a password. Whatever prints it prints "(hidden)"; only Reveal gives it.
type Secret struct{ value string }

// NewSecret makes a secret of a text.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal is the password itself.
func (s Secret) Reveal() string { return s.value }

func (Secret) String() string                  { return hidden }
func (Secret) GoString() string                { return hidden }
func (Secret) Format(f fmt.State, _ rune)      { _, _ = f.Write([]byte(hidden)) }
func (Secret) MarshalText() ([]byte, error)    { return []byte(hidden), nil }
func (Secret) MarshalJSON() ([]byte, error)    { return json.Marshal(hidden) }
func (Secret) LogValue() slog.Value            { return slog.StringValue(hidden) }
func (s *Secret) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &s.value) }

// Password is what creds/ answers with.
type Password struct {
	Username   string    `json:"username"`
	Value      Secret    `json:"password"`
	InstanceID string    `json:"instance_id"` // empty for the password that a role's servers share
	Name       string    `json:"instance_name"`
	PrivateIP  string    `json:"private_ip"`
	PublicIP   string    `json:"public_ip"`
	Platform   string    `json:"platform"` // windows or linux; empty if the cloud does not tell
	Connection string    `json:"connection"`
	Source     string    `json:"source"`
	Version    int       `json:"version"`
	Created    time.Time `json:"created_time,omitzero"`
	Instances  []string  `json:"instance_ids,omitempty"` // the servers that share the password
	// LeaseID is empty for a static role: its password has no lease to give back.
	LeaseID       string        `json:"lease_id,omitzero"`
	LeaseDuration time.Duration `json:"-"`
	Renewable     bool          `json:"-"`
	Warnings      []string      `json:"-"`
}

// ReadOptions say how a password is read.
type ReadOptions struct {
	// TTL asks for a shorter lease than the role's, in whole seconds, at least one minute; 0: the role's.
	TTL time.Duration
	// Wait is how long to wait for a password that cannot be handed out yet.
	Wait time.Duration
	// Waiting, if not nil, is told Vault's reason, as it is, each time that no password could be handed out.
	Waiting func(message string)
}

// again is the pause before a password is asked for again. Where Vault waits itself, none is needed.
const again = 2 * time.Second

// Read reads the password of a place. While Vault answers 503, it asks again until Wait is over, and then returns that error. It is
// never sent twice for another reason, since each answer is a lease.
func (c *Client) Read(ctx context.Context, p Place, o ReadOptions) (*Password, error) {
	if p.Role == "" {
		return nil, fmt.Errorf("%s belongs to no role, so that its password cannot be read", p.Argument())
	}
	segments := []string{"creds", p.Role}
	if p.InstanceID != "" {
		segments = append(segments, p.InstanceID)
	}
	path, err := c.path(segments...)
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(o.Wait)
	for {
		asked := time.Now()
		password, err := c.readOnce(ctx, path, o.TTL, end.Sub(asked))
		if err == nil || !IsUnavailable(err) || ctx.Err() != nil {
			return password, err
		}
		pause := again - time.Since(asked)
		if time.Until(end) <= max(pause, 0) {
			return nil, err
		}
		if o.Waiting != nil {
			o.Waiting(err.Error())
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func (c *Client) readOnce(ctx context.Context, path string, ttl, wait time.Duration) (*Password, error) {
	query := url.Values{}
	if ttl > 0 {
		query.Set("ttl", fmt.Sprintf("%ds", int(ttl.Seconds())))
	}
	var p Password
	a, err := c.get(once(ctx), path, query, wait, &p)
	if err != nil {
		return nil, err
	}
	if p.Value.value == "" {
		return nil, &Error{Path: path, Err: errors.New("Vault's answer has no password; is " + c.mount + "/ a mount of cloudpw?")}
	}
	p.LeaseID, p.LeaseDuration, p.Renewable = a.LeaseID, time.Duration(a.LeaseDuration)*time.Second, a.Renewable
	p.Warnings = a.Warnings
	if p.LeaseID == "" {
		p.LeaseDuration = 0
	}
	return &p, nil
}

// sleep waits, unless the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Renew extends a lease, and returns for how long it is good from now on. increment is a wish in whole seconds; 0: the lease's ttl.
// Vault's policy `default` allows it.
func (c *Client) Renew(ctx context.Context, leaseID string, increment time.Duration) (time.Duration, error) {
	fields := map[string]any{"lease_id": leaseID}
	if increment > 0 {
		fields["increment"] = int(increment.Seconds())
	}
	a, err := c.put(ctx, "sys/leases/renew", fields, 0, nil)
	if err != nil {
		return 0, err
	}
	return time.Duration(a.LeaseDuration) * time.Second, nil
}

// Lives reports whether Vault knows a lease: it has not ended, and the id is one. An error says that Vault does not tell. Vault's policy
// `default` allows the question.
func (c *Client) Lives(ctx context.Context, leaseID string) (bool, error) {
	_, err := c.put(ctx, "sys/leases/lookup", map[string]any{"lease_id": leaseID}, 0, nil)
	if IsInvalid(err) {
		return false, nil
	}
	return err == nil, err
}

// GiveBack ends a lease. The id goes into the path, since the reader's policy of docs/vault-policies.md allows nothing else. When it
// returns nil, Vault has ended the lease, or knows none with this id.
func (c *Client) GiveBack(ctx context.Context, leaseID string) error {
	if err := CheckLeaseID(leaseID); err != nil {
		return err
	}
	_, err := c.put(ctx, "sys/leases/revoke/"+leaseID, map[string]any{"sync": true}, 0, nil)
	return err
}
