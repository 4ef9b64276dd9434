package model

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

type accountID struct {
	cloud Cloud
	id    string
}

type projectID struct {
	cloud Cloud
	id    string
}

type userID struct {
	cloud Cloud
	id    string
}

type accessKeyID struct {
	cloud Cloud
	id    string
}

// Account is a cloud account: an AWS account, a Tencent Uin, an Alibaba Cloud UID,
// a Keystone domain (Huawei Cloud, Open Telekom Cloud, OpenStack), an Azure subscription.
type Account struct {
	Cloud Cloud  `json:"cloud,omitempty"`
	ID    string `json:"id,omitempty"`   // 12 digits (AWS), digits (Tencent, Alibaba), 32 hex digits (domain id), a GUID (Azure)
	Name  string `json:"name,omitempty"` // domain name on Keystone clouds
	// Regions are where the account can work; a request elsewhere is refused.
	Regions []string `json:"regions,omitempty"`
	// TenantID is the Entra tenant, a GUID, that an Azure subscription trusts.
	TenantID string `json:"tenant_id,omitempty"`
}

// Project is a Keystone project. On Huawei Cloud and Open Telekom Cloud its
// name is the region, or region_sub for a sub-project.
type Project struct {
	Cloud     Cloud  `json:"cloud,omitempty"`
	ID        string `json:"id,omitempty"` // 32 hex digits
	Name      string `json:"name,omitempty"`
	AccountID string `json:"account_id,omitempty"` // the domain it belongs to
	Region    string `json:"region,omitempty"`
}

// User is somebody who can have credentials in an account. Password is for
// Keystone's password method.
type User struct {
	Cloud     Cloud  `json:"cloud,omitempty"`
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"`
	AccountID string `json:"account_id,omitempty"`
	Password  string `json:"password,omitempty"`
	// PasswordExpires is when Keystone takes the password no more; zero: it does not end.
	PasswordExpires time.Time `json:"password_expires,omitzero"`
	// ProjectIDs are the projects the user may work in; empty means all of
	// the account's.
	ProjectIDs []string `json:"project_ids,omitempty"`
	// DomainRole says that the user has a role on the account itself. Without one
	// OpenStack issues no token for a domain.
	DomainRole bool `json:"domain_role,omitempty"`
	// Deny lists "service:Action" patterns (path.Match, case-sensitive) which
	// the user may not call.
	Deny []string `json:"deny,omitempty"`
}

// AccessKey is an access key with its secret; on Azure, the client id of an application with one of its secrets. Token and
// Expires are set for temporary keys only.
type AccessKey struct {
	Cloud     Cloud     `json:"cloud,omitempty"`
	ID        string    `json:"id,omitempty"`
	Secret    string    `json:"secret,omitempty"`
	Token     string    `json:"token,omitempty"`
	Expires   time.Time `json:"expires,omitzero"`
	AccountID string    `json:"account_id,omitempty"`
	UserID    string    `json:"user_id,omitempty"`
	// RoleARN, SessionName and AssumedBy describe a temporary key got by AssumeRole.
	RoleARN     string `json:"role_arn,omitempty"`
	SessionName string `json:"session_name,omitempty"`
	AssumedBy   string `json:"assumed_by,omitempty"` // the user who asked
	// AgencyID is that of a temporary key of an agency, which has no UserID.
	AgencyID    string    `json:"agency_id,omitempty"`
	Created     time.Time `json:"created,omitzero"`
	Inactive    bool      `json:"inactive,omitempty"`
	Description string    `json:"description,omitempty"` // on Keystone clouds
	// Deny lists "service:Action" patterns, added to the user's.
	Deny []string `json:"deny,omitempty"`
}

// AppCredential is a Keystone application credential.
type AppCredential struct {
	ID        string    `json:"id,omitempty"`
	Name      string    `json:"name,omitempty"`
	Secret    string    `json:"secret,omitempty"`
	UserID    string    `json:"user_id,omitempty"`
	ProjectID string    `json:"project_id,omitempty"`
	Expires   time.Time `json:"expires,omitzero"` // zero: never
	// Unrestricted ones may make and delete application credentials.
	Unrestricted bool   `json:"unrestricted,omitempty"`
	Description  string `json:"description,omitempty"`
	// Roles are the names of those that it has; empty: all of its user's.
	Roles []string `json:"roles,omitempty"`
	// AccessRules limit what tokens got with it may call; empty: nothing does.
	AccessRules []AccessRule `json:"access_rules,omitempty"`
}

// AccessRule is one call that an application credential is limited to.
type AccessRule struct {
	ID      string `json:"id,omitempty"`
	Service string `json:"service,omitempty"`
	Method  string `json:"method,omitempty"`
	Path    string `json:"path,omitempty"`
}

