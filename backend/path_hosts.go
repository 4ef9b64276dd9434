package backend

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/host"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func (b *backend) pathHostsList() *framework.Path {
	return &framework.Path{
		Pattern: "hosts/$",
		Fields: request.PageFields(map[string]*framework.FieldSchema{
			"connection": {Type: framework.TypeString, Query: true, Description: "List only hosts of this connection. Default: those of all."},
		}),
		DisplayAttrs: request.DisplayItem("hosts", "Host"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{
				Callback:    b.listHosts,
				Summary:     "List the hosts.",
				Description: "Lists the names of the hosts, sorted.",
				Responses: request.DataResponses("The names of the hosts.", map[string]*framework.FieldSchema{
					"keys":     {Type: framework.TypeStringSlice, Description: "The names, sorted."},
					"key_info": infoField("By name: connection, address, port, platform, fingerprint, key_pinned, as in the host itself."),
				}),
			},
		},
		HelpSynopsis:    hostsListSynopsis,
		HelpDescription: hostsListDescription,
	}
}

func (b *backend) pathHosts() *framework.Path {
	return &framework.Path{
		Pattern: "hosts$",
		Fields: map[string]*framework.FieldSchema{
			"hosts": {Type: framework.TypeSlice, Required: true, DisplayAttrs: &framework.DisplayAttributes{Name: "Hosts", EditType: "file"},
				Description: fmt.Sprintf("The hosts, at most %d: a list of objects with name and the fields of hosts/<name>, or its JSON. A host "+
					"that exists is changed in the fields that are named. Required.", host.MaxBulk)},
			"dry_run": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Dry run"), Default: false,
				Description: "Write nothing, and say what would be done. Default: false."},
		},
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationVerb: "write",
			OperationSuffix: "many-hosts"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback: b.writeHosts,
				Summary:  "Create or update many hosts.",
				Description: "Checks all of them before one is written, and writes none if one is refused. With dry_run=true the answer has the " +
					"refusals.",
				Responses: request.DataResponses("What was done, or would be.", map[string]*framework.FieldSchema{
					"hosts": {Type: framework.TypeSlice, Required: true, Description: "In the order of the write: name, result (created, changed, " +
						"unchanged or refused), error (why it is refused), warnings."},
					"created":   {Type: framework.TypeInt, Required: true, Description: "How many hosts are new."},
					"changed":   {Type: framework.TypeInt, Required: true, Description: "How many were changed."},
					"unchanged": {Type: framework.TypeInt, Required: true, Description: "How many were like that already."},
					"refused":   {Type: framework.TypeInt, Required: true, Description: "How many are refused. Without dry_run that is an error."},
					"dry_run":   {Type: framework.TypeBool, Required: true, Description: "Whether nothing was written."},
				}),
			}),
		},
		HelpSynopsis:    hostsSynopsis,
		HelpDescription: hostsDescription,
	}
}

func (b *backend) pathHost() *framework.Path {
	return &framework.Path{
		Pattern:        "hosts/" + framework.GenericNameRegex("name") + "$",
		Fields:         host.Schemas(),
		DisplayAttrs:   request.DisplayItem("host", "Host"),
		ExistenceCheck: b.hostExists,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback:    b.readHost,
				Summary:     "Read a host.",
				Description: "Returns the host with its pinned key.",
				Responses:   request.DataResponses("The host.", host.ResponseSchemas()),
			},
			logical.CreateOperation: b.writeHostOperation(),
			logical.UpdateOperation: b.writeHostOperation(),
			logical.DeleteOperation: request.Forwarded(framework.PathOperation{
				Callback: b.deleteHost,
				Summary:  "Delete a host.",
				Description: "Accounts of it count as those of a server that is gone. While there are any, its host key is kept, and the name can " +
					"be written again with that key only.",
				Responses: request.WriteResponses("The host is deleted."),
			}),
		},
		HelpSynopsis:    hostSynopsis,
		HelpDescription: hostDescription,
	}
}

func (b *backend) writeHostOperation() *framework.PathOperation {
	return request.Forwarded(framework.PathOperation{
		Callback:    b.writeHost,
		Summary:     "Create or update a host.",
		Description: "Changes only the fields that it names; an empty value unsets a field. Asks no server.",
		Responses:   request.WriteResponses("The host is stored."),
	})
}

func (b *backend) listHosts(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	connection := data.Get("connection").(string)
	if connection != "" {
		if err := request.CheckName("connection", connection); err != nil {
			return nil, err
		}
	}
	names, err := b.hosts.Names(ctx, connection)
	if err != nil {
		return nil, err
	}
	if names, err = request.PageOf(names, data); err != nil {
		return nil, err
	}
	info := make(map[string]any, len(names))
	for _, name := range names {
		// An entry that a newer version wrote is listed without details.
		if r, err := b.hosts.Get(ctx, name); err == nil && r != nil {
			info[name] = r.Row()
		}
	}
	return logical.ListResponseWithInfo(names, info), nil
}

