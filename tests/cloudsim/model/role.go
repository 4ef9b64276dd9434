package model

import (
	"slices"
	"time"
)

type roleID struct {
	cloud Cloud
	arn   string
}

// Role can be assumed by users of any account of its cloud.
type Role struct {
	Cloud     Cloud  `json:"cloud,omitempty"`
	ARN       string `json:"arn,omitempty"` // arn:aws:iam::ACCOUNT:role/NAME, qcs::cam::uin/UIN:roleName/NAME, acs:ram::UID:role/NAME
	ID        string `json:"id,omitempty"`
	AccountID string `json:"account_id,omitempty"`
	Name      string `json:"name,omitempty"`
	// ExternalID must be given by who assumes the role, unless empty.
	ExternalID string `json:"external_id,omitempty"`
	// Trusted are the users who may assume it; empty means all.
	Trusted []string `json:"trusted,omitempty"`
	// Deny lists "service:Action" patterns which its keys may not call.
	Deny []string `json:"deny,omitempty"`
}

// AddRole adds or replaces a role; an empty ID or ARN is filled in.
func (w *World) AddRole(r Role) Role {
	defer w.enter()()
	if r.ID == "" {
		if r.Cloud == AWS {
			r.ID = "AROA" + w.random(upper36, 17)
		} else {
			r.ID = "461" + w.random("0123456789", 16)
		}
	}
	if r.ARN == "" {
		switch r.Cloud {
		case AWS:
			r.ARN = "arn:aws:iam::" + r.AccountID + ":role/" + r.Name
		case AlibabaCloud:
			r.ARN = "acs:ram::" + r.AccountID + ":role/" + r.Name
		default:
			r.ARN = "qcs::cam::uin/" + r.AccountID + ":roleName/" + r.Name
		}
	}
	w.roles[roleID{r.Cloud, r.ARN}] = &r
	return r
}

// Role finds a role by its ARN.
func (w *World) Role(c Cloud, arn string) (Role, bool) {
	defer w.enter()()
	return value(w.roles[roleID{c, arn}])
}

// Assume makes a temporary key for a role. ok is false when the user is not
// trusted or the external id is wrong.
func (w *World) Assume(r Role, user, externalID, session string, lifetime time.Duration) (k AccessKey, ok bool) {
	if r.ExternalID != "" && r.ExternalID != externalID || len(r.Trusted) > 0 && !slices.Contains(r.Trusted, user) {
		return AccessKey{}, false
	}
	defer w.enter()()
	id, secret := w.accessKeyPair(r.Cloud)
	switch r.Cloud {
	case AWS:
		id = "ASIA" + id[4:]
	case AlibabaCloud:
		id = "STS.N" + id[6:]
	}
	k = AccessKey{
		Cloud: r.Cloud, ID: id, Secret: secret, Token: w.random(hexDigits, 200), AccountID: r.AccountID,
		RoleARN: r.ARN, SessionName: session, AssumedBy: user, Created: w.opts.Now(), Expires: w.opts.Now().Add(lifetime), Deny: r.Deny,
	}
	w.keys[accessKeyID{r.Cloud, id}] = &k
	return k, true
}
