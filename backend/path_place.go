package backend

import (
	"context"
	"fmt"
	"regexp"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// placeForm is what a fingerprint of rotation.PlaceOf looks like.
var placeForm = regexp.MustCompile(`^[0-9a-f]{16}([/=][0-9A-Za-z._:-]*)?$`)

func (b *backend) pathPlace() *framework.Path {
	return &framework.Path{
		Pattern: connection.PlacePrefix + framework.GenericNameRegex("name") + "$",
		Fields: map[string]*framework.FieldSchema{
			"name": request.NameField("Name of the connection."),
			"trust": {Type: framework.TypeString, DisplayAttrs: &framework.DisplayAttributes{Name: "Trust"},
				Description: "The fingerprint of the place where the connection leads now, as read here. This confirms that it is the cloud account " +
					"of the connection's existing servers, so that what it says about them is trusted. Default: none."},
			"forget": {Type: framework.TypeString, DisplayAttrs: &framework.DisplayAttributes{Name: "Forget"},
				Description: "The fingerprint of another place that no longer exists: its passwords, and the trust in it, are " +
					"forgotten. Default: none."},
			"claim": {Type: framework.TypeString, DisplayAttrs: &framework.DisplayAttributes{Name: "Claim"},
				Description: "A user of an instance, as INSTANCE_ID/USERNAME, that belongs to this connection but has an account of another " +
					"connection: that account loses its role. Default: none."},
		},
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: request.OperationPrefix, OperationSuffix: "place"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.readPlace,
				Summary:     "Read where a connection leads, and which places its accounts know.",
				Description: "Asks no cloud. Needs sudo.",
				Responses: request.DataResponses("The places.", map[string]*framework.FieldSchema{
					"place": {Type: framework.TypeString, Required: true,
						Description: "Fingerprint of where the connection's requests go and as whom."},
					"account_id": {Type: framework.TypeString, Required: true,
						Description: "What the cloud calls the account of the credentials; empty if that is not known."},
					"proven": {Type: framework.TypeBool, Required: true,
						Description: "Whether one of the cloud's own hosts said so, rather than a host that the connection names."},
					"trusted": {Type: framework.TypeBool, Required: true, Description: "Whether an operator has confirmed this place."},
					"credentials_known": {Type: framework.TypeBool, Required: true, Description: "Whether the credentials are known to belong to the " +
						"same cloud account as before. False after others were written with verify_connection=false."},
					"unproven_accounts": {Type: framework.TypeInt, Required: true,
						Description: "How many accounts do not trust what this place says about their servers."},
					"places": {Type: framework.TypeSlice, Required: true, Description: "The places that accounts remember: place, " +
						"account_id, current, accounts (that have a password of it), trusting (accounts that trust it)."},
				}),
			}),
			logical.UpdateOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.writePlace,
				Summary:     "Confirm that the place of a connection is that of its existing servers, or forget another one.",
				Description: "An operator's confirmation instead of a proof. Needs sudo.",
				Responses: request.DataResponses("The confirmation is recorded.", map[string]*framework.FieldSchema{
					"accounts": {Type: framework.TypeInt, Required: true,
						Description: "How many accounts now trust the place, have forgotten the other one, or have lost their role."},
				}),
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "trust"},
			}),
		},
		HelpSynopsis:    placeSynopsis,
		HelpDescription: placeDescription,
	}
}

func (b *backend) readPlace(ctx context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	c, d, err := b.connections.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	here := c.Place(d)
	trusted, err := b.connections.IsTrusted(ctx, name, here)
	if err != nil {
		return nil, err
	}
	account, proven := here.Account()
	unproven, err := b.core.Unproven(ctx, name, here, trusted, c.Doubted)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	uses, err := b.core.Places(ctx, name, here)
	if err != nil {
		return nil, request.VaultError("", err)
	}
	places := make([]map[string]any, 0, len(uses))
	for _, use := range uses {
		id, _ := use.Place.Account()
		places = append(places, map[string]any{"place": string(use.Place), "account_id": id, "current": use.Current, "accounts": use.Accounts,
			"trusting": use.Trusting})
	}
	return &logical.Response{Data: map[string]any{
		"place": string(here), "account_id": account, "proven": proven, "trusted": trusted, "credentials_known": !c.Doubted,
		"unproven_accounts": unproven, "places": places,
	}}, nil
}

func (b *backend) writePlace(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	trust, forget, claim := data.Get("trust").(string), data.Get("forget").(string), data.Get("claim").(string)
	given := 0
	for _, word := range []string{trust, forget, claim} {
		if word != "" {
			given++
		}
	}
	if given != 1 {
		return nil, request.Invalidf("trust, forget, claim: give one of them; trust and forget with a fingerprint that this shows: %s",
			hint.New("read", connection.PlacePrefix+name))
	}
	for field, place := range map[string]string{"trust": trust, "forget": forget} {
		if place != "" && !placeForm.MatchString(place) {
			return nil, request.Invalidf("%s: must be a fingerprint that this shows: %s", field, hint.New("read", connection.PlacePrefix+name))
		}
	}
	defer b.connections.Lock(name)()
	c, d, err := b.connections.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	var count int
	switch {
	case forget != "":
		count, err = b.core.ForgetPlace(ctx, name, rotation.Place(forget))
		if err == nil && count == 0 {
			return nil, request.Invalidf("forget: no account of connection %s remembers a place %.80q; see: %s", name, forget,
				hint.New("read", connection.PlacePrefix+name))
		}
		err = request.VaultError(fmt.Sprintf("%d accounts have forgotten the place, then", count), err)
	case claim != "":
		count, err = b.takeOver(ctx, name, c, d, claim)
	default:
		count, err = b.connections.TrustPlace(ctx, name, c, d, rotation.Place(trust))
	}
	if err != nil {
		return nil, err
	}
	b.Logger().Warn("an operator's word about a connection's place", "connection", name, "trust", trust, "forget", forget, "claim", claim,
		"by", req.DisplayName, "accounts", count)
	return &logical.Response{Data: map[string]any{"accounts": count}}, nil
}

// TakeOver frees a user of an instance that another connection's account holds.
func (b *backend) takeOver(ctx context.Context, name string, c *connection.Record, d cloud.Descriptor, claim string) (int, error) {
	id, err := rotation.ParseID(name + "/" + claim)
	if err != nil {
		return 0, request.Invalidf("claim: must be INSTANCE_ID/USERNAME, as in the error that refused the role")
	}
	count, err := b.core.TakeOver(ctx, rotation.Binding{ID: id, Provider: c.Provider, Place: c.Place(d)})
	return count, request.VaultError("", err)
}