func (b *backend) hostExists(ctx context.Context, _ *logical.Request, data *framework.FieldData) (bool, error) {
	r, err := b.hosts.Get(ctx, data.Get("name").(string))
	return r != nil, err
}

func (b *backend) readHost(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	r, err := b.hosts.Get(ctx, data.Get("name").(string))
	if err != nil || r == nil {
		return nil, err
	}
	return &logical.Response{Data: r.Data()}, nil
}

func (b *backend) writeHost(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	change, err := b.hosts.Write(ctx, data.Get("name").(string), request.Fields{Data: data})
	if err != nil {
		return nil, err
	}
	return request.Warned(change.Warnings), nil
}

func (b *backend) deleteHost(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	was, accounts, err := b.hosts.Delete(ctx, name)
	if err != nil || was == nil {
		return nil, err
	}
	b.Logger().Info("a host was deleted", "host", name, "connection", was.Connection, "accounts", accounts)
	if accounts == 0 {
		return nil, nil
	}
	return request.Warned([]hint.Text{hint.Textf("accounts of the host exist (%d), and count as those of a server that is gone: their "+
		"passwords are kept until they are forgotten (forget_gone_after of %s) or deleted; to have the host back, write it again with the same "+
		"host_key: %s", accounts, was.Connection, hint.New("list", "accounts/"+was.Connection+"/"+name))}), nil
}

func (b *backend) writeHosts(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	all, err := host.ParseList(data.Raw["hosts"])
	if err != nil {
		return nil, err
	}
	if err := b.hosts.PlanAll(ctx, all); err != nil {
		return nil, err
	}
	dry := data.Get("dry_run").(bool)
	if !dry {
		if err := host.Refused(all); err != nil {
			return nil, err
		}
		if err := b.hosts.WriteAll(ctx, all); err != nil {
			return nil, err
		}
	}
	return bulkAnswer(all, dry), nil
}

// refusedResult stands for a host that a bulk write refuses.
const refusedResult = "refused"

func bulkAnswer(all []host.One, dry bool) *logical.Response {
	count := map[string]int{}
	rows := make([]map[string]any, 0, len(all))
	for _, one := range all {
		row := map[string]any{"name": one.Name, "result": one.Change.Result}
		if one.Err != nil {
			row["result"], row["error"] = refusedResult, hint.Of(one.Err)
		}
		if len(one.Change.Warnings) > 0 {
			row["warnings"] = one.Change.Warnings
		}
		count[row["result"].(string)]++
		rows = append(rows, row)
	}
	return &logical.Response{Data: map[string]any{"hosts": rows, "created": count[host.Created], "changed": count[host.Changed],
		"unchanged": count[host.Unchanged], "refused": count[refusedResult], "dry_run": dry}}
}

// useOfHost is what accounts have of a server.
func (b *backend) useOfHost(ctx context.Context, connection, instance string) (host.Use, error) {
	users, err := b.core.List(ctx, connection+"/"+instance+"/")
	if err != nil {
		return host.Use{}, request.VaultError("", err)
	}
	use := host.Use{Accounts: len(users)}
	for _, user := range users {
		view, err := b.core.Inspect(ctx, rotation.ID{Connection: connection, InstanceID: instance, Username: user})
		if err != nil {
			return host.Use{}, request.VaultError("", err)
		}
		if view != nil && (len(view.Versions) > 0 || view.MaybeSet) {
			use.Passwords = true
			break
		}
	}
	return use, nil
}

// connectionOfHost is what the inventory knows of a connection.
func (b *backend) connectionOfHost(ctx context.Context, name string) (host.Connection, error) {
	_, d, err := b.connections.Find(ctx, name)
	if err != nil {
		return host.Connection{}, request.WithWayOut(err, "connection: names one that exists")
	}
	if d.HasHosts {
		return host.Connection{Listed: true, CheckID: func(string) error { return nil }}, nil
	}
	provider, err := b.core.Provider(ctx, name)
	if err != nil {
		return host.Connection{}, request.VaultError("", err)
	}
	return host.Connection{CheckID: provider.ValidateInstanceID}, nil
}

// cleanInterval is how often it is looked for entries of hosts that nothing needs.
const cleanInterval = 6 * time.Hour

// hostCleans remembers when that was done last.
type hostCleans struct {
	mu sync.Mutex
	at time.Time
}

func (c *hostCleans) begin(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.at) < cleanInterval {
		return false
	}
	c.at = now
	return true
}

// cleanHosts deletes entries of hosts that nothing needs. It is called now and then, where storage may be written.
func (b *backend) cleanHosts(ctx context.Context) error {
	if !b.hostCleans.begin(b.clock.now()) {
		return nil
	}
	deleted, err := b.hosts.Clean(ctx)
	if deleted > 0 {
		b.Logger().Info("deleted entries of hosts that no account needs any more", "entries", deleted)
	}
	return err
}
