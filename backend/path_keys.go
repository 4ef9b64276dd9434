package backend

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/keypair"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
)

func (b *backend) pathKeysList() *framework.Path {
	return &framework.Path{
		Pattern:      "keys/?$",
		Fields:       request.PageFields(nil),
		DisplayAttrs: request.DisplayItem("keys", "Key"),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{
				Callback:    b.listKeys,
				Summary:     "List the keys.",
				Description: "Lists the names of the private keys, sorted.",
				Responses:   request.ListResponses("The names of the keys."),
			},
		},
		HelpSynopsis:    keysListSynopsis,
		HelpDescription: keysListDescription,
	}
}

func (b *backend) pathKeys() *framework.Path {
	return &framework.Path{
		Pattern:        "keys/" + framework.GenericNameRegex("name") + "$",
		DisplayAttrs:   request.DisplayItem("key", "Key"),
		ExistenceCheck: b.keyExists,
		Fields: map[string]*framework.FieldSchema{
			"name": request.NameField("Name of the key; that of the key pair in the cloud, unless roles name their key."),
			"private_key": {Type: framework.TypeString,
				DisplayAttrs: &framework.DisplayAttributes{Name: "Private key", Sensitive: true, EditType: "file"},
				Description: "RSA private key of 1024 to 8192 bits, PEM: PKCS#1, PKCS#8 or OpenSSH, also on one line, in base64, or in the JSON of " +
					"a cloud's response. Never read back. Required unless generate=true."},
			"passphrase": {Type: framework.TypeString, DisplayAttrs: request.SensitiveName("Passphrase"),
				Description: "Passphrase of private_key, if it is encrypted. It is used once and not stored. A line break at the end is ignored. " +
					"Default: none."},
			"generate": {Type: framework.TypeBool, DisplayAttrs: request.DisplayName("Generate"),
				Description: "Generate a key pair here instead of importing private_key. Its private key never leaves Vault. Default: false."},
			keypair.ConnectionsField: {Type: framework.TypeCommaStringSlice, DisplayAttrs: request.DisplayName("Allowed connections"),
				Default: []string{request.Everybody},
				Description: "Names or globs of the connections whose initial passwords the key may decrypt. An empty list means none; * means all. " +
					"It can be written without private_key. Default: *."},
			"bits": {Type: framework.TypeInt, DisplayAttrs: request.DisplayName("Bits"), AllowedValues: []any{2048, 3072, 4096},
				Description: "Size of the key that generate makes: 2048, 3072 or 4096. Default: 2048."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback:    b.readKey,
				Summary:     "Read a key's public key.",
				Description: "Returns the public key and the fingerprints that clouds print, never the private key.",
				Responses:   request.DataResponses("The public half of the key.", keyResponse()),
			},
			logical.CreateOperation: b.writeKeyOperation(),
			logical.UpdateOperation: b.writeKeyOperation(),
			logical.DeleteOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.deleteKey,
				Summary:     "Delete a key.",
				Description: "Refused while a role names it, or an account of a role waits for an initial password that only it decrypts.",
				Responses:   request.DeleteResponses("The key is deleted."),
			}),
		},
		HelpSynopsis:    keysSynopsis,
		HelpDescription: keysDescription,
	}
}

func (b *backend) writeKeyOperation() *framework.PathOperation {
	return request.Forwarded(framework.PathOperation{
		Callback:    b.writeKey,
		Summary:     "Import or generate a key.",
		Description: "Answers like a read, so that you can import the public key into the cloud.",
		Responses:   request.DataResponses("The public half of the key.", keyResponse()),
	})
}

