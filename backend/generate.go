package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

const (
	// policyTimeout bounds one password from Vault's policies. Without a deadline of ours, Vault
	// allows 1 s, which a policy with rare rules may exceed.
	policyTimeout = 10 * time.Second
	// policyTries is how many passwords of a policy may break the cloud's rules before the policy is
	// called unfit.
	policyTries = 20
	// maxPolicyLength bounds the name of a policy, in bytes.
	maxPolicyLength = 255
)

// generate makes a password that keeps to the cloud's rules, for the core and for checking roles: by a
// Vault password policy, or "" for the built-in generator.
func (b *backend) generate(ctx context.Context, policy string, rules password.Rules, username string) (string, error) {
	if policy == "" {
		generated, err := password.Generate(rules, username, 0)
		if err != nil {
			return "", invalidf("username: no password can be made for user %s by the cloud's rules: %s", username, err)
		}
		return generated, nil
	}
	user := []password.User{{Name: username, Rules: rules}}
	generated, err := password.Fit(policyTries, func() (string, error) { return b.fromPolicy(ctx, policy) }, user)
	if misfit := (*password.MisfitError)(nil); errors.As(err, &misfit) {
		return "", invalidf("password_policy: the passwords of policy %s break the cloud's rules for user %s (%d tries): %s; change the policy",
			policy, username, policyTries, misfit.Err)
	}
	return generated, err
}

// fromPolicy asks Vault for one password of a policy.
func (b *backend) fromPolicy(ctx context.Context, policy string) (string, error) {
	if len(policy) > maxPolicyLength || text.Check(policy) != nil {
		return "", invalidf("password_policy: %.40q is no name of a password policy", policy)
	}
	ctx, cancel := context.WithTimeout(ctx, policyTimeout)
	defer cancel()
	generated, err := b.System().GeneratePasswordFromPolicy(ctx, policy)
	if err != nil {
		// Vault tells plugins little about the cause, and nothing secret.
		return "", invalidf("password_policy: Vault made no password by policy %s (%s); see whether it exists: vault read "+
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
