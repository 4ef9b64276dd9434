package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Target is how a person names a server: an instance id, a name or an address, alone or behind a role and a slash; or an account as
// campaigns have it, CONNECTION/INSTANCE/USER; or a role with one server. The other fields narrow it.
type Target struct {
	Text                   string
	Connection, Role, User string
}

// Place is one account. A client that may only read creds/ROLE does not learn more than Role and InstanceID.
type Place struct {
	Role       string // empty: the account belongs to no role
	InstanceID string // empty: the only server of the role
	Name       string
	Connection string
	Username   string
	Address    string
	// Guessed: the text alone was taken for a role, since the token may not read report, which has the names of servers.
	Guessed bool
}

// Argument names the place on a command line, and nothing else.
func (p Place) Argument() string {
	switch {
	case p.Connection != "" && p.InstanceID != "" && p.Username != "":
		return p.Connection + "/" + p.InstanceID + "/" + p.Username
	case p.InstanceID != "":
		return p.Role + "/" + p.InstanceID
	}
	return p.Role
}

// AmbiguousError is a text that names more than one account.
type AmbiguousError struct {
	Text   string
	Places []Place
	More   int // how many are not in Places
}

func (e *AmbiguousError) Error() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%q is more than one account; name one of them:", e.Text)
	for _, p := range e.Places {
		out.WriteString("\n  " + p.Argument())
		var also []string
		for _, s := range []string{p.Name, p.Address} {
			if s != "" {
				also = append(also, s)
			}
		}
		if p.Role != "" {
			also = append(also, "role "+p.Role)
		}
		if len(also) > 0 {
			out.WriteString("  (" + strings.Join(also, ", ") + ")")
		}
	}
	if e.More > 0 {
		fmt.Fprintf(&out, "\n  and %d more", e.More)
	}
	return out.String()
}

// UnknownError is a text that names no account.
type UnknownError struct{ Text, Reason string }

func (e *UnknownError) Error() string { return e.Reason }

// named is how many accounts an AmbiguousError names.
const named = 10

// Resolve finds the account that a person means. A token that may not read report has only what creds/ takes: roles and ids.
func (c *Client) Resolve(ctx context.Context, t Target) (Place, error) {
	f, user, err := t.filter()
	if err != nil {
		return Place{}, err
	}
	text := f.Server
	found, err := c.find(ctx, f, user)
	switch {
	case IsDenied(err):
		return c.resolveBlind(ctx, f, text, err)
	case err != nil:
		return Place{}, err
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Place{}, ambiguous(text, found)
	case user != "":
		if all, err := c.find(ctx, f, ""); err == nil && len(all) > 0 {
			return Place{}, &UnknownError{text, fmt.Sprintf("server %s has no user %q in Vault; it has %s", text, user, users(all))}
		}
	case f.Role != "":
		return c.resolveNew(ctx, f.Role, text)
	}
	return c.resolveRole(ctx, f, text, user)
}

// filter splits the text, and returns the filter of its accounts and their user; empty: any.
func (t Target) filter() (Filter, string, error) {
	f := Filter{Connection: t.Connection, Role: t.Role}
	parts := strings.SplitN(t.Text, "/", 3) // the name of a user may have slashes
	for _, part := range parts {
		if part == "" {
			return f, "", fmt.Errorf("%q names no server; write SERVER, ROLE/SERVER or CONNECTION/INSTANCE/USER", t.Text)
		}
	}
	narrow := func(field *string, value, what string) error {
		if *field != "" && *field != value {
			return fmt.Errorf("%q is of %s %s, and --%s asks for %s", t.Text, what, value, what, *field)
		}
		*field = value
		return nil
	}
	switch len(parts) {
	case 1:
		f.Server = parts[0]
		return f, t.User, nil
	case 2:
		f.Server = parts[1]
		return f, t.User, narrow(&f.Role, parts[0], "role")
	}
	f.Server = parts[1]
	if err := narrow(&f.Connection, parts[0], "connection"); err != nil {
		return f, "", err
	}
	return f, parts[2], narrow(&t.User, parts[2], "user")
}

// find looks the accounts up by report.
func (c *Client) find(ctx context.Context, f Filter, user string) ([]Place, error) {
	page, err := c.Report(ctx, f, "", 0)
	if err != nil {
		return nil, err
	}
	var found []Place
	add := func(a Account) {
		if user == "" || a.Username == user {
			found = append(found, placeOf(a))
		}
	}
	if !page.Ignores("server") {
		for _, a := range page.Accounts {
			add(a)
		}
		return found, nil
	}
	// A plugin older than this command does not have the filter.
	for a, err := range c.Accounts(ctx, f) {
		if err != nil {
			return nil, err
		}
		if a.InstanceID == f.Server || a.Name == f.Server || a.Address == f.Server {
			add(a)
		}
	}
	return found, nil
}

