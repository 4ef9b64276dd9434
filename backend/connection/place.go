package connection

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Place is the fingerprint of where the connection's requests go and as whom.
func (c *Record) Place(d cloud.Descriptor) rotation.Place {
	return rotation.PlaceOf(c.placeNames(d), c.AccountID, c.chosenByCloud(d))
}

// placeNames are what a place is known by. No key and no user has a part in it, but for what it says of the account.
func (c *Record) placeNames(d cloud.Descriptor) []string {
	names := []string{"provider", c.Provider}
	for _, f := range d.Fields {
		if name := placeName(f, c.Own.Text(f)); name != "" {
			names = append(names, f.Name, name)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(c.Endpoints)) {
		if url := c.Endpoints[service]; url != "" {
			names = append(names, "endpoint "+service, urlName(url))
		}
	}
	return names
}

// placeName is what a field's value adds to a place's names; "" for nothing.
func placeName(f cloud.Field, value string) string {
	switch {
	case value == "":
		return ""
	case f.AccountOf != nil:
		return f.AccountOf(value)
	case f.Kind != cloud.FieldAccount && f.Kind != cloud.FieldPlace:
		return ""
	case f.Type == cloud.FieldURL:
		return urlName(value)
	}
	return value
}

// urlName is a URL as a name: a final slash is no other place.
func urlName(url string) string { return strings.TrimRight(url, "/") }

// chosenByCloud reports whether all requests go to the cloud's own hosts, whose word about the account is a proof.
func (c *Record) chosenByCloud(d cloud.Descriptor) bool {
	for _, f := range d.Fields {
		if f.Type == cloud.FieldURL && c.Own.Text(f) != "" {
			return false
		}
	}
	return !slices.ContainsFunc(slices.Collect(maps.Values(c.Endpoints)), func(url string) bool { return url != "" })
}

// samePlace reports whether two connections of a provider send their requests to the same hosts, for the same names.
func samePlace(d cloud.Descriptor, old, next *Record) bool {
	return slices.Equal(old.placeNames(d), next.placeNames(d))
}

// settleIdentity says, in a connection that is about to be stored, of which account of the cloud its credentials are.
// told is what the cloud said to them, verified whether it was asked at all.
func (c *Record) settleIdentity(d cloud.Descriptor, old *Record, told string, verified, served bool) {
	switch {
	case told != "":
		c.AccountID, c.Doubted = told, false
	case old != nil && samePlace(d, old, c) && sameIdentity(d, old, c):
		// As before.
	case verified:
		c.AccountID, c.Doubted = "", false
	default:
		c.AccountID, c.Doubted = "", served
	}
}

// maxAccountID is more than the id of any cloud's account has, in characters.
const maxAccountID = 128

// TellAccount asks the cloud of which account the credentials are; "" where it does not tell, which is no failure. The id is
// stored and shown, so what cannot be one counts as not told.
func TellAccount(ctx context.Context, p cloud.Provider) string {
	teller, ok := p.(cloud.AccountTeller)
	if !ok {
		return ""
	}
	id, err := teller.CloudAccount(ctx)
	if err != nil || len(id) > maxAccountID || text.Check(id) != nil {
		return ""
	}
	return id
}
