package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// maxNames bounds the roles and connections that are asked about, so that the request stays small.
const maxNames = 200

// maxLacks is how many missing rights of a persona are named.
const maxLacks = 6

// unknownName stands for a role or connection if none is known. A policy that names one does not match it.
const unknownName = "any-name"

// capabilities asks what the token may do with paths.
func (d *Doctor) capabilities(ctx context.Context, paths []string) (map[string][]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	secret, err := d.Client.Vault().Logical().WriteWithContext(ctx, "sys/capabilities-self", map[string]any{"paths": paths})
	if err != nil || secret == nil {
		return nil, err
	}
	may := map[string][]string{}
	for _, path := range paths {
		list, _ := secret.Data[path].([]any)
		for _, c := range list {
			if word, ok := c.(string); ok {
				may[path] = append(may[path], word)
			}
		}
	}
	return may, nil
}

// granted reports whether all of some capabilities are there. Vault gives sudo with root only, or by name.
func granted(has, needs []string) bool {
	if slices.Contains(has, "root") {
		return true
	}
	for _, n := range needs {
		if !slices.Contains(has, n) {
			return false
		}
	}
	return true
}

// at is a rule's path as one can be asked about, for one's own name in place of the policy's.
func (d *Doctor) at(r rule, own string) string {
	path := r.path
	for _, sample := range []string{sampleRole, sampleConnection} {
		path = strings.ReplaceAll(path, "/"+sample, "/"+own)
	}
	path = strings.ReplaceAll(path, "+", unknownName)
	if before, found := strings.CutSuffix(path, "*"); found {
		path = before + unknownName
	}
	if rest, found := strings.CutPrefix(path, "cloudpw/"); found {
		return d.Client.Mount() + "/" + rest
	}
	return strings.Replace(path, "/cloudpw/", "/"+d.Client.Mount()+"/", 1)
}

// names are roles or connections: those that the token may list, and those that its policies name.
func (d *Doctor) names(ctx context.Context, list string, acl map[string]bool, below ...string) []string {
	names := map[string]bool{}
	if keys, err := d.Client.List(ctx, nil, list); err == nil {
		for _, k := range keys {
			names[k] = true
		}
	}
	for path := range acl {
		for _, b := range below {
			if rest, found := strings.CutPrefix(path, d.Client.Mount()+"/"+b+"/"); found {
				if name, _, _ := strings.Cut(rest, "/"); name != "" && !strings.ContainsAny(name, "+*") {
					names[name] = true
				}
			}
		}
	}
	all := slices.Sorted(maps.Keys(names))
	return all[:min(len(all), maxNames)]
}

// acl are the paths that the token's policies name, if Vault tells; the policy default allows it.
func (d *Doctor) acl(ctx context.Context) map[string]bool {
	var answer struct {
		Exact map[string]any `json:"exact_paths"`
		Glob  map[string]any `json:"glob_paths"`
	}
	paths := map[string]bool{}
	if d.read(ctx, "sys/internal/ui/resultant-acl", &answer) != nil {
		return paths
	}
	for path := range answer.Exact {
		paths[path] = true
	}
	for path := range answer.Glob {
		paths[path] = true
	}
	return paths
}

// permissions says which personas of docs/vault-policies.md the token can be.
func (d *Doctor) permissions(ctx context.Context) {
	acl := d.acl(ctx)
	roles, connections := d.names(ctx, "roles", acl, "creds"), d.names(ctx, "config", acl, "import")
	var paths []string
	for _, p := range personas() {
		for _, name := range p.owns(roles, connections) {
			for _, r := range p.rules {
				paths = append(paths, d.at(r, name))
			}
		}
	}
	slices.Sort(paths)
	may, err := d.capabilities(ctx, slices.Compact(paths))
	if err != nil {
		d.add(partPermissions, Note, "have the policy default added to the token", "the token may not ask what it may do: "+messages(err))
		return
	}
	var none []string
	for _, p := range personas() {
		if !d.persona(p, p.owns(roles, connections), may) {
			none = append(none, p.name)
		}
	}
	switch {
	case len(none) == len(personas()):
		d.add(partPermissions, Wrong, "ask for a policy of docs/vault-policies.md", "the token can do nothing with "+d.Client.Mount()+"/")
	case len(none) > 0:
		d.add(partPermissions, OK, "", "nothing of: "+strings.Join(none, ", "))
	}
}

// owns are the names for which a persona's rules are asked about: its policy names one role or one connection, or none.
func (p persona) owns(roles, connections []string) []string {
	of := []string{}
	switch {
	case strings.Contains(p.rules[0].path, "/"+sampleRole):
		of = roles
	case strings.Contains(p.rules[0].path, "/"+sampleConnection):
		of = connections
	}
	if len(of) == 0 {
		return []string{unknownName}
	}
	return of
}

// persona tells what the token can do of a persona's work, and reports whether that is anything.
func (d *Doctor) persona(p persona, owns []string, may map[string][]string) bool {
	var whole []string
	var lacks map[string]bool // of the name that lacks least
	for _, name := range owns {
		missing, some := map[string]bool{}, false
		for _, r := range p.rules {
			path := d.at(r, name)
			switch {
			case granted(may[path], r.capabilities): // Vault's policy default grants sys/leases/lookup, which alone is nothing
				some = some || strings.Contains(r.path, "cloudpw/")
			default:
				missing[strings.Join(r.capabilities, ", ")+" on "+d.shown(r, name)] = true
			}
		}
		switch {
		case len(missing) == 0:
			whole = append(whole, name)
		case some && (lacks == nil || len(missing) < len(lacks)):
			lacks = missing
		}
	}
	switch {
	case len(whole) > 0:
		d.add(partPermissions, OK, "", p.name+": yes"+ofNames(whole))
		return true
	case lacks != nil:
		words := slices.Sorted(maps.Keys(lacks))
		if n := len(words) - maxLacks; n > 0 {
			words = append(words[:maxLacks], fmt.Sprintf("and %d more", n))
		}
		d.add(partPermissions, Note, "ask for the policy "+p.name+" of docs/vault-policies.md, if that is your work",
			fmt.Sprintf("%s: in parts; it lacks %s", p.name, strings.Join(words, "; ")))
		return true
	}
	return false
}

// shown is the path of a rule as a policy has it.
func (d *Doctor) shown(r rule, name string) string {
	path := d.at(r, name)
	if strings.HasSuffix(r.path, "*") {
		path = strings.TrimSuffix(path, unknownName) + "*"
	}
	return path
}

// ofNames names the roles or connections that a yes is for.
func ofNames(names []string) string {
	const shown = 10
	switch {
	case names[0] == unknownName:
		return ""
	case len(names) > shown:
		return fmt.Sprintf(", for %s and %d more", output.Clean(strings.Join(names[:shown], ", ")), len(names)-shown)
	}
	return ", for " + output.Clean(strings.Join(names, ", "))
}
