package role

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// member is an instance of a role and the user whose password the role is about.
type member struct {
	instance cloud.Instance
	username string
	// at is the place where the instance was described.
	at rotation.Place
	// unseen is set where the cloud did not show the instance, and it is as it was last seen.
	unseen bool
}

// findFunc finds the instances that carry all the tags.
type findFunc func(ctx context.Context, tags map[string]string) ([]cloud.Instance, error)

// resolver finds out which instances a role means and whether the role fits them.
type resolver struct {
	s        *Store
	role     *Record
	conn     *connection.Record
	cloud    cloud.Descriptor
	provider cloud.Provider
	// at is the place to which provider's requests go.
	at rotation.Place
	// find finds instances by tags: the provider's FindInstances, unless a refresh has asked already.
	find findFunc
	// bound are the accounts that the role has already, where it is only looked at anew: instance id ->
	// user name. They stay while the tags match, whatever else has changed.
	bound map[string]string
	// keys and policies remember checks that are the same for many instances.
	keys     map[string]error
	policies map[policyCheck]error
}

type policyCheck struct {
	rules    password.Rules
	username string
}

func (s *Store) newResolver(ctx context.Context, r *Record, c *connection.Record, d cloud.Descriptor) (*resolver, error) {
	live, err := s.Core.Connected(ctx, r.Connection)
	if err != nil {
		return nil, request.VaultError("connection "+r.Connection, err)
	}
	find := func(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
		return s.Connections.FindInstances(ctx, r.Connection, live.Provider, tags)
	}
	return &resolver{s: s, role: r, conn: c, cloud: d, provider: live.Provider, at: live.Place, find: find, keys: map[string]error{},
		policies: map[policyCheck]error{}}, nil
}

// resolve asks the cloud for the role's instances and returns those that the role fits, sorted by id.
// Of listed instances each must exist and fit. Tags may match instances that do not fit: these are
// left out with a warning, unless none is left.
func (v *resolver) resolve(ctx context.Context) ([]member, []hint.Text, error) {
	instances, err := v.instances(ctx)
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(instances, cloud.CompareInstances)
	var members []member
	var warnings []hint.Text
	var unfit error
	for _, i := range instances {
		username, err := v.fit(ctx, i)
		switch {
		case err == nil:
			members = append(members, member{instance: i, username: username, at: v.at})
		case v.role.InstanceTags == nil:
			return nil, nil, err
		case v.bound[i.ID] != "":
			members = append(members, member{instance: i, username: v.bound[i.ID], at: v.at})
			warnings = append(warnings, hint.Textf("kept, but: %s", err))
		default:
			unfit = err
			warnings = append(warnings, hint.Textf("left out: %s", err))
		}
	}
	if len(members) == 0 && unfit != nil {
		return nil, nil, unfit
	}
	if len(instances) == 0 {
		warnings = append(warnings, hint.Plain("instance_tags: no instance carries these tags at the moment"))
	}
	if err := v.checkPermission(ctx, members); err != nil {
		return nil, nil, err
	}
	if err := v.checkShared(ctx, members); err != nil {
		return nil, nil, err
	}
	return members, request.TruncateWarnings(warnings), nil
}

// instances describes what the role's mapping means.
func (v *resolver) instances(ctx context.Context) ([]cloud.Instance, error) {
	if v.role.InstanceTags != nil {
		found, err := v.tagged(ctx)
		if err != nil {
			return nil, err
		}
		if len(found) > MaxInstances {
			return nil, request.Invalidf("instance_tags: %d instances carry these tags; a role has at most %d, so add tags and write several roles",
				len(found), MaxInstances)
		}
		// An id becomes part of paths; one that cannot is not this API's.
		return slices.DeleteFunc(found, func(i cloud.Instance) bool { return i.State == cloud.StateGone || !request.IsName(i.ID) }), nil
	}
	for _, id := range v.role.InstanceIDs {
		if err := v.provider.ValidateInstanceID(id); err != nil {
			return nil, request.Invalidf("instance_ids: %s", err)
		}
	}
	found, err := v.s.Connections.DescribeInstances(ctx, v.role.Connection, v.provider, v.role.InstanceIDs)
	if err != nil {
		return nil, request.VaultError(v.asked("instance_ids"), err)
	}
	states := make(map[string]cloud.State, len(found))
	for _, i := range found {
		states[i.ID] = i.State
	}
	var missing, gone []string
	for _, id := range v.role.InstanceIDs {
		switch state, ok := states[id]; {
		case !ok:
			missing = append(missing, id)
		case state == cloud.StateGone:
			gone = append(gone, id)
		}
	}
	if len(missing) > 0 {
		return nil, request.Invalidf(
			"instance_ids: connection %s (%s) knows no instance %s; check the ids, and the connection's region and account. "+
				"For those that it sees: %s",
			v.role.Connection, v.place(), request.Summarize(missing), hint.New("list -detailed", "discover/"+v.role.Connection))
	}
	if unserved := v.unserved(found); len(unserved) > 0 {
		return nil, request.Invalidf(
			"instance_ids: connection %s serves only instances that carry its required_tags (%s), which these do not: %s; "+
				"tag them, or take them off the list",
			v.role.Connection, tagText(v.conn.RequiredTags), request.Summarize(unserved))
	}
	if len(gone) > 0 {
		return nil, request.Invalidf("instance_ids: terminated: %s; take them off the list", request.Summarize(gone))
	}
	return found, nil
}

