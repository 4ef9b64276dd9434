package connection

import (
	"encoding/json"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// PlacePrefix is where the places are stored that an operator has said to be those of a connection's existing
// servers. The entry outlives the connection, as its accounts do.
const PlacePrefix = "place/"

// maxTrustedPlaces is how many places an operator may stand for; the oldest are forgotten first.
const maxTrustedPlaces = 8

// trustedPlaces are an operator's words about the places of one connection.
type trustedPlaces struct {
	store.Header
	Places []rotation.Place `json:"places"`
}

func decodePlaces(raw []byte) (*trustedPlaces, error) {
	if err := store.CheckSchema(raw); err != nil {
		return nil, err
	}
	var p trustedPlaces
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// has reports whether an operator stands for a place. The account of the cloud counts as told.
func (p *trustedPlaces) has(place rotation.Place) bool {
	return p != nil && slices.Contains(p.Places, place)
}