func keyResponse() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"public_key": {Type: framework.TypeString, Required: true, Description: "Public key, PEM (PKIX)."},
		"authorized_key": {Type: framework.TypeString, Required: true,
			Description: "Public key as a line of authorized_keys, the form in which clouds import key pairs."},
		"bits":         {Type: framework.TypeInt, Required: true, Description: "Size of the key."},
		"generated":    {Type: framework.TypeBool, Required: true, Description: "Whether the key was generated here."},
		"created_time": request.TimeField(true, "When the key was stored"),
		keypair.ConnectionsField: {Type: framework.TypeCommaStringSlice, Required: true,
			Description: "Names or globs of the connections whose initial passwords the key may decrypt."},
		"earlier_keys": {Type: framework.TypeSlice, Required: true,
			Description: "Replaced keys that are still tried, newest first: fingerprints, created_time, replaced_time. Each is kept for an hour, " +
				"and while an account waits for an initial password that the key may have to decrypt."},
		"fingerprints": {Type: framework.TypeKVPairs, Required: true,
			Description: "Fingerprints by kind: aws_created and aws_imported as EC2 prints them, md5 as Nova and the clouds built on it do, " +
				"sha256 as OpenSSH does."},
	}
}

func keyAnswer(stored *keypair.Record, key *password.PrivateKey) (map[string]any, error) {
	earlier, err := stored.EarlierData()
	connections := append([]string{}, stored.AllowedConnections...)
	return map[string]any{
		keypair.ConnectionsField: connections,
		"public_key":             key.PublicPEM(),
		"authorized_key":         key.AuthorizedKey(),
		"bits":                   key.Bits(),
		"generated":              stored.Generated,
		"created_time":           request.Timestamp(stored.Created),
		"fingerprints":           key.Fingerprints().Map(),
		"earlier_keys":           earlier,
	}, err
}

func (b *backend) listKeys(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	names, err := b.keys.List(ctx)
	if err != nil {
		return nil, err
	}
	return request.Page(names, data)
}

func (b *backend) keyExists(ctx context.Context, _ *logical.Request, data *framework.FieldData) (bool, error) {
	stored, _, err := b.keys.Load(ctx, data.Get("name").(string))
	return stored != nil, err
}

func (b *backend) readKey(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	stored, key, err := b.keys.Load(ctx, data.Get("name").(string))
	if err != nil || stored == nil {
		return nil, err
	}
	answer, err := keyAnswer(stored, key)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: answer}, nil
}

func (b *backend) writeKey(ctx context.Context, _ *logical.Request, fields *framework.FieldData) (*logical.Response, error) {
	name := fields.Get("name").(string)
	if err := request.CheckName("key", name); err != nil {
		return nil, err
	}
	defer b.keys.Lock(name)()
	old, oldKey, err := b.keys.Load(ctx, name)
	if err != nil {
		return nil, err
	}
	in := request.Fields{Data: fields}
	if old != nil && in.Has(keypair.ConnectionsField) && !in.Gives("private_key") && !in.Gives("generate") {
		return b.writeKeyAccess(ctx, name, in, old, oldKey)
	}
	key, generated, err := newKey(name, in, old)
	if err != nil {
		return nil, err
	}
	var connections []string
	if old != nil {
		connections = slices.Clone(old.AllowedConnections)
	}
	if err := in.AllowList(keypair.ConnectionsField, &connections, old == nil); err != nil {
		return nil, err
	}
	same := old != nil && oldKey.AuthorizedKey() == key.AuthorizedKey()
	if old != nil && old.Generated && !same {
		return nil, request.Conflictf(
			"private_key: keys/%s was generated here and its private half exists nowhere else; write another name, or delete it first", name)
	}
	if !same {
		if old, err = keypair.Replace(name, old, key, b.clock.now().UTC()); err != nil {
			return nil, err
		}
		old.Generated, old.AllowedConnections = generated, connections
		if err := b.keys.Put(ctx, name, old); err != nil {
			return nil, err
		}
	} else if in.Has(keypair.ConnectionsField) {
		old.AllowedConnections = connections
		if err := b.keys.Put(ctx, name, old); err != nil {
			return nil, err
		}
	}
	return b.writtenKey(ctx, name, old, key)
}

// writeKeyAccess changes which connections may use a key, and leaves the key alone.
func (b *backend) writeKeyAccess(ctx context.Context, name string, in request.Fields, stored *keypair.Record,
	key *password.PrivateKey) (*logical.Response, error) {
	for _, field := range []string{"passphrase", "bits"} {
		if in.Gives(field) {
			return nil, request.Invalidf("%s: belongs to a new key; leave it out to change %s alone", field, keypair.ConnectionsField)
		}
	}
	if err := in.AllowList(keypair.ConnectionsField, &stored.AllowedConnections, false); err != nil {
		return nil, err
	}
	if err := b.keys.Put(ctx, name, stored); err != nil {
		return nil, err
	}
	return b.writtenKey(ctx, name, stored, key)
}

