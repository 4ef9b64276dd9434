package backend

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/campaign"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// maxAnswered is how many accounts of a role an answer shows.
const maxAnswered = campaign.AtOnce

func (b *backend) pathRotateRole() *framework.Path {
	count := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeInt, Description: "Only for a role with more than 100 accounts, instead of accounts: " +
			description + ", as in campaigns/."}
	}
	return b.pathRotate("rotate-role/"+framework.GenericNameRegex("role")+"$", "role", rotateRoleSynopsis,
		map[string]*framework.FieldSchema{
			"role": request.NameField("Name of the role."),
			"wait": request.WaitField(),
		},
		map[string]*framework.FieldSchema{
			"campaign": campaignField(),
			"accounts_due": {Type: framework.TypeInt, Required: true,
				Description: "How many accounts the campaign makes due, the first 100 before the answer."},
			"group": {Type: framework.TypeMap,
				Description: "Only with shared_password: state, current_version, due_reason, due_since, last_vault_rotation and last_error of the " +
					"password that the accounts share."},
			"done": count("how many are done"), "failed": count("how many fail"), "waiting": count("how many are due and have not failed"),
			"skipped": count("how many were left out"), "not_yet_ordered": count("how many are not due yet"),
		})
}

func (b *backend) pathRotateInstance() *framework.Path {
	return b.pathRotate("rotate-role/"+framework.GenericNameRegex("role")+"/"+framework.GenericNameRegex("instance_id")+"$", "role-instance",
		rotateInstanceSynopsis,
		map[string]*framework.FieldSchema{
			"role":        request.NameField("Name of the role."),
			"instance_id": request.NameField("Id of one of the role's instances."),
			"wait":        request.WaitField(),
		},
		map[string]*framework.FieldSchema{})
}

func (b *backend) pathRotate(pattern, suffix, synopsis string, fields, response map[string]*framework.FieldSchema) *framework.Path {
	response["accounts"] = &framework.FieldSchema{Type: framework.TypeMap,
		Description: "By instance id: username, state, current_version, due_reason, due_since, last_vault_rotation, last_error; or error if " +
			"the account could not be made due. Missing for a role with more than 100 accounts."}
	return &framework.Path{
		Pattern:      pattern,
		Fields:       fields,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "rotate", OperationSuffix: suffix},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.rotateRole,
				Summary:     "Rotate the passwords of a role, or of one of its instances.",
				Description: "Marks the accounts due and answers with their state, at once or after waiting for the end.",
				Responses:   request.DataResponses("The state of the accounts.", response),
			}),
		},
		HelpSynopsis:    synopsis,
		HelpDescription: rotateRoleDescription,
	}
}

func (b *backend) rotateRole(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	wait, err := request.Wait(data)
	if err != nil {
		return nil, err
	}
	name := data.Get("role").(string)
	r, err := b.usableRole(ctx, name)
	if err != nil {
		return nil, err
	}
	if _, single := data.Schema["instance_id"]; single {
		return b.rotateInstance(ctx, name, r, data.Get("instance_id").(string), wait)
	}
	if len(r.Users) == 0 {
		return nil, noInstance(name)
	}
	return b.rotateAll(ctx, req, name, r, wait)
}

// rotateInstance rotates one account of a role. That is no campaign.
func (b *backend) rotateInstance(ctx context.Context, name string, r *role.Record, instance string, wait time.Duration) (*logical.Response,
	error,
) {
	id, err := b.accountOf(ctx, name, r, instance)
	if err != nil {
		return nil, err
	}
	if err := b.checkBound(ctx, name, id); err != nil {
		return nil, err
	}
	if r.Shared() {
		return nil, request.Conflictf("account %s shares its password with the others of role %s; rotate them together: %s", id, name,
			hint.New("write -force", "rotate-role/"+name))
	}
	view, err := b.core.Rotate(ctx, id, wait)
	if err != nil {
		return nil, accountError(name, id, err)
	}
	return &logical.Response{Data: map[string]any{"accounts": map[string]any{id.InstanceID: rotationState(view)}}}, nil
}

