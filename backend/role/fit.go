package role

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// fitter finds out whether a role fits its instances.
type fitter struct {
	s        *Store
	role     *Record
	conn     *connection.Record
	cloud    cloud.Descriptor
	provider cloud.Provider
	login    cloud.PasswordChecker // the check method cloud.CheckSSH; nil: there is none
	// keys and policies remember checks that are the same for many instances.
	keys     map[string]error
	policies map[policyCheck]error
}

type policyCheck struct {
	rules    password.Rules
	username string
}

func newFitter(s *Store, r *Record, c *connection.Record, d cloud.Descriptor, live *rotation.Connection) fitter {
	return fitter{s: s, role: r, conn: c, cloud: d, provider: live.Provider, login: live.Login, keys: map[string]error{},
		policies: map[policyCheck]error{}}
}

// fit checks the role against one instance and returns the user name, the default resolved.
func (v *fitter) fit(ctx context.Context, i cloud.Instance) (string, error) {
	username := v.role.Username
	if username == "" {
		username = v.provider.DefaultUsername(i)
		if err := checkUsername(username); err != nil {
			return "", request.Invalidf("instance %s: its default user %.40q cannot be used; set the role's username", i.ID, username)
		}
	}
	method, resets := v.role.resetMethod(v.cloud)
	if err := checkUser(i, username, resets && method.Name == cloud.MethodCommand); err != nil {
		return "", err
	}
	source := v.role.source(v.cloud)
	if source == rotation.FromInitial {
		if i.Platform == cloud.Linux {
			out := "log in with the instance's key pair instead"
			if v.cloud.CanReset() {
				out = fmt.Sprintf("use source=%s, log in with the instance's key pair", rotation.FromReset)
			}
			out += fmt.Sprintf(", use source=%s for a password that people set", rotation.FromImport)
			return "", request.Invalidf(
				"instance %s runs Linux, and %s makes initial passwords for Windows only; %s, or choose one that runs Windows: %s",
				i.ID, v.cloud.Title, out, hint.New("list -detailed", "discover/"+v.role.Connection))
		}
		if err := v.checkKey(ctx, i); err != nil {
			return "", err
		}
	}
	if err := v.checkLookable(i, username); err != nil {
		return "", err
	}
	if !resets {
		return username, nil
	}
	if p, ok := v.provider.(cloud.PasswordResetters); ok {
		if checker, ok := p.Resetter(method.Name).(cloud.ResetChecker); ok {
			if err := checker.CheckReset(i, username); err != nil {
				return "", request.Invalidf("instance %s: %v", i.ID, err)
			}
		}
	}
	if method.MayStop && !v.role.forceStop() && v.role.Mode == rotation.Leased && i.State != cloud.StateStopped && i.State != "" {
		return "", request.Invalidf(
			"force_stop: false, but instance %s is %s, and the password of a running server cannot be reset at the end of a lease "+
				"without shutting it down; set force_stop=true, or use mode=%s", i.ID, i.CloudState, rotation.Static)
	}
	return username, v.checkPolicy(ctx, i, username)
}

// checkUser checks a user name against an instance's platform. byCommand is whether passwords are set by a command in
// the guest, which alone can find the built-in administrator.
func checkUser(i cloud.Instance, username string, byCommand bool) error {
	if err := cloud.CheckUsername(i.Platform, username); err != nil {
		return request.Invalidf("instance %s: %v", i.ID, err)
	}
	if username == cloud.BuiltinAdministrator && !byCommand {
		return request.Invalidf(
			"instance %s: username: %s is found by a command in the server only; use reset_method=%s where the provider has that, "+
				"or give the account's name", i.ID, username, cloud.MethodCommand)
	}
	return nil
}

// checkKey checks that the key for the instance's initial password is there.
func (v *fitter) checkKey(ctx context.Context, i cloud.Instance) error {
	name, err := keypair.NameFor(v.role.Key, i.ID, i.KeyName)
	if err != nil {
		return err
	}
	err, checked := v.keys[name]
	if checked {
		return err
	}
	stored, _, err := v.s.Keys.Load(ctx, name)
	if err == nil && stored == nil {
		err = request.Invalidf("key: instance %s was launched with key pair %s, and there is no key keys/%s; %s; or set the role's key", i.ID,
			i.KeyName,
			name, keypair.StoreHint(name))
	}
	if err == nil && !stored.Allows(v.role.Connection) {
		err = request.Invalidf("key: instance %s: %s", i.ID, keypair.Refusal(name, stored, v.role.Connection))
	}
	v.keys[name] = err
	return err
}

// checkPolicy makes one password as a rotation would and throws it away.
func (v *fitter) checkPolicy(ctx context.Context, i cloud.Instance, username string) error {
	check := policyCheck{v.provider.PasswordRules(i), username}
	if err, done := v.policies[check]; done {
		return err
	}
	_, err := v.s.Policies.Generate(ctx, v.policy(), check.rules, username)
	if err != nil {
		err = request.VaultError("instance "+i.ID, err)
	}
	v.policies[check] = err
	return err
}

// checkShared makes, where the accounts are to share a password, one that the rules of all instances
// allow, and throws it away.
func (v *fitter) checkShared(ctx context.Context, members []member) error {
	if !v.role.Shared() || len(members) == 0 {
		return nil
	}
	users := make([]password.User, len(members))
	for i, m := range members {
		users[i] = password.User{Host: m.instance.ID, Name: m.username, Rules: v.provider.PasswordRules(m.instance)}
	}
	first := users[0]
	_, err := password.Fit(rotation.SharedTries,
		func() (string, error) { return v.s.Policies.Generate(ctx, v.policy(), first.Rules, first.Name) },
		users)
	if misfit := (*password.MisfitError)(nil); errors.As(err, &misfit) {
		return request.Invalidf(
			"shared_password: no password fits all instances, not %s: %s; set a password_policy that fits, or write several roles",
			misfit.User.Host, misfit.Err)
	}
	return request.VaultError("instance "+first.Host, err)
}

// policy is the password policy in force.
func (v *fitter) policy() string {
	if v.role.PasswordPolicy == "" {
		return v.conn.PasswordPolicy
	}
	return v.role.PasswordPolicy
}
