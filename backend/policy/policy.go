// Package policy makes passwords by Vault's password policies, or without one, that keep to a cloud's rules, and warns of
// policies whose passwords can be guessed.
package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

const (
	// timeout bounds one password from Vault's policies. Without a deadline of ours, Vault
	// allows 1 s, which a policy with rare rules may exceed.
	timeout = 10 * time.Second
	// tries is how many passwords of a policy may break the cloud's rules before the policy is
	// called unfit.
	tries = 20
	// maxNameLength bounds the name of a policy, in bytes.
	maxNameLength = 255
)

// Source is Vault, which makes passwords by its policies.
type Source interface {
	GeneratePasswordFromPolicy(ctx context.Context, policy string) (string, error)
}

// Generator makes passwords, by a policy or without one.
type Generator struct{ vault Source }

// New makes the generator of a mount.
func New(vault Source) Generator { return Generator{vault} }

// Generate makes a password that keeps to the cloud's rules, for the core and for checking roles: by a
// Vault password policy, or "" for the built-in generator.
func (p Generator) Generate(ctx context.Context, policy string, rules password.Rules, username string) (string, error) {
	if policy == "" {
		generated, err := password.Generate(rules, username, 0)
		if err != nil {
			return "", request.Invalidf("username: no password can be made for user %s by the cloud's rules: %s", username, err)
		}
		return generated, nil
	}
	user := []password.User{{Name: username, Rules: rules}}
	generated, err := password.Fit(tries, func() (string, error) { return p.Sample(ctx, policy) }, user)
	if misfit := (*password.MisfitError)(nil); errors.As(err, &misfit) {
		return "", request.Invalidf(
			"password_policy: the passwords of policy %s break the cloud's rules for user %s (%d tries): %s; change the policy",
			policy, username, tries, misfit.Err)
	}
	return generated, err
}

// Sample asks Vault for one password of a policy.
func (p Generator) Sample(ctx context.Context, policy string) (string, error) {
	if len(policy) > maxNameLength || text.Check(policy) != nil {
		return "", request.Invalidf("password_policy: %.40q is no name of a password policy", policy)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	generated, err := p.vault.GeneratePasswordFromPolicy(ctx, policy)
	if err != nil {
		// Vault tells plugins little about the cause, and nothing secret.
		return "", request.Invalidf("password_policy: Vault made no password by policy %s (%s); see whether it exists: vault read "+
			"sys/policies/password/%s", policy, firstLine(err), policy)
	}
	if generated == "" {
		return "", fmt.Errorf("password_policy: policy %s made an empty password", policy)
	}
	return generated, nil
}

// firstLine is an error's first line, without what other processes may have appended to it.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
