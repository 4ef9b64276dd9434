package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// credentialNotice is how long before its end a connection's credential is wrong; status warns earlier.
const credentialNotice = 7 * 24 * time.Hour

// state says which connections and accounts do not work.
func (d *Doctor) state(ctx context.Context) {
	s, err := d.Client.Status(ctx)
	switch {
	case engine.IsDenied(err):
		d.add(partConnections, Note, "ask for read on "+d.Client.Mount()+"/status", "the token may not see how they do")
		return
	case err != nil:
		d.add(partConnections, Wrong, "vault read "+d.Client.Mount()+"/status", "their state cannot be read: "+err.Error())
		return
	}
	if !s.Running {
		d.add(partConnections, Wrong, "vault operator members", "the node that answers rotates nothing: it may not write")
	}
	if s.Loading {
		d.add(partConnections, Note, "cloudpw doctor", "accounts are still being loaded after a start; some are missing below")
	}
	wrong := 0
	for _, name := range slices.Sorted(maps.Keys(s.Details.Connections)) {
		if d.connection(name, s.Details.Connections[name]) {
			wrong++
		}
	}
	if wrong == 0 {
		d.add(partConnections, OK, "", fmt.Sprintf("%d, all work as far as is known", len(s.Details.Connections)))
	}
	d.accounts(s)
}

// connection reports whether something is wrong with one.
func (d *Doctor) connection(name string, c engine.ConnectionState) bool {
	before := len(d.found)
	check := "vault read " + output.Word(d.Client.Mount()+"/check/"+name)
	switch {
	case c.BreakerOpen:
		d.add(partConnections, Wrong, check, fmt.Sprintf("%s: its cloud does not answer, and is asked again in %s: %s", name,
			output.Age(time.Duration(c.RetryIn*float64(time.Second))), c.LastError))
	case c.LastError != "":
		d.add(partConnections, Wrong, check, name+": "+c.LastError)
	}
	if c.Braked {
		d.add(partConnections, Wrong, "cloudpw servers --state braked --connection "+output.Word(name),
			fmt.Sprintf("%s: no rotation is begun, since its cloud shows no outcome of resets of %d accounts", name, c.BrakedAccounts))
	}
	if c.RootRotationTrouble != "" {
		d.add(partConnections, Wrong, check, name+": its own credential cannot be replaced: "+c.RootRotationTrouble)
	}
	if !c.CredentialExpires.IsZero() && c.CredentialExpires.Sub(d.Now()) < credentialNotice {
		d.add(partConnections, Wrong, "vault write -force "+output.Word(d.Client.Mount()+"/rotate-root/"+name),
			name+": its own credential ends "+output.Ago(c.CredentialExpires, d.Now()))
	}
	return len(d.found) > before
}

func (d *Doctor) accounts(s engine.Status) {
	before := len(d.found)
	if s.FailingCount > 0 {
		text := output.Count(s.FailingCount, "account fails", "accounts fail")
		if len(s.Details.Causes) > 0 {
			text += ", most since: " + s.Details.Causes[0].Cause
		}
		d.add(partAccounts, Wrong, "cloudpw servers --failing", text)
	}
	if s.FailingRoleCount > 0 {
		d.add(partAccounts, Wrong, "vault read -field=summary "+d.Client.Mount()+"/status",
			"the servers of "+output.Count(s.FailingRoleCount, "role", "roles")+" cannot be looked up")
	}
	if s.Drifted > 0 {
		d.add(partAccounts, Wrong, "cloudpw servers --drifted",
			output.Count(s.Drifted, "server has", "servers have")+" another password than Vault")
	}
	if s.Rebuilt > 0 {
		d.add(partAccounts, Note, "cloudpw servers --rebuilt", output.Count(s.Rebuilt, "server seems", "servers seem")+" to have been rebuilt")
	}
	if s.ConflictCount > 0 {
		d.add(partAccounts, Note, "vault read -field=summary "+d.Client.Mount()+"/status",
			output.Count(s.ConflictCount, "server matches a role, and belongs", "servers match a role, and belong")+" to another")
	}
	if len(d.found) == before {
		total := 0
		for _, n := range s.Accounts {
			total += n
		}
		d.add(partAccounts, OK, "", fmt.Sprintf("%d, none fails or has drifted", total))
	}
}
