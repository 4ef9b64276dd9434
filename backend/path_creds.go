package backend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func (b *backend) pathCredsRole() *framework.Path {
	return &framework.Path{
		Pattern:      "creds/" + framework.GenericNameRegex("role") + "$",
		DisplayAttrs: request.DisplayAttrs("credentials"),
		Fields: map[string]*framework.FieldSchema{
			"role": request.NameField("Name of the role."),
			"ttl":  leaseTTLField(),
			"wait": request.WaitField(),
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: b.readCredsOperation("Read the password of a role's only instance, or the one that its instances share.",
				"Hands out the current password of the role's account, or with shared_password of all its accounts. Another role with several "+
					"instances needs the instance's id in the path.",
				groupResponse()),
		},
		HelpSynopsis:    credsRoleSynopsis,
		HelpDescription: credsDescription,
	}
}

func (b *backend) pathCredsInstance() *framework.Path {
	return &framework.Path{
		Pattern:      "creds/" + framework.GenericNameRegex("role") + "/" + framework.GenericNameRegex("instance_id") + "$",
		DisplayAttrs: request.DisplayAttrs("instance-credentials"),
		Fields: map[string]*framework.FieldSchema{
			"role":        request.NameField("Name of the role."),
			"instance_id": request.NameField("Id of one of the role's instances."),
			"ttl":         leaseTTLField(),
			"wait":        request.WaitField(),
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: b.readCredsOperation("Read the password of an instance.",
				"Hands out the current password of the role's account on that instance.", credsResponse()),
		},
		HelpSynopsis:    credsInstanceSynopsis,
		HelpDescription: credsDescription,
	}
}

// readCredsOperation is forwarded to the active node: a read issues leases, discloses versions and may
// ask the cloud for an initial password.
func (b *backend) readCredsOperation(summary, description string, response map[string]*framework.FieldSchema) *framework.PathOperation {
	return request.Forwarded(framework.PathOperation{
		Callback:    b.readCreds,
		Summary:     summary,
		Description: description + " Roles of mode leased answer with a lease.",
		Responses:   request.DataResponses("The password.", response),
	})
}

func (b *backend) readCreds(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	wait, err := request.Wait(data)
	if err != nil {
		return nil, err
	}
	name := data.Get("role").(string)
	r, err := b.usableRole(ctx, name)
	if err != nil {
		return nil, err
	}
	by := readerOf(req, name, r.Mode == rotation.Leased)
	var warning string
	if by.TTL, warning, err = leaseTTL(r, request.Fields{Data: data}); err != nil {
		return nil, err
	}
	resp, err := b.readPassword(ctx, req.Path, by, r, data, wait)
	if err != nil {
		return nil, err
	}
	b.metrics.Disclosed(r.Connection, string(r.Mode))
	if warning != "" {
		resp.AddWarning(warning)
	}
	return resp, nil
}

// readPassword answers with the password of an account, or with the one that a role's accounts share.
func (b *backend) readPassword(ctx context.Context, path string, by rotation.Reader, r *role.Record, data *framework.FieldData,
	wait time.Duration) (*logical.Response, error) {
	instance := ""
	if _, ok := data.Schema["instance_id"]; ok {
		instance = data.Get("instance_id").(string)
	} else if r.Shared() {
		return b.readGroup(ctx, path, by, r, wait)
	}
	id, err := b.accountOf(ctx, by.Role, r, instance)
	if err != nil {
		return nil, err
	}
	var answer *rotation.Answer
	if r.Shared() {
		answer, err = b.core.ReadMember(ctx, id, by, wait)
	} else {
		answer, err = b.core.Read(ctx, id, by, wait)
	}
	if err != nil {
		return nil, worthWaiting(path, err, accountError(by.Role, id, err))
	}
	return b.credsAnswer(answer, accountAnswer(answer)), nil
}

// readGroup answers with the password that all accounts of a role share, once they agree.
func (b *backend) readGroup(ctx context.Context, path string, by rotation.Reader, r *role.Record, wait time.Duration) (*logical.Response,
	error) {
	if len(r.Users) == 0 {
		return nil, noInstance(by.Role)
	}
	answer, err := b.core.ReadGroup(ctx, r.Connection, by, wait)
	if err != nil {
		return nil, worthWaiting(path, err, accountError(by.Role, rotation.GroupID(r.Connection, by.Role), err))
	}
	return b.credsAnswer(answer, groupAnswer(answer.Holders)), nil
}