// writtenKey is the answer to a write.
func (b *backend) writtenKey(ctx context.Context, name string, stored *keypair.Record, key *password.PrivateKey) (*logical.Response,
	error) {
	data, err := keyAnswer(stored, key)
	if err != nil {
		return nil, err
	}
	excluded, err := b.excludedUsers(ctx, name, stored)
	if err != nil {
		return nil, err
	}
	return &logical.Response{Data: data, Warnings: append(key.Warnings(), excluded...)}, nil
}

// refusedKey refuses a private key and ends with the command to try next.
func refusedKey(name string, err error) error {
	fields := []string{"private_key=@key.pem"}
	encrypted := errors.Is(err, password.ErrEncryption)
	if strings.Contains(err.Error(), "new.pem") { // what its command writes
		fields[0] = "private_key=@new.pem"
	}
	if encrypted || errors.Is(err, password.ErrPassphraseMissing) || errors.Is(err, password.ErrPassphraseWrong) {
		fields = append(fields, "passphrase="+hint.File("passphrase"))
	}
	return request.Invalidf("%s; then: %s", err, hint.New("write", "keys/"+name, fields...))
}

// newKey makes the key that a write asks for.
func newKey(name string, in request.Fields, old *keypair.Record) (key *password.PrivateKey, generated bool, err error) {
	generate := in.Gives("generate") && in.Data.Get("generate").(bool)
	switch {
	case generate && in.Gives("private_key"):
		return nil, false, request.Invalidf("generate: not together with private_key; give one of them")
	case !generate && !in.Gives("private_key"):
		return nil, false, request.Invalidf("private_key: required, unless generate=true: %s", keypair.WriteHint(name))
	case in.Gives("passphrase") && generate:
		return nil, false, request.Invalidf("passphrase: belongs to private_key; leave it out with generate=true")
	case in.Gives("bits") && !generate:
		return nil, false, request.Invalidf("bits: belongs to generate=true; the size of private_key is given")
	}
	if !generate {
		passphrase, _ := in.Data.Get("passphrase").(string)
		key, err = password.ParsePrivateKey([]byte(in.Data.Get("private_key").(string)), []byte(passphrase))
		if err != nil {
			return nil, false, refusedKey(name, err)
		}
		return key, false, nil
	}
	if old != nil {
		return nil, false, request.Conflictf(
			"generate: keys/%s exists, and a new key could not decrypt what was encrypted for it; write another name, or delete it first", name)
	}
	bits := 0
	in.Number("bits", &bits)
	if key, err = password.GeneratePrivateKey(bits); err != nil {
		return nil, false, request.Invalidf("%s", err)
	}
	return key, true, nil
}

func (b *backend) deleteKey(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	defer b.keys.Lock(name)()
	users, err := b.roles.With(ctx, func(r *role.Record) bool { return r.Key == name })
	if err != nil {
		return nil, err
	}
	if len(users) > 0 {
		return nil, request.Conflictf("keys/%s is named as key by roles; change or delete them first: %s; that is: %s", name,
			request.Summarize(users),
			hint.New("write", "roles/"+users[0], "key=OTHER"))
	}
	stored, _, err := b.keys.Load(ctx, name)
	if err != nil || stored == nil {
		return nil, err
	}
	waiting, err := b.awaitsKey(ctx, name, stored)
	if err != nil {
		return nil, err
	}
	if waiting != nil {
		return nil, request.Conflictf(
			"keys/%s: account %s of role %s still waits for an initial password that only this key decrypts; read that "+
				"first: %s; or delete the role: %s",
			name, waiting.ID, waiting.Role, hint.New("read", "creds/"+waiting.Role+"/"+waiting.ID.InstanceID),
			hint.New("delete", "roles/"+waiting.Role))
	}
	if err := b.keys.Remove(ctx, name); err != nil {
		return nil, err
	}
	return nil, nil
}
