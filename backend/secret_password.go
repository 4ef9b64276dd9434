package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// passwordType is the type of the leases, as Vault stores it with each of them.
const passwordType = "cloudpw_password"

// Fields of a lease's internal data: account or group, version and nonce.
const (
	leaseAccount = "account"
	leaseVersion = "version"
	leaseNonce   = "nonce"
)

// passwordSecret is the lease type.
func (b *backend) passwordSecret() *framework.Secret {
	return &framework.Secret{
		Type: passwordType,
		Fields: map[string]*framework.FieldSchema{
			"username": {Type: framework.TypeString, Description: "User to log in as."},
			"password": {Type: framework.TypeString, Description: "The password.", DisplayAttrs: request.SensitiveName("Password")},
		},
		Renew:  b.renewPassword,
		Revoke: b.revokePassword,
	}
}

// leased puts an answer under the lease that the core has granted.
func (b *backend) leased(data map[string]any, a *rotation.Answer) *logical.Response {
	resp := b.Secret(passwordType).Response(data, map[string]any{
		leaseAccount: a.LeaseID().String(),
		leaseVersion: a.Version.Number,
		leaseNonce:   a.Lease.Nonce,
	})
	resp.Secret.TTL = a.Lease.TTL
	resp.Secret.MaxTTL = a.Lease.MaxTTL
	return resp
}

// leaseOf reads a lease's internal data, which has crossed to Vault and back as JSON.
func leaseOf(secret *logical.Secret) (rotation.LeaseRef, error) {
	if secret == nil {
		return rotation.LeaseRef{}, errors.New("no lease was passed")
	}
	account, _ := secret.InternalData[leaseAccount].(string)
	nonce, _ := secret.InternalData[leaseNonce].(string)
	id, err := rotation.ParseID(account)
	if err != nil {
		return rotation.LeaseRef{}, fmt.Errorf("the lease's internal data name no account: %w", err)
	}
	version, err := intOf(secret.InternalData[leaseVersion])
	if err != nil || nonce == "" {
		return rotation.LeaseRef{}, fmt.Errorf("the lease's internal data for account %s name no version or no nonce", id)
	}
	return rotation.LeaseRef{ID: id, Version: version, Nonce: nonce}, nil
}

// renewPassword extends a lease. The core's bound counts from the lease's issue time, as Vault's cap
// does: a client's increment beats the TTL, and only MaxTTL stops it.
func (b *backend) renewPassword(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	lease, err := leaseOf(req.Secret)
	if err != nil {
		return nil, err
	}
	ttl, maxTTL, err := b.core.Renew(ctx, lease, req.Secret.IssueTime, req.Secret.Increment)
	if err != nil {
		return refusedRenewal(err)
	}
	resp := &logical.Response{Secret: req.Secret}
	resp.Secret.TTL = ttl
	resp.Secret.MaxTTL = maxTTL
	return resp, nil
}

// refusedRenewal tells a refusal, which Vault passes on to the client as a 400, from a failure.
func refusedRenewal(err error) (*logical.Response, error) {
	var failed *rotation.Error
	if errors.As(err, &failed) && failed.Kind != rotation.Unavailable {
		return &logical.Response{Data: map[string]any{"error": failed.Message}}, nil // logical.ErrorResponse takes a string
	}
	return nil, request.VaultError("", err)
}

// revokePassword ends a lease. It never calls the cloud: the core records that the account is due and
// rotates it in the background. So it fails only with storage, and Vault repeats it then.
func (b *backend) revokePassword(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	lease, err := leaseOf(req.Secret)
	if err != nil {
		return nil, err
	}
	return nil, request.VaultError("", b.core.Revoke(ctx, lease))
}

// intOf reads a number that has crossed to Vault and back as JSON.
func intOf(v any) (int, error) {
	switch n := v.(type) {
	case int:
		return n, nil
	case int64:
		return int(n), nil
	case float64:
		return int(n), nil
	case json.Number:
		i, err := strconv.Atoi(n.String())
		return i, err
	case string:
		return strconv.Atoi(n)
	}
	return 0, fmt.Errorf("a %T is no number", v)
}
