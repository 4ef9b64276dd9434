package model

import (
	"slices"
	"time"
)

// Agency is what Huawei Cloud and Open Telekom Cloud have for roles: an account lets another one, or a cloud service such as ECS,
// work in it, as far as the agency's permissions go.
type Agency struct {
	Cloud     Cloud  `json:"cloud,omitempty"`
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"` // unique in its account
	AccountID string `json:"account_id,omitempty"`
	// TrustedAccountID is the account that may use it; default its own.
	TrustedAccountID string `json:"trusted_account_id,omitempty"`
	// Trusted are the users of that account who may; empty means all.
	Trusted []string `json:"trusted,omitempty"`
	// Expires is when the agency ends; zero: never.
	Expires time.Time `json:"expires,omitzero"`
	// ProjectIDs are the projects that it reaches; empty means all of its account.
	ProjectIDs []string `json:"project_ids,omitempty"`
	// Deny lists "service:Action" patterns which its keys may not call.
	Deny []string `json:"deny,omitempty"`
}

type agencyID struct {
	cloud Cloud
	id    string
}

// AddAgency adds or replaces an agency; what is empty is filled in.
func (w *World) AddAgency(a Agency) Agency {
	defer w.enter()()
	if a.ID == "" {
		a.ID = w.random(hexDigits, 32)
	}
	if a.TrustedAccountID == "" {
		a.TrustedAccountID = a.AccountID
	}
	w.agencies[agencyID{a.Cloud, a.ID}] = &a
	return a
}

// Agency finds an agency by id.
func (w *World) Agency(c Cloud, id string) (Agency, bool) {
	defer w.enter()()
	return value(w.agencies[agencyID{c, id}])
}

// AgencyByName finds an agency by its account and name.
func (w *World) AgencyByName(c Cloud, account, name string) (Agency, bool) {
	defer w.enter()()
	for _, a := range w.agencies {
		if a.Cloud == c && a.AccountID == account && a.Name == name {
			return *a, true
		}
	}
	return Agency{}, false
}

// RemoveAgency removes an agency, and with it what its keys may do; false means no such one.
func (w *World) RemoveAgency(c Cloud, id string) bool {
	defer w.enter()()
	_, ok := w.agencies[agencyID{c, id}]
	delete(w.agencies, agencyID{c, id})
	return ok
}

// Trusts says whether a user may use the agency.
func (a Agency) Trusts(u User) bool {
	return u.AccountID == a.TrustedAccountID && (len(a.Trusted) == 0 || slices.Contains(a.Trusted, u.ID))
}

// User is who the keys of the agency act as: somebody whom no list of users shows.
func (a Agency) User(domain string) User {
	return User{
		Cloud: a.Cloud, ID: a.ID, Name: domain + "/" + a.Name, AccountID: a.AccountID, ProjectIDs: a.ProjectIDs, Deny: a.Deny,
	}
}

// AgencyKey makes a temporary key of an agency, for a user of another account or, with an empty user, for a server.
func (w *World) AgencyKey(a Agency, user string, lifetime time.Duration) AccessKey {
	defer w.enter()()
	return w.temporaryKey(AccessKey{Cloud: a.Cloud, AccountID: a.AccountID, AgencyID: a.ID, AssumedBy: user, Deny: a.Deny}, lifetime)
}

// TemporaryKey makes a temporary key of a user.
func (w *World) TemporaryKey(u User, lifetime time.Duration) AccessKey {
	defer w.enter()()
	return w.temporaryKey(AccessKey{Cloud: u.Cloud, AccountID: u.AccountID, UserID: u.ID}, lifetime)
}

func (w *World) temporaryKey(k AccessKey, lifetime time.Duration) AccessKey {
	k.ID, k.Secret = w.accessKeyPair(k.Cloud)
	k.Token, k.Created = w.random(hexDigits, 400), w.opts.Now()
	k.Expires = k.Created.Add(lifetime)
	w.keys[accessKeyID{k.Cloud, k.ID}] = &k
	return k
}