// worthWaiting tells the reader of a path who came too early how to wait, where that may be long enough.
// told is what is said of cause.
func worthWaiting(path string, cause, told error) error {
	var failed *rotation.Error
	if !errors.As(cause, &failed) || failed.Kind != rotation.NotReadable || failed.RetryAfter == 0 || failed.RetryAfter > request.MaxWait {
		return told
	}
	return request.WithWayOut(told,
		hint.Textf("try again, or wait for it: %s", hint.New("read", path, fmt.Sprintf("wait=%ds", int(request.MaxWait.Seconds())))))
}

// accountError says for a role's client why its account, or group, cannot be used.
func accountError(role string, id rotation.ID, err error) error {
	var failed *rotation.Error
	switch {
	case !errors.As(err, &failed):
	case failed.Kind == rotation.NoRecord:
		return noRecord(role)
	case failed.Kind == rotation.Unbound:
		return unbound(role, id, failed.HolderRole)
	}
	return request.VaultError("", err)
}

// noRecord tells the way out where a role maps to an account, or has a group, of which there is no
// record: a DELETE was forced, or a write of the role was cut short.
func noRecord(role string) error {
	return request.Invalidf("role %s has lost its record of a password, as after a forced DELETE of accounts/; write the role again to "+
		"recreate it: %s", role, hint.New("write -force", "roles/"+role))
}

// unbound tells the way out where a role maps to an account that is not bound to it any more, but to another one, or to none: a
// delete of the role that was cut short has left that behind.
func unbound(role string, id rotation.ID, holder string) error {
	if holder != "" {
		return request.Conflictf("account %s has moved to role %s; read it there: %s", id, holder,
			hint.New("read", "creds/"+holder+"/"+id.InstanceID))
	}
	return request.Conflictf(
		"account %s is not bound to role %s any more, as after a delete of the role that was cut short; delete it again: %s; "+
			"or take the account back: %s",
		id, role, hint.New("delete", "roles/"+role), hint.New("write -force", "roles/"+role))
}

// usableRole returns a role whose passwords may be read. It asks no storage and no cloud.
func (b *backend) usableRole(ctx context.Context, name string) (*role.Record, error) {
	r, err := b.roles.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, unknownRole(name)
	}
	c, err := b.connections.Get(ctx, r.Connection)
	if err != nil {
		return nil, err
	}
	if c != nil && !c.Allows(name) {
		return nil, request.Invalidf("connection %s does not allow role %s any more; %s", r.Connection, name, c.AllowHint(r.Connection, name))
	}
	return r, nil
}

// accountOf finds the account that a client means: of a role and, where it has several, an instance.
// A role's known instances are found without a storage round trip and without the cloud.
func (b *backend) accountOf(ctx context.Context, name string, r *role.Record, instance string) (rotation.ID, error) {
	if instance == "" {
		return onlyAccount(name, r)
	}
	if r.Users[instance] == "" && r.InstanceTags != nil && request.IsName(instance) && b.roles.MayResolve(name) {
		var err error
		if r, _, err = b.roles.Resolve(ctx, name); err != nil {
			return rotation.ID{}, err
		}
		if r == nil {
			return rotation.ID{}, unknownRole(name)
		}
	}
	if r.Users[instance] == "" {
		return rotation.ID{}, request.Invalidf("role %s has no instance %.64q; for those that it has: %s", name, instance,
			hint.New("list", "instances/"+name))
	}
	return r.Account(instance), nil
}

// onlyAccount is the account of a role with one instance.
func onlyAccount(name string, r *role.Record) (rotation.ID, error) {
	instances := r.Instances()
	switch len(instances) {
	case 0:
		return rotation.ID{}, noInstance(name)
	case 1:
		return r.Account(instances[0]), nil
	}
	return rotation.ID{}, request.Invalidf("role %s has %d instances; name one of them in the path, as in: %s; they are: %s", name,
		len(instances),
		hint.New("read", "creds/"+name+"/"+instances[0]), request.Summarize(instances))
}

// noInstance refuses a request about a role that is bound to no instance.
func noInstance(name string) error {
	return request.Invalidf("role %s has no instance at the moment; to look for them again: %s", name, hint.New("list", "instances/"+name))
}

func unknownRole(name string) error {
	return request.Invalidf("unknown role %s; write roles/%s first, or take one of: %s", name, name, hint.New("list", "roles"))
}
