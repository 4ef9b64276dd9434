package awsapi

import (
	"encoding/xml"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

type keyPairsResponse struct {
	XMLName   xml.Name       `xml:"DescribeKeyPairsResponse"`
	Namespace string         `xml:"xmlns,attr"`
	RequestID string         `xml:"requestId"`
	Pairs     items[keyPair] `xml:"keySet"`
}

type keyPair struct {
	ID          string `xml:"keyPairId"`
	Name        string `xml:"keyName"`
	Fingerprint string `xml:"keyFingerprint"`
	Type        string `xml:"keyType"`
	PublicKey   string `xml:"publicKey,omitempty"`
	Created     string `xml:"createTime"`
	Tags        string `xml:"tagSet"`
}

// keyPairFilters read what a filter of DescribeKeyPairs compares with.
var keyPairFilters = map[string]func(model.KeyPair) string{
	"key-name":    func(p model.KeyPair) string { return p.Name },
	"key-pair-id": func(p model.KeyPair) string { return p.ID },
	"fingerprint": func(p model.KeyPair) string { return p.Fingerprint },
}

func describeKeyPairs(r *request) (any, *failure) {
	conditions, f := filters(r.form)
	if f != nil {
		return nil, f
	}
	for _, c := range conditions {
		if keyPairFilters[c.name] == nil && c.name != "tag-key" && (!strings.HasPrefix(c.name, "tag:") || c.name == "tag:") {
			return nil, fail("InvalidParameterValue", "The filter '"+c.name+"' is invalid")
		}
	}
	pairs := r.world.KeyPairs(model.AWS, r.caller.key.AccountID, r.caller.region)
	names, ids := list(r.form, "KeyName"), list(r.form, "KeyPairId")
	for _, n := range names {
		if !slices.ContainsFunc(pairs, func(p model.KeyPair) bool { return p.Name == n }) {
			return nil, fail("InvalidKeyPair.NotFound", "The key pair '"+n+"' does not exist")
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(pairs, func(p model.KeyPair) bool { return p.ID == id }) {
			return nil, fail("InvalidKeyPair.NotFound", "The keyPair ID '"+id+"' does not exist")
		}
	}
	if f := r.dryRun(); f != nil {
		return nil, f
	}
	out := keyPairsResponse{Namespace: ec2Namespace, RequestID: r.id}
	for _, p := range pairs {
		asked := len(names)+len(ids) == 0 || slices.Contains(names, p.Name) || slices.Contains(ids, p.ID)
		if !asked || !matchesAll(conditions, p) {
			continue
		}
		item := keyPair{ID: p.ID, Name: p.Name, Fingerprint: p.Fingerprint, Type: p.Type, Created: p.Created.UTC().Format(timeFormat)}
		if strings.EqualFold(r.get("IncludePublicKey"), "true") {
			item.PublicKey = p.AuthorizedKey
		}
		out.Pairs.Items = append(out.Pairs.Items, item)
	}
	return out, nil
}

// matchesAll says whether a pair meets all conditions; pairs have no tags.
func matchesAll(conditions []filter, p model.KeyPair) bool {
	for _, c := range conditions {
		read := keyPairFilters[c.name]
		if read == nil || !c.matches(read(p)) {
			return false
		}
	}
	return true
}

func keys(m map[string]string) iter.Seq[string] { return maps.Keys(m) }
