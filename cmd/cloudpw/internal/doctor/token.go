package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

const (
	// callTime bounds each request.
	callTime = 30 * time.Second
	// shortTTL is a token's life that ends before a session does.
	shortTTL = 15 * time.Minute
)

// self is what Vault tells of a token.
type self struct {
	DisplayName      string   `json:"display_name"`
	EntityID         string   `json:"entity_id"`
	Policies         []string `json:"policies"`
	IdentityPolicies []string `json:"identity_policies"`
	TTL              int64    `json:"ttl"`
	ExpireTime       string   `json:"expire_time"`
	Uses             int      `json:"num_uses"`
	Renewable        bool     `json:"renewable"`
	Type             string   `json:"type"`
	Namespace        string   `json:"namespace_path"`
}

// read reads a path of Vault into out. Its error is that of the client.
func (d *Doctor) read(ctx context.Context, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	secret, err := d.Client.Vault().Logical().ReadWithContext(ctx, path)
	if err != nil {
		return err
	}
	if secret == nil {
		return &api.ResponseError{StatusCode: http.StatusNotFound}
	}
	return decode(secret.Data, out)
}

func decode(data map[string]any, out any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

func statusOf(err error) int {
	var refused *api.ResponseError
	if errors.As(err, &refused) {
		return refused.StatusCode
	}
	return 0
}

// messages are what Vault said, in one line.
func messages(err error) string {
	var refused *api.ResponseError
	if errors.As(err, &refused) {
		return strings.Join(refused.Errors, "; ")
	}
	return err.Error()
}

// token reports whether there is a token that Vault knows.
func (d *Doctor) token(ctx context.Context) bool {
	if d.Client.Vault().Token() == "" {
		d.add(partToken, Wrong, "vault login", "there is none: VAULT_TOKEN is not set, and nobody is logged in")
		return false
	}
	var t self
	err := d.read(ctx, "auth/token/lookup-self", &t)
	switch {
	case statusOf(err) == http.StatusForbidden && d.works(ctx):
		d.add(partToken, Note, "have the policy default added to the token", "it may not look itself up, so nothing is known about its end")
		return true
	case statusOf(err) == http.StatusForbidden:
		d.add(partToken, Wrong, "vault login", "Vault does not know it: it has ended, was revoked, or is of another cluster or namespace")
		return false
	case err != nil:
		d.add(partToken, Wrong, "vault token lookup", "it cannot be looked up: "+messages(err))
		return false
	}
	d.about(t)
	return true
}

// works reports whether Vault knows the token: any token may ask what it may do, unless a policy denies that.
func (d *Doctor) works(ctx context.Context) bool {
	_, err := d.capabilities(ctx, []string{"sys/mounts"})
	return err == nil
}

func (d *Doctor) about(t self) {
	policies := slices.Concat(t.Policies, t.IdentityPolicies)
	slices.Sort(policies)
	text := fmt.Sprintf("of %s, policies %s", t.DisplayName, strings.Join(slices.Compact(policies), ", "))
	if t.Namespace != "" {
		text += ", namespace " + strings.TrimSuffix(t.Namespace, "/")
	}
	ttl := time.Duration(t.TTL) * time.Second
	switch {
	case t.TTL == 0:
		text += ", without an end"
	case t.Renewable:
		text += ", ends in " + output.Age(ttl) + " unless it is renewed"
	default:
		text += ", ends in " + output.Age(ttl)
	}
	d.add(partToken, OK, "", text)
	switch {
	case t.TTL > 0 && ttl < shortTTL && t.Renewable:
		d.add(partToken, Note, "vault token renew", "it ends in "+output.Age(ttl)+", and leases that it takes end with it")
	case t.TTL > 0 && ttl < shortTTL:
		d.add(partToken, Note, "vault login", "it ends in "+output.Age(ttl)+", and leases that it takes end with it")
	}
	if slices.Contains(t.Policies, "root") {
		d.add(partToken, Note, "vault login -method=METHOD", "it is a root token, which may do everything; take a token of a persona for "+
			"daily work")
	}
	if t.Uses > 0 {
		d.add(partToken, Wrong, "vault login", fmt.Sprintf("it has %d uses left: a read of a password with the last one rotates the "+
			"password, and nobody gets it", t.Uses))
	}
	if t.EntityID == "" && !slices.Contains(t.Policies, "root") {
		d.add(partToken, Note, "vault login -method=METHOD", "it belongs to no entity, so that readers are known by display name only")
	}
	if t.Type == "batch" {
		d.add(partToken, Note, "", "it is a batch token: it cannot be renewed, and leases that it takes end with it at the latest")
	}
}
