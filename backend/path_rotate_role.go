package backend

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func (b *backend) pathRotateRole() *framework.Path {
	return b.pathRotate("rotate-role/"+framework.GenericNameRegex("role")+"$", "role", rotateRoleSynopsis,
		map[string]*framework.FieldSchema{
			"role": request.NameField("Name of the role."),
			"wait": request.WaitField(),
		},
		map[string]*framework.FieldSchema{
			"group": {Type: framework.TypeMap,
				Description: "Only with shared_password: state, current_version, due_reason, due_since, last_vault_rotation and last_error of the " +
					"password that the accounts share."},
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
	response["accounts"] = &framework.FieldSchema{Type: framework.TypeMap, Required: true,
		Description: "By instance id: username, state, current_version, due_reason, due_since, last_vault_rotation, last_error; or error if " +
			"the account could not be made due."}
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

func (b *backend) rotateRole(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	wait, err := request.Wait(data)
	if err != nil {
		return nil, err
	}
	name := data.Get("role").(string)
	r, err := b.usableRole(ctx, name)
	if err != nil {
		return nil, err
	}
	accounts := map[string]any{}
	if _, single := data.Schema["instance_id"]; single {
		id, err := b.accountOf(ctx, name, r, data.Get("instance_id").(string))
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
		accounts[id.InstanceID] = rotationState(view)
		return rotateAnswer(accounts), nil
	}
	if len(r.Users) == 0 {
		return nil, noInstance(name)
	}
	if r.Shared() {
		return b.rotateGroup(ctx, name, r, wait)
	}
	var failures int
	var first error
	for id, outcome := range b.rotateAll(ctx, name, r, wait) {
		if outcome.err != nil {
			failures, first = failures+1, accountError(name, id, outcome.err)
			accounts[id.InstanceID] = map[string]any{"username": id.Username, "error": hint.Of(first)}
			continue
		}
		accounts[id.InstanceID] = rotationState(outcome.view)
	}
	if failures == len(accounts) {
		return nil, first
	}
	return rotateAnswer(accounts), nil
}

// rotateGroup rotates the password that a role's accounts share.
func (b *backend) rotateGroup(ctx context.Context, name string, r *role.Record, wait time.Duration) (*logical.Response, error) {
	id := rotation.GroupID(r.Connection, name)
	view, err := b.core.Rotate(ctx, id, wait)
	if err != nil {
		return nil, accountError(name, id, err)
	}
	group := rotationState(view)
	delete(group, "username") // the accounts', which may differ
	accounts := make(map[string]any, len(r.Users))
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
	resp := rotateAnswer(accounts)
	resp.Data["group"] = group
	return resp, nil
}

type rotateOutcome struct {
	view *rotation.View
	err  error
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

// rotateAll makes all accounts of a role due, and waits for all of them at the same time.
func (b *backend) rotateAll(ctx context.Context, name string, r *role.Record, wait time.Duration) map[rotation.ID]rotateOutcome {
	var mu sync.Mutex
	var wg sync.WaitGroup
	outcomes := make(map[rotation.ID]rotateOutcome, len(r.Users))
	for _, instance := range r.Instances() {
		wg.Go(func() {
			id := r.Account(instance)
			view, err := guard.Get(b.Logger(), "rotating account "+id.String(), func() (*rotation.View, error) {
				if err := b.checkBound(ctx, name, id); err != nil {
					return nil, err
				}
				return b.core.Rotate(ctx, id, wait)
			})
			mu.Lock()
			defer mu.Unlock()
			outcomes[id] = rotateOutcome{view, err}
		})
	}
	wg.Wait()
	return outcomes
}

func rotateAnswer(accounts map[string]any) *logical.Response {
	return &logical.Response{Data: map[string]any{"accounts": accounts}}
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
