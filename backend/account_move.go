package backend

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// moveToConnection has an account go on at another connection of the same cloud account, with all its passwords. role may have it
// there; "" for no word about a role. It returns the account as it is then.
func (b *backend) moveToConnection(ctx context.Context, before *rotation.View, connection, role string) (*rotation.View, []hint.Text,
	error) {
	facts, err := b.movableTo(ctx, before.ID, connection)
	if err != nil {
		return nil, nil, err
	}
	after, err := b.moveRecord(ctx, before.ID, connection, role, facts)
	if err != nil {
		return nil, nil, request.VaultError("connection", err)
	}
	b.missed.seen(before.ID)
	b.Logger().Warn("an account was moved to another connection", "account", before.ID.String(), "to", after.ID.String(),
		"role", before.Role, "leases", len(before.Leases))
	var warnings []hint.Text
	if before.Role != "" {
		if err := b.roles.LetGo(ctx, before.Role, before.ID); err != nil {
			warnings = append(warnings, hint.Textf("the account has moved, and role %s still lists its instance; take it off: %s: %s", before.Role,
				hint.New("read", "roles/"+before.Role), err))
		}
	}
	if role == "" {
		warnings = append(warnings, hint.Textf("no role has the account at connection %s yet; let one have it: %s", connection,
			after.ID.MoveHint("ROLE")))
	}
	return after, warnings, nil
}

// movableTo asks another connection's cloud for the account's server, unless something else keeps the account from moving there. It
// returns what that says of the server.
func (b *backend) movableTo(ctx context.Context, id rotation.ID, connection string) (facts rotation.Facts, err error) {
	switch ordering, err := b.campaigns.Ordering(ctx); {
	case err != nil:
		return facts, request.VaultError("", err)
	case ordering != "":
		return facts, request.Conflictf("connection: campaign %s has not reached all of its accounts yet, and would miss one that moves to "+
			"another connection; try again once its not_yet_ordered is 0: %s", ordering, hint.New("read", "campaigns/"+ordering))
	}
	c, _, err := b.connections.Find(ctx, connection)
	if err != nil {
		return facts, request.VaultError("connection", err)
	}
	if err := b.core.CheckMoveTo(ctx, id, connection); err != nil {
		return facts, request.VaultError("connection", err)
	}
	instance, place, err := b.describedBy(ctx, connection, id.InstanceID)
	switch {
	case err != nil:
		return facts, request.VaultError("connection: "+connection+" cannot describe instance "+id.InstanceID, err)
	case instance == nil || instance.State == cloud.StateGone:
		return facts, request.Invalidf("connection: %s knows no instance %s, so that it cannot have the account; check its region and project; "+
			"for the instances that it sees: %s", connection, id.InstanceID, hint.New("list -detailed", "discover/"+connection))
	case !instance.HasTags(c.RequiredTags):
		return facts, request.Invalidf("connection: %s serves only instances that carry its required_tags, which %s does not; tag it, or see: %s",
			connection, id.InstanceID, hint.New("read", "config/"+connection))
	}
	facts = rotation.FactsOf(*instance)
	facts.Place = place
	return facts, nil
}

// moveRecord moves the account's record, while nobody deletes or changes the other connection.
func (b *backend) moveRecord(ctx context.Context, id rotation.ID, connection, role string, facts rotation.Facts) (*rotation.View, error) {
	defer b.connections.RLock(connection)()
	if _, _, err := b.connections.Find(ctx, connection); err != nil {
		return nil, err
	}
	return b.core.MoveTo(ctx, id, connection, role, facts)
}
