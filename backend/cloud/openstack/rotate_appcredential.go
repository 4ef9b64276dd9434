package openstack

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/applicationcredentials"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/keystone"
)

// applicationCredentials rotates Keystone's application credentials. Making and deleting them takes a
// user's password or an unrestricted application credential (keystone/api/users.py). They belong to a
// user and a project; those of the user's other projects are not looked at.
type applicationCredentials struct {
	sender *sender
	used   string // empty where the connection uses a password
	user   string // whose password that is
}

// applicationCredential is the part of Keystone's that is needed to make another like it. It is read
// here since gophercloud's own type fails as a whole on an expires_at of another form.
type applicationCredential struct {
	ID           string                              `json:"id"`
	Secret       string                              `json:"secret"` // only in the answer that made it
	ProjectID    string                              `json:"project_id"`
	Unrestricted bool                                `json:"unrestricted"`
	ExpiresAt    string                              `json:"expires_at"`
	Roles        []applicationcredentials.Role       `json:"roles"`
	AccessRules  []applicationcredentials.AccessRule `json:"access_rules"`
}

// applicationCredentialBody is the request for another application credential
// (keystone/application_credential/schema.py).
type applicationCredentialBody struct {
	Name         string                              `json:"name"`
	Description  string                              `json:"description"`
	Unrestricted bool                                `json:"unrestricted"`
	ExpiresAt    string                              `json:"expires_at,omitempty"`
	Roles        []applicationcredentials.Role       `json:"roles,omitempty"`
	AccessRules  []applicationcredentials.AccessRule `json:"access_rules,omitempty"`
}

// ToApplicationCredentialCreateMap implements gophercloud's CreateOptsBuilder.
func (b applicationCredentialBody) ToApplicationCredentialCreateMap() (map[string]any, error) {
	return gophercloud.BuildRequestBody(b, "application_credential")
}