// rotateAll rotates all accounts of a role.
func (b *backend) rotateAll(ctx context.Context, req *logical.Request, name string, r *role.Record, wait time.Duration) (*logical.Response,
	error,
) {
	ids := []rotation.ID{rotation.GroupID(r.Connection, name)}
	if !r.Shared() {
		ids = nil
		for _, instance := range r.Instances() {
			ids = append(ids, r.Account(instance))
		}
	}
	list, refused, err := b.core.OrderRole(ctx, name, ids)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	if len(list) == 0 {
		return nil, accountError(name, ids[0], refused[ids[0]])
	}
	resp := &logical.Response{Data: map[string]any{"accounts_due": accountsOf(list)}}
	order := campaign.Order{Kind: campaign.RotateRole, Role: name, Connection: r.Connection, By: requesterOf(req)}
	begun, err := b.begin(ctx, order, list, skipsOf(refused), resp)
	if err != nil {
		return nil, err
	}
	if len(r.Users) > maxAnswered {
		return b.answerCampaign(ctx, begun.ID, wait, resp)
	}
	maps.Copy(refused, begun.Troubles)
	shown := b.awaitAll(ctx, list, refused, wait)
	accounts := map[string]any{}
	resp.Data["accounts"] = accounts
	if r.Shared() {
		return b.answerGroup(ctx, name, r, shown[ids[0]], resp)
	}
	for _, id := range ids {
		if view := shown[id]; view != nil {
			accounts[id.InstanceID] = rotationState(view)
			continue
		}
		accounts[id.InstanceID] = map[string]any{"username": id.Username, "error": hint.Of(accountError(name, id, refused[id]))}
	}
	return resp, nil
}

// skipsOf counts accounts of a role that an order leaves out, by the reason.
func skipsOf(refused map[rotation.ID]error) map[rotation.SkipReason]int {
	if len(refused) == 0 {
		return nil
	}
	skips := map[rotation.SkipReason]int{}
	for _, err := range refused {
		var failed *rotation.Error
		switch {
		case errors.As(err, &failed) && failed.Kind == rotation.NoRecord:
			skips[rotation.SkipDeleted]++
		case errors.As(err, &failed) && failed.Kind == rotation.Unbound:
			skips[rotation.SkipNotBound]++
		default:
			skips[rotation.SkipNoReset]++
		}
	}
	return skips
}

// answerCampaign answers an order over more accounts than are shown.
func (b *backend) answerCampaign(ctx context.Context, id string, wait time.Duration, resp *logical.Response) (*logical.Response, error) {
	state, err := b.campaigns.Read(ctx, id, wait)
	if err != nil {
		return nil, request.VaultError("the order is taken, but", err)
	}
	if state != nil { // else it was deleted meanwhile
		addProgress(resp.Data, state)
	}
	return request.Warn(resp, hint.Textf("accounts are left out, since there are more than %d; how far the rotation has come: %s", maxAnswered,
		hint.New("read", "campaigns/"+id))), nil
}

// awaitAll waits for the rotation of all accounts of a list at the same time, and returns their states. What fails is added to
// the refused ones.
func (b *backend) awaitAll(ctx context.Context, list []rotation.Ordered, refused map[rotation.ID]error,
	wait time.Duration,
) map[rotation.ID]*rotation.View {
	var mu sync.Mutex
	var wg sync.WaitGroup
	shown := map[rotation.ID]*rotation.View{}
	for _, o := range list {
		if refused[o.ID] != nil {
			continue
		}
		wg.Go(func() {
			view, err := guard.Get(b.Logger(), "rotating account "+o.ID.String(), func() (*rotation.View, error) {
				return b.core.AwaitRotation(ctx, o.ID, o.Before, wait)
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused[o.ID] = err
				return
			}
			shown[o.ID] = view
		})
	}
	wg.Wait()
	return shown
}

// answerGroup adds the password that a role's accounts share to the answer, and the accounts.
func (b *backend) answerGroup(ctx context.Context, name string, r *role.Record, shared *rotation.View, resp *logical.Response) (
	*logical.Response, error,
) {
	if shared != nil {
		group := rotationState(shared)
		delete(group, "username") // the accounts', which may differ
		resp.Data["group"] = group
	}
	accounts := map[string]any{}
	for _, instance := range r.Instances() {
		id := r.Account(instance)
		view, err := b.core.Inspect(ctx, id)
		switch {
		case err != nil:
			return nil, request.VaultError("", err)
		case view == nil:
			accounts[instance] = map[string]any{"username": id.Username, "error": hint.Of(noRecord(name))}
		default:
			accounts[instance] = rotationState(view)
		}
	}
	resp.Data["accounts"] = accounts
	return resp, nil
}

// checkBound refuses an account that a role maps to and that is not bound to it any more.
func (b *backend) checkBound(ctx context.Context, name string, id rotation.ID) error {
	bound, found, err := b.core.RoleOf(ctx, id)
	switch {
	case err != nil:
		return request.VaultError("", err)
	case found && bound != name:
		return unbound(name, id, bound)
	}
	return nil
}

// rotationState is the part of an account that tells how its rotation goes.
func rotationState(v *rotation.View) map[string]any {
	all := accountData(v)
	state := map[string]any{}
	for _, field := range []string{"username", "state", "current_version", "due_reason", "due_since", "last_vault_rotation", "last_error",
		"joining", "left_out_reason"} {
		if value, ok := all[field]; ok {
			state[field] = value
		}
	}
	return state
}