// tagged finds the instances that carry the role's tags and those that the connection requires.
func (v *resolver) tagged(ctx context.Context) ([]cloud.Instance, error) {
	tags := maps.Clone(v.role.InstanceTags)
	for key, required := range v.conn.RequiredTags {
		if wanted, ok := tags[key]; ok && wanted != required {
			return nil, request.Invalidf("instance_tags: %.40q contradicts required_tags of connection %s, which serves only instances with %s", key+
				"="+
				wanted, v.role.Connection, key+"="+required)
		}
		tags[key] = required
	}
	found, err := v.find(ctx, tags)
	if err != nil {
		return nil, request.VaultError(v.asked("instance_tags"), err)
	}
	return found, nil
}

// unserved lists the instances that lack a tag which the connection requires.
func (v *resolver) unserved(instances []cloud.Instance) []string {
	var ids []string
	for _, i := range instances {
		if i.State != cloud.StateGone && !i.HasTags(v.conn.RequiredTags) {
			ids = append(ids, i.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// tagText writes tags for a message.
func tagText(tags map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		pairs = append(pairs, key+"="+tags[key])
	}
	return request.Summarize(pairs)
}

// asked begins the message of a failed question to the cloud.
func (v *resolver) asked(field string) string {
	return fmt.Sprintf("%s: connection %s cannot describe the instances", field, v.role.Connection)
}

// place says where a connection looks, for messages.
func (v *resolver) place() string {
	words := []string{v.conn.Provider}
	for _, f := range v.cloud.Fields {
		if value := v.conn.Own.Text(f); f.Kind == cloud.FieldAccount && value != "" {
			words = append(words, f.Name+" "+value)
		}
	}
	return strings.Join(words, ", ")
}

// fit checks the role against one instance and returns the user name, the default resolved.
func (v *resolver) fit(ctx context.Context, i cloud.Instance) (string, error) {
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
			return "", request.Invalidf(
				"instance %s runs Linux, and %s makes initial passwords for Windows only; %s, or choose one that runs Windows: %s",
				i.ID, v.cloud.Title, out, hint.New("list -detailed", "discover/"+v.role.Connection))
		}
		if err := v.checkKey(ctx, i); err != nil {
			return "", err
		}
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
func (v *resolver) checkKey(ctx context.Context, i cloud.Instance) error {
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
func (v *resolver) checkPolicy(ctx context.Context, i cloud.Instance, username string) error {
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
func (v *resolver) checkShared(ctx context.Context, members []member) error {
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
func (v *resolver) policy() string {
	if v.role.PasswordPolicy == "" {
		return v.conn.PasswordPolicy
	}
	return v.role.PasswordPolicy
}

// checkedInstances is for how many instances the permission to read initial passwords is checked: it
// is normally granted for a whole account or group, and each check is a request.
const checkedInstances = 3

// checkPermission checks, where the cloud can tell, that initial passwords may be read.
func (v *resolver) checkPermission(ctx context.Context, members []member) error {
	reader, ok := v.provider.(cloud.InitialPasswordReader)
	if !ok || v.role.source(v.cloud) != rotation.FromInitial {
		return nil
	}
	members = slices.DeleteFunc(slices.Clone(members), func(m member) bool { return v.bound[m.instance.ID] != "" })
	for _, m := range members[:min(len(members), checkedInstances)] {
		_, err := connection.Ask(ctx, v.s.Connections, v.role.Connection, func(ctx context.Context) (any, error) {
			return nil, reader.CheckInitialPassword(ctx, m.instance.ID)
		})
		if err != nil {
			return request.VaultError("connection "+v.role.Connection+" cannot read initial passwords", err)
		}
	}
	return nil
}