func (a *applicationCredentials) own(ctx context.Context) ([]cloud.OwnCredential, error) {
	s, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	var listed struct {
		Credentials *[]applicationCredential `json:"application_credentials"`
	}
	err = a.do(ctx, actionListApplication, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		err := getJSON(ctx, client, client.ServiceURL("users", s.userID, "application_credentials"), &listed)
		if err == nil && listed.Credentials == nil {
			err = errAnswerForm
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []cloud.OwnCredential
	for _, c := range *listed.Credentials {
		if c.ProjectID == s.projectID && applicationCredentialForm.MatchString(c.ID) {
			out = append(out, cloud.OwnCredential{ID: c.ID, InUse: c.ID == a.used})
		}
	}
	return out, nil
}

// create makes an unrestricted application credential, so that it can be replaced in its turn. One that
// replaces another has the same roles, access rules and end: a rotation widens nothing.
func (a *applicationCredentials) create(ctx context.Context) (cloud.Values, error) {
	s, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	if s.restricted {
		return nil, cloud.Errorf(cloud.Refused, "%s: %s", actionCreateApplication, hintRestricted)
	}
	name, err := applicationCredentialName()
	if err != nil {
		return nil, err
	}
	body := applicationCredentialBody{Name: name, Description: accessKeyDescription, Unrestricted: true}
	if a.used != "" {
		old, err := a.show(ctx, s.userID)
		if err != nil {
			return nil, err
		}
		body.ExpiresAt = old.ExpiresAt
		for _, role := range old.Roles {
			// Keystone's schema takes the id or the name, and refuses both together.
			body.Roles = append(body.Roles, applicationcredentials.Role{ID: role.ID})
		}
		for _, rule := range old.AccessRules {
			rule.ID = "" // Keystone finds an equal rule by what it says
			body.AccessRules = append(body.AccessRules, rule)
		}
	}
	var made struct {
		Credential applicationCredential `json:"application_credential"`
	}
	err = a.do(ctx, actionCreateApplication, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		result := applicationcredentials.Create(ctx, client, s.userID, body)
		err := result.ExtractInto(&made)
		if err == nil && (!applicationCredentialForm.MatchString(made.Credential.ID) || made.Credential.Secret == "") {
			err = incomplete("application credential")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	// It knows its user and its project, and is used in place of a password.
	return cloud.Values{
		fieldApplicationCredentialID.Name: made.Credential.ID, fieldApplicationCredentialSecret.Name: made.Credential.Secret,
		fieldUsername.Name: "", fieldPassword.Name: "", fieldUserDomainName.Name: "", fieldProjectName.Name: "", fieldProjectDomainName.Name: "",
	}, nil
}

// show reads the application credential in use.
func (a *applicationCredentials) show(ctx context.Context, userID string) (applicationCredential, error) {
	var shown struct {
		Credential applicationCredential `json:"application_credential"`
	}
	err := a.do(ctx, actionShowApplication, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		err := applicationcredentials.Get(ctx, client, userID, a.used).ExtractInto(&shown)
		if err == nil && shown.Credential.ID != a.used {
			err = errAnswerForm
		}
		return err
	})
	return shown.Credential, err
}

func (a *applicationCredentials) check() error { return nil }

// tell says when the application credential, or the user's password, ends. Keystone keeps of neither when it was made
// (keystone/application_credential/backends/sql.py). An application credential may read itself, restricted or not, unless its
// access rules leave that out.
func (a *applicationCredentials) tell(ctx context.Context) (cloud.Credential, error) {
	if a.used == "" {
		return tellPassword(ctx, a.sender, a.user)
	}
	s, err := a.session(ctx)
	if err != nil {
		return cloud.Credential{ID: a.used}, err
	}
	shown, err := a.show(ctx, s.userID)
	return cloud.Credential{ID: a.used, Expires: keystone.Time(shown.ExpiresAt)}, err
}

func (a *applicationCredentials) remove(ctx context.Context, id string) error {
	s, err := a.session(ctx)
	if err != nil {
		return err
	}
	return a.do(ctx, actionDeleteApplication, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		return deleteAt(ctx, client, client.ServiceURL("users", s.userID, "application_credentials", id))
	})
}

// session tells the user whose application credentials these are.
func (a *applicationCredentials) session(ctx context.Context) (session, error) {
	s, err := a.sender.sessions.get(ctx)
	if err == nil && s.userID == "" {
		err = cloud.Errorf(cloud.Refused, "%s: Keystone's token names no user, so the user's application credentials cannot be managed",
			actionToken)
	}
	return s, err
}

func (a *applicationCredentials) do(ctx context.Context, action string,
	send func(context.Context, *gophercloud.ServiceClient) error) error {
	return a.sender.do(ctx, call{action: action, identity: true}, send)
}

// applicationCredentialName makes a name, which must be unique for the user.
func applicationCredentialName() (string, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", &cloud.Error{Kind: cloud.Unavailable, Message: actionCreateApplication + ": no random name", Err: err}
	}
	return "cloudpw-" + hex.EncodeToString(random[:]), nil
}

func (a *applicationCredentials) permissions(ctx context.Context) []cloud.Permission {
	_, err := a.own(ctx)
	listed := verdictOf(err)
	listed.Action, listed.Purpose = policies[actionListApplication], "list the user's own application credentials, for rotate-root"
	all := []cloud.Permission{listed}
	if a.used != "" {
		_, err := a.tell(ctx)
		shown := verdictOf(err)
		shown.Action, shown.Purpose = policies[actionShowApplication], "tell when the application credential ends, and make another like it"
		all = append(all, shown)
	}
	managed := cloud.Permission{
		Action:  policies[actionCreateApplication] + ", " + policies[actionDeleteApplication],
		Purpose: "make and delete the user's own application credentials, for rotate-root",
		Verdict: cloud.PermissionUnknown,
		Message: "Keystone's default policy lets every user do this; there is no way to try it",
	}
	if s, err := a.session(ctx); err == nil && s.restricted {
		managed.Verdict, managed.Message = cloud.PermissionDenied, hintRestricted
		managed.Policy = "openstack application credential create --unrestricted cloudpw"
	}
	return append(all, managed)
}
