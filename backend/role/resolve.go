package role

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// findFunc finds the instances that carry all the tags.
type findFunc func(ctx context.Context, tags map[string]string) ([]cloud.Instance, error)

// resolver finds out which instances a role means and whether the role fits them.
type resolver struct {
	fitter
	// at is the place to which provider's requests go.
	at rotation.Place
	// find finds instances by tags: the provider's FindInstances, unless a refresh has asked already.
	find findFunc
	// bound are the accounts that the role has already, where it is only looked at again: instance id ->
	// user name. They stay while the tags match, whatever else has changed.
	bound map[string]string
}

func (s *Store) newResolver(ctx context.Context, r *Record, c *connection.Record, d cloud.Descriptor) (*resolver, error) {
	live, err := s.Core.Connected(ctx, r.Connection)
	if err != nil {
		return nil, request.VaultError("connection "+r.Connection, err)
	}
	find := func(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
		return s.Connections.FindInstances(ctx, r.Connection, live.Provider, tags)
	}
	return &resolver{fitter: newFitter(s, r, c, d, live), at: live.Place, find: find}, nil
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
