package protocol

// A place: where a connection's requests go, and as whom (rule 18).

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Place is the fingerprint of where a connection's requests go and as whom: a digest of names, and the id of
// the cloud account that was told there. No key has a part in it, so that new keys of the same account are no
// change. The zero value is a place that nobody has told yet.
type Place string

// What stands before the account id in a place.
const (
	toldMark   = "/" // an endpoint told it that the connection's writer chose, or may have
	provenMark = "=" // an endpoint of the cloud's own told it
)

// maxAccountID bounds what a cloud may call an account.
const maxAccountID = 64

// PlaceOf makes the fingerprint. account is what the cloud calls the account, empty where that is not known;
// proven says that it was asked at an endpoint which the connection's writer did not choose.
func PlaceOf(names []string, account string, proven bool) Place {
	digest := sha256.New()
	for _, name := range names {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(name)))
		digest.Write(length[:])
		digest.Write([]byte(name))
	}
	place := hex.EncodeToString(digest.Sum(nil)[:8])
	if !isAccountID(account) {
		account = ""
	}
	switch {
	case proven:
		return Place(place + provenMark + account)
	case account != "":
		return Place(place + toldMark + account)
	}
	return Place(place)
}

// isAccountID reports whether the id that a cloud gave for an account may be kept: it is text from outside.
func isAccountID(s string) bool {
	return s != "" && len(s) <= maxAccountID && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' || r == '.' || r == ':')
	})
}

// split takes a fingerprint apart.
func (p Place) split() (names, account string, proven bool) {
	s := string(p)
	if i := strings.IndexAny(s, toldMark+provenMark); i >= 0 {
		return s[:i], s[i+1:], s[i:i+1] == provenMark
	}
	return s, "", false
}

// Account is what the cloud calls the account of the place, and whether that is proven.
func (p Place) Account() (id string, proven bool) {
	_, id, proven = p.split()
	return id, proven && id != ""
}

// MayTell reports whether those who ask from this place may be told about an account of another place: they may if
// both are the same account of the cloud.
func (p Place) MayTell(o Place) bool { return p == o || p.sameAccount(o) }

// Realm is where an account is unique by provider, instance id and user name: "" for the cloud's own hosts, which
// show nobody another customer's server; else the hosts that a connection names, which may claim to have any server.
func (p Place) Realm() string {
	names, _, own := p.split()
	if own {
		return ""
	}
	return names
}

// Same reports whether two fingerprints are of one place. An account that is not known yet may be any.
func (p Place) Same(o Place) bool {
	if p == o {
		return true
	}
	names, account, _ := p.split()
	others, other, _ := o.split()
	return names == others && (account == other || account == "" || other == "")
}

// sameAccount reports whether two places are proven to belong to one account of the cloud.
func (p Place) sameAccount(o Place) bool {
	id, proven := p.Account()
	other, too := o.Account()
	return proven && too && id == other
}

// tells reports whether the fingerprint says more about the same place than another does.
func (p Place) tells(o Place) bool {
	id, proven := p.Account()
	other, too := o.Account()
	return id != "" && (other == "" || proven && !too)
}
