package backend

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func (b *backend) pathRotateRole() *framework.Path {
	return b.pathRotate("rotate-role/"+framework.GenericNameRegex("role")+"$", "role",
		map[string]*framework.FieldSchema{
			"role": nameField("Name of the role."),
			"wait": waitField(),
		})
}

func (b *backend) pathRotateInstance() *framework.Path {
	return b.pathRotate("rotate-role/"+framework.GenericNameRegex("role")+"/"+framework.GenericNameRegex("instance_id")+"$", "role-instance",
		map[string]*framework.FieldSchema{
			"role":        nameField("Name of the role."),
			"instance_id": nameField("Id of one of the role's instances."),
			"wait":        waitField(),
		})
}

func (b *backend) pathRotate(pattern, suffix string, fields map[string]*framework.FieldSchema) *framework.Path {
	return &framework.Path{
		Pattern:      pattern,
		Fields:       fields,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationVerb: "rotate", OperationSuffix: suffix},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback:    b.rotateRole,
				Summary:     "Rotate the passwords of a role, or of one of its instances.",
				Description: "Marks the accounts due and answers with their state, at once or after waiting for the end.",
				Responses: answers("The state of the accounts.", map[string]*framework.FieldSchema{
					"accounts": {Type: framework.TypeMap, Required: true,
						Description: "By instance id: username, state, current_version, due_reason, due_since, last_error, or error where the account could not be made due."},
				}),
				ForwardPerformanceStandby:   true,
				ForwardPerformanceSecondary: true,
			},
		},
		HelpSynopsis:    rotateRoleSynopsis,
		HelpDescription: rotateRoleDescription,
	}
}

func (b *backend) rotateRole(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	wait, err := waitOf(data)
	if err != nil {
		return nil, err
	}
	name := data.Get("role").(string)
	r, err := b.roles.get(ctx, name)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, unknownRole(name)
	}
	accounts := map[string]any{}
	if _, single := data.Schema["instance_id"]; single {
		id, err := b.accountOf(ctx, name, data.Get("instance_id").(string))
		if err != nil {
			return nil, err
		}
		view, err := b.core.Rotate(ctx, id, wait)
		if err != nil {
			return nil, vaultError("", err)
		}
		accounts[id.InstanceID] = rotationState(view)
		return rotateAnswer(accounts), nil
	}
	if len(r.Users) == 0 {
		return nil, invalidf("role %s has no instance at the moment; list instances/%s to look for them again", name, name)
	}
	var failures int
	var first error
	for id, outcome := range b.rotateAll(ctx, r, wait) {
		if outcome.err != nil {
			failures, first = failures+1, outcome.err
			accounts[id.InstanceID] = map[string]any{"username": id.Username, "error": outcome.err.Error()}
			continue
		}
		accounts[id.InstanceID] = rotationState(outcome.view)
	}
	if failures == len(accounts) {
		return nil, vaultError("", first)
	}
	return rotateAnswer(accounts), nil
}

type rotateOutcome struct {
	view *rotation.View
	err  error
}

// rotateAll makes all accounts of a role due, and waits for all of them at the same time.
func (b *backend) rotateAll(ctx context.Context, r *role, wait time.Duration) map[rotation.ID]rotateOutcome {
	var mu sync.Mutex
	var wg sync.WaitGroup
	outcomes := make(map[rotation.ID]rotateOutcome, len(r.Users))
	for _, instance := range r.instances() {
		wg.Go(func() {
			id := r.account(instance)
			view, err := b.core.Rotate(ctx, id, wait)
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
	for _, field := range []string{"username", "state", "current_version", "due_reason", "due_since", "last_vault_rotation", "last_error"} {
		if value, ok := all[field]; ok {
			state[field] = value
		}
	}
	return state
}
