package backend

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func (b *backend) pathCredsRole() *framework.Path {
	return &framework.Path{
		Pattern:      "creds/" + framework.GenericNameRegex("role") + "$",
		DisplayAttrs: displayed("credentials"),
		Fields: map[string]*framework.FieldSchema{
			"role": nameField("Name of the role."),
			"wait": waitField(),
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: b.readCredsOperation("Read the password of a role's only instance.",
				"Hands out the current password of the role's account. A role with several instances needs the instance's id in the path."),
		},
		HelpSynopsis:    credsSynopsis,
		HelpDescription: credsDescription,
	}
}

func (b *backend) pathCredsInstance() *framework.Path {
	return &framework.Path{
		Pattern:      "creds/" + framework.GenericNameRegex("role") + "/" + framework.GenericNameRegex("instance_id") + "$",
		DisplayAttrs: displayed("instance-credentials"),
		Fields: map[string]*framework.FieldSchema{
			"role":        nameField("Name of the role."),
			"instance_id": nameField("Id of one of the role's instances."),
			"wait":        waitField(),
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: b.readCredsOperation("Read the password of an instance.",
				"Hands out the current password of the role's account on that instance."),
		},
		HelpSynopsis:    credsSynopsis,
		HelpDescription: credsDescription,
	}
}

// readCredsOperation is forwarded to the active node: a read issues leases, discloses versions and may
// ask the cloud for an initial password.
func (b *backend) readCredsOperation(summary, description string) *framework.PathOperation {
	return &framework.PathOperation{
		Callback:                    b.readCreds,
		Summary:                     summary,
		Description:                 description + " Roles of mode leased answer with a lease.",
		Responses:                   answers("The password.", credsResponse()),
		ForwardPerformanceStandby:   true,
		ForwardPerformanceSecondary: true,
	}
}

func credsResponse() map[string]*framework.FieldSchema {
	text := func(description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: framework.TypeString, Required: true, Description: description}
	}
	fields := map[string]*framework.FieldSchema{
		"username":            text("User to log in as."),
		"password":            text("The password."),
		"instance_id":         text("Id of the instance."),
		"instance_name":       text("Name of the instance in the cloud."),
		"private_ip":          text("Private address, as last seen."),
		"public_ip":           text("Public address, as last seen; empty if it has none."),
		"platform":            text("windows or linux; empty if the cloud does not tell."),
		"connection":          text("The connection that serves the instance."),
		"source":              text("Where this version comes from: initial, reset or import."),
		"created_time":        text("When this version was made, RFC 3339."),
		"last_vault_rotation": text("When Vault last rotated the account, RFC 3339; for an unrotated version its creation time."),
		"version":             {Type: framework.TypeInt, Required: true, Description: "Number of the version, counted from 1."},
	}
	fields["password"].DisplayAttrs = secretly("Password")
	return fields
}

func (b *backend) readCreds(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	wait, err := waitOf(data)
	if err != nil {
		return nil, err
	}
	name := data.Get("role").(string)
	instance := ""
	if _, ok := data.Schema["instance_id"]; ok {
		instance = data.Get("instance_id").(string)
	}
	id, err := b.accountOf(ctx, name, instance)
	if err != nil {
		return nil, err
	}
	answer, err := b.core.Read(ctx, id, wait)
	if err != nil {
		return nil, vaultError("", err)
	}
	return b.credsAnswer(answer), nil
}

// accountOf finds the account that a client means: of a role and, where it has several, an instance.
// A role's known instances are found without a storage round trip and without the cloud.
func (b *backend) accountOf(ctx context.Context, name, instance string) (rotation.ID, error) {
	r, err := b.roles.get(ctx, name)
	if err != nil {
		return rotation.ID{}, err
	}
	if r == nil {
		return rotation.ID{}, unknownRole(name)
	}
	c, err := b.connections.get(ctx, r.Connection)
	if err != nil {
		return rotation.ID{}, err
	}
	if c != nil && !c.allows(name) {
		return rotation.ID{}, invalidf("connection %s does not allow role %s any more; see allowed_roles of config/%s", r.Connection, name, r.Connection)
	}
	if instance == "" {
		return onlyAccount(name, r)
	}
	if r.Users[instance] == "" && r.InstanceTags != nil && isName(instance) && b.resolutions.begin(name, time.Now()) {
		if r, _, err = b.refreshRole(ctx, name); err != nil {
			return rotation.ID{}, err
		}
		if r == nil {
			return rotation.ID{}, unknownRole(name)
		}
	}
	if r.Users[instance] == "" {
		return rotation.ID{}, invalidf("role %s has no instance %.64q; list instances/%s", name, instance, name)
	}
	return r.account(instance), nil
}

// onlyAccount is the account of a role with one instance.
func onlyAccount(name string, r *role) (rotation.ID, error) {
	instances := r.instances()
	switch len(instances) {
	case 0:
		return rotation.ID{}, invalidf("role %s has no instance at the moment; list instances/%s to look for them again", name, name)
	case 1:
		return r.account(instances[0]), nil
	}
	return rotation.ID{}, invalidf("role %s has %d instances; name one of them in the path, as in creds/%s/%s: %s", name, len(instances), name, instances[0], someOf(instances))
}

func unknownRole(name string) error {
	return invalidf("unknown role %s; write roles/%s first", name, name)
}

// credsAnswer makes the response: in leased mode under a lease.
func (b *backend) credsAnswer(a *rotation.Answer) *logical.Response {
	rotated := a.LastRotation
	if rotated.IsZero() {
		rotated = a.Version.Created
	}
	data := map[string]any{
		"username":            a.ID.Username,
		"password":            a.Version.Password,
		"instance_id":         a.ID.InstanceID,
		"instance_name":       a.Facts.Name,
		"private_ip":          a.Facts.PrivateIP,
		"public_ip":           a.Facts.PublicIP,
		"platform":            string(a.Facts.Platform),
		"connection":          a.ID.Connection,
		"source":              string(a.Version.Source),
		"version":             a.Version.Number,
		"created_time":        timestamp(a.Version.Created),
		"last_vault_rotation": timestamp(rotated),
	}
	if a.Lease == nil {
		return &logical.Response{Data: data}
	}
	return b.leased(data, a)
}