// AddAccount adds or replaces an account; an empty ID is filled in.
func (w *World) AddAccount(a Account) Account {
	defer w.enter()()
	if a.ID == "" {
		switch a.Cloud {
		case AWS, TencentCloud:
			a.ID = "1" + w.random("0123456789", 11)
		case AlibabaCloud:
			a.ID = "1" + w.random("0123456789", 15)
		case Azure:
			a.ID = w.uuid()
		default:
			a.ID = w.random(hexDigits, 32)
		}
	}
	if a.Cloud == Azure && a.TenantID == "" {
		a.TenantID = w.uuid()
	}
	a.Regions = slices.Clone(a.Regions)
	w.accounts[accountID{a.Cloud, a.ID}] = &a
	return a
}

// Account finds an account by id.
func (w *World) Account(c Cloud, id string) (Account, bool) {
	defer w.enter()()
	return value(w.accounts[accountID{c, id}])
}

// AccountByName finds a Keystone domain by name.
func (w *World) AccountByName(c Cloud, name string) (Account, bool) {
	defer w.enter()()
	for _, a := range w.accounts {
		if a.Cloud == c && a.Name == name {
			return *a, true
		}
	}
	return Account{}, false
}

// Accounts lists a cloud's accounts, by id.
func (w *World) Accounts(c Cloud) []Account {
	defer w.enter()()
	var out []Account
	for _, a := range w.accounts {
		if a.Cloud == c {
			out = append(out, *a)
		}
	}
	slices.SortFunc(out, func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// AddProject adds or replaces a project; an empty ID is filled in.
func (w *World) AddProject(p Project) Project {
	defer w.enter()()
	if p.ID == "" {
		p.ID = w.random(hexDigits, 32)
	}
	w.projects[projectID{p.Cloud, p.ID}] = &p
	return p
}

// Project finds a project by id.
func (w *World) Project(c Cloud, id string) (Project, bool) {
	defer w.enter()()
	return value(w.projects[projectID{c, id}])
}

// Projects lists the projects of a domain, by name.
func (w *World) Projects(c Cloud, account string) []Project {
	defer w.enter()()
	var out []Project
	for _, p := range w.projects {
		if p.Cloud == c && p.AccountID == account {
			out = append(out, *p)
		}
	}
	slices.SortFunc(out, func(a, b Project) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// AddUser adds or replaces a user; an empty ID is filled in.
func (w *World) AddUser(u User) User {
	defer w.enter()()
	if u.ID == "" {
		switch u.Cloud {
		case AWS:
			u.ID = "AIDA" + w.random(upper36, 17)
		case TencentCloud:
			u.ID = "1" + w.random("0123456789", 11)
		case AlibabaCloud:
			u.ID = "2" + w.random("0123456789", 17)
		case Azure:
			u.ID = w.uuid() // the object id of a service principal
		default:
			u.ID = w.random(hexDigits, 32)
		}
	}
	w.users[userID{u.Cloud, u.ID}] = &u
	return u
}

// User finds a user by id.
func (w *World) User(c Cloud, id string) (User, bool) {
	defer w.enter()()
	return value(w.users[userID{c, id}])
}

// UserByName finds a user by name inside an account (domain).
func (w *World) UserByName(c Cloud, account, name string) (User, bool) {
	defer w.enter()()
	for _, u := range w.users {
		if u.Cloud == c && u.AccountID == account && u.Name == name {
			return *u, true
		}
	}
	return User{}, false
}

// AddAppCredential adds or replaces an application credential (OpenStack).
func (w *World) AddAppCredential(a AppCredential) AppCredential {
	defer w.enter()()
	if a.ID == "" {
		a.ID = w.random(hexDigits, 32)
	}
	w.appCreds[a.ID] = &a
	return a
}

// AppCredential finds an application credential by id.
func (w *World) AppCredential(id string) (AppCredential, bool) {
	defer w.enter()()
	return value(w.appCreds[id])
}

// AppCredentialByName finds an application credential by its name and user.
func (w *World) AppCredentialByName(user, name string) (AppCredential, bool) {
	defer w.enter()()
	for _, a := range w.appCreds {
		if a.UserID == user && a.Name == name {
			return *a, true
		}
	}
	return AppCredential{}, false
}

// AppCredentials lists the application credentials of a user, by id.
func (w *World) AppCredentials(user string) []AppCredential {
	defer w.enter()()
	var out []AppCredential
	for _, a := range w.appCreds {
		if a.UserID == user {
			out = append(out, *a)
		}
	}
	slices.SortFunc(out, func(a, b AppCredential) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// DeleteAppCredential removes an application credential; false means no such
// one.
func (w *World) DeleteAppCredential(id string) bool {
	defer w.enter()()
	_, ok := w.appCreds[id]
	delete(w.appCreds, id)
	return ok
}

// AddAccessKey adds or replaces an access key; an empty ID or Secret is
// filled in.
func (w *World) AddAccessKey(k AccessKey) AccessKey {
	defer w.enter()()
	id, secret := w.accessKeyPair(k.Cloud)
	k.ID, k.Secret = cmp.Or(k.ID, id), cmp.Or(k.Secret, secret)
	if k.Created.IsZero() {
		k.Created = w.opts.Now()
	}
	w.keys[accessKeyID{k.Cloud, k.ID}] = &k
	return k
}

// AccessKey finds an access key by id, whatever its state: the caller judges
// Inactive, Token and Expires in the cloud's own way.
func (w *World) AccessKey(c Cloud, id string) (AccessKey, bool) {
	defer w.enter()()
	return value(w.keys[accessKeyID{c, id}])
}

// AccessKeys lists the lasting keys of a user, oldest first.
func (w *World) AccessKeys(c Cloud, user string) []AccessKey {
	defer w.enter()()
	var out []AccessKey
	for _, k := range w.keys {
		if k.Cloud == c && k.UserID == user && k.Token == "" {
			out = append(out, *k)
		}
	}
	slices.SortFunc(out, func(a, b AccessKey) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// SetAccessKeyInactive switches a key off or on; false means no such key.
func (w *World) SetAccessKeyInactive(c Cloud, id string, inactive bool) bool {
	defer w.enter()()
	k := w.keys[accessKeyID{c, id}]
	if k != nil {
		k.Inactive = inactive
	}
	return k != nil
}

// DescribeAccessKey gives a key another description; false means no such key.
func (w *World) DescribeAccessKey(c Cloud, id, description string) bool {
	defer w.enter()()
	k := w.keys[accessKeyID{c, id}]
	if k != nil {
		k.Description = description
	}
	return k != nil
}

// DeleteAccessKey removes a key; false means no such key.
func (w *World) DeleteAccessKey(c Cloud, id string) bool {
	defer w.enter()()
	_, ok := w.keys[accessKeyID{c, id}]
	delete(w.keys, accessKeyID{c, id})
	return ok
}

// Deny replaces the "service:Action" patterns which an access key may not
// call; false means no such key.
func (w *World) Deny(c Cloud, id string, patterns []string) (bool, error) {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return false, fmt.Errorf("deny pattern %q: %w", p, err)
		}
	}
	defer w.enter()()
	k := w.keys[accessKeyID{c, id}]
	if k != nil {
		k.Deny = slices.Clone(patterns)
	}
	return k != nil, nil
}

// Allowed says whether a key may call service:action, by its own and its
// user's Deny lists.
func (w *World) Allowed(k AccessKey, service, action string) bool {
	defer w.enter()()
	deny := slices.Clone(k.Deny)
	if u := w.users[userID{k.Cloud, k.UserID}]; u != nil {
		deny = append(deny, u.Deny...)
	}
	return !denied(deny, service, action)
}

// UserAllowed is Allowed for a caller who came with a token.
func (w *World) UserAllowed(u User, service, action string) bool {
	return !denied(u.Deny, service, action)
}

func denied(patterns []string, service, action string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, service+":"+action)
		return err == nil && ok
	})
}

// HasRegion says whether the account can work in a region.
func (a Account) HasRegion(region string) bool { return slices.Contains(a.Regions, region) }

// sortedKeys returns a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// foldEqual compares user names as the guest does: without case on Windows.
func foldEqual(windows bool, a, b string) bool {
	return a == b || windows && strings.EqualFold(a, b)
}

// value copies what p points at; false for nil.
func value[T any](p *T) (T, bool) {
	if p == nil {
		var zero T
		return zero, false
	}
	return *p, true
}

// CreateAccessKey makes another lasting key for a user; false means that the
// user is unknown or has as many as the cloud allows.
func (w *World) CreateAccessKey(c Cloud, user string, most int) (AccessKey, bool) {
	defer w.enter()()
	u := w.users[userID{c, user}]
	n := 0
	for _, k := range w.keys {
		if k.Cloud == c && k.UserID == user && k.Token == "" {
			n++
		}
	}
	if u == nil || n >= most {
		return AccessKey{}, false
	}
	id, secret := w.accessKeyPair(c)
	k := AccessKey{Cloud: c, ID: id, Secret: secret, AccountID: u.AccountID, UserID: user, Created: w.opts.Now()}
	w.keys[accessKeyID{c, id}] = &k
	return k, true
}