// users are those of several places.
func users(places []Place) string {
	var names []string
	for _, p := range places {
		if !slices.Contains(names, p.Username) {
			names = append(names, p.Username)
		}
	}
	return strings.Join(names, ", ")
}

func placeOf(a Account) Place {
	return Place{Role: a.Role, InstanceID: a.InstanceID, Name: a.Name, Connection: a.Connection, Username: a.Username, Address: a.Address}
}

// ambiguous is the error for several places. Those with a role come first: they are more likely meant.
func ambiguous(text string, found []Place) error {
	slices.SortStableFunc(found, func(a, b Place) int {
		return strings.Compare(boolText(a.Role == ""), boolText(b.Role == ""))
	})
	e := &AmbiguousError{Text: text, Places: found}
	if len(found) > named {
		e.Places, e.More = found[:named], len(found)-named
	}
	return e
}

func boolText(b bool) string { return fmt.Sprint(b) }

// resolveNew: a role's tags may have a server that has no account yet. Its id is enough to read its password.
func (c *Client) resolveNew(ctx context.Context, role, text string) (Place, error) {
	ids, err := c.List(ctx, nil, "instances", role)
	if err == nil && slices.Contains(ids, text) || IsDenied(err) {
		return Place{Role: role, InstanceID: text}, nil
	}
	if err != nil {
		return Place{}, err
	}
	return Place{}, &UnknownError{text, fmt.Sprintf("role %s has no server with the id, name or address %q", role, text)}
}

// resolveRole: a text that is no server may be a role.
func (c *Client) resolveRole(ctx context.Context, f Filter, text, user string) (Place, error) {
	unknown := &UnknownError{text, fmt.Sprintf("there is no server with the id, name or address %q, and no role of that name", text)}
	if f.Connection != "" || checkSegment(text) != nil {
		return Place{}, unknown
	}
	if f.Role != "" {
		return Place{}, &UnknownError{text, fmt.Sprintf("role %s has no user %q on a server %q", f.Role, user, text)}
	}
	f.Server, f.Role = "", text
	page, err := c.Report(ctx, f, "", 2)
	if err != nil && !IsInvalid(err) { // what is no name of a role
		return Place{}, err
	}
	var places []Place
	for _, a := range page.Accounts {
		if user == "" || a.Username == user {
			places = append(places, placeOf(a))
		}
	}
	switch {
	case page.Total > 1:
		return Place{}, &UnknownError{text, fmt.Sprintf("%s is a role with %d accounts, and no server; name one of them: %s/SERVER", text,
			page.Total, text)}
	case len(places) == 1:
		return places[0], nil
	}
	// A role that was written just now, or whose server is new.
	if ids, err := c.List(ctx, nil, "instances", text); err == nil && len(ids) == 1 {
		return Place{Role: text, InstanceID: ids[0]}, nil
	} else if err == nil && len(ids) > 1 {
		return Place{}, &UnknownError{text, fmt.Sprintf("%s is a role with %d servers; name one of them: %s/SERVER", text, len(ids), text)}
	}
	return Place{}, unknown
}

// resolveBlind is for a token that may not read report. If it may list instances/ROLE, it learns the names of that role's servers;
// else an id passes as it is.
func (c *Client) resolveBlind(ctx context.Context, f Filter, text string, denied error) (Place, error) {
	switch {
	case f.Connection != "": // accounts are named by what this token may not see
		return Place{}, denied
	case f.Role == "":
		return Place{Role: text, Guessed: true}, nil
	}
	known := map[string]struct{ Name, Address string }{}
	ids, err := c.List(ctx, &known, "instances", f.Role)
	if err != nil || slices.Contains(ids, text) {
		return Place{Role: f.Role, InstanceID: text}, nil //nolint:nilerr // what is wrong with the role, the read of the password tells
	}
	var found []Place
	for _, id := range ids {
		if one := known[id]; one.Name == text || one.Address == text {
			found = append(found, Place{Role: f.Role, InstanceID: id, Name: one.Name, Address: one.Address})
		}
	}
	switch len(found) {
	case 0:
		return Place{}, &UnknownError{text, fmt.Sprintf("role %s has no server with the id, name or address %q", f.Role, text)}
	case 1:
		return found[0], nil
	}
	return Place{}, ambiguous(text, found)
}
