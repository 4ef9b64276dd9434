package openstack

import (
	"context"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/keystone"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// tokenSessions gets its sessions from Keystone, for a user name and password or for an application credential.
type tokenSessions struct {
	tokens    *keystone.Tokens[session]
	family    family
	identity  string // the identity service's URL
	projectID string // empty when the project is given by name, or not at all
	// forDomain is set where tokens are for the user's domain: to use an agency is a permission there, and the
	// connection's project is another domain's.
	forDomain bool
	// region and computeBase find the compute endpoint; without a computeBase the catalogue does, and ownBase
	// where that has none.
	region, computeBase, ownBase string
	login                        call
	secrets                      redactor
}

func newTokenSessions(client *gophercloud.ServiceClient, f family, cfg cloud.Config) *tokenSessions {
	t := &tokenSessions{
		family:      f,
		identity:    f.identityBase(cfg),
		projectID:   cfg.Text(fieldProjectID),
		forDomain:   cfg.Text(fieldAgencyName) != "",
		region:      cfg.Text(cloud.Region),
		computeBase: f.tokenBase(cfg),
		ownBase:     f.ownBase(cfg),
		login: call{
			action:                actionToken,
			identity:              true,
			plain:                 f.plain,
			applicationCredential: cfg.Text(fieldApplicationCredentialID),
			check:                 cfg.CheckHint(),
		},
		secrets: redactor{cfg.Text(fieldPassword), cfg.Text(fieldApplicationCredentialSecret)},
	}
	t.tokens = keystone.NewTokens(keystone.Login{
		Client: client, Options: authOptions(cfg), Limiter: cfg.Limiter, Timeout: cfg.RequestTimeout, Failed: t.failed,
	}, t.open)
	return t
}

// authOptions says who asks for a token and for which project. An application credential may not name
// a project: it has one.
func authOptions(cfg cloud.Config) tokens.AuthOptions {
	if cfg.Text(fieldApplicationCredentialID) != "" {
		return tokens.AuthOptions{
			ApplicationCredentialID:     cfg.Text(fieldApplicationCredentialID),
			ApplicationCredentialSecret: cfg.Text(fieldApplicationCredentialSecret),
		}
	}
	options := tokens.AuthOptions{
		Username:   cfg.Text(fieldUsername),
		Password:   cfg.Text(fieldPassword),
		DomainName: cfg.Text(fieldUserDomainName),
		Scope:      tokens.Scope{ProjectID: cfg.Text(fieldProjectID)},
	}
	switch {
	case cfg.Text(fieldAgencyName) != "":
		options.Scope = tokens.Scope{DomainName: cfg.Text(fieldUserDomainName)}
	case cfg.Text(fieldProjectID) == "":
		options.Scope = tokens.Scope{ProjectName: cfg.Text(fieldProjectName), DomainName: cfg.Text(fieldProjectDomainName)}
		if options.Scope.DomainName == "" {
			options.Scope.DomainName = cfg.Text(fieldUserDomainName)
		}
	}
	return options
}

// get implements sessions.
func (t *tokenSessions) get(ctx context.Context) (session, error) { return t.tokens.Get(ctx) }

// renewable implements sessions.
func (t *tokenSessions) renewable(used session) bool {
	t.tokens.Drop(used.token)
	return true
}

// open makes the session of a token: its project, and where it is to be sent.
func (t *tokenSessions) open(token keystone.Token) (session, error) {
	s := session{token: token.ID, projectID: t.projectID, restricted: token.Restricted,
		passwordExpires: token.PasswordExpires}
	if userForm.MatchString(token.UserID) {
		s.userID = token.UserID
	}
	if t.forDomain {
		s.projectID = ""
		return s, nil
	}
	switch {
	case t.login.applicationCredential != "" && t.projectID != "" && t.projectID != token.ProjectID:
		return session{}, cloud.Errorf(cloud.Refused, "%s: project_id is not the project of the application credential; remove project_id, "+
			"or use an application credential made in that project", actionToken)
	case s.projectID == "":
		s.projectID = token.ProjectID
	}
	if !projectForm.MatchString(s.projectID) {
		return session{}, cloud.Errorf(cloud.Refused, "%s: the token is not for a project; check project_name and project_domain_name",
			actionToken)
	}
	var err error
	if s.endpoint, err = t.endpointFor(token.Catalog, s.projectID); err != nil {
		return session{}, err
	}
	if image := keystone.ImageEndpoint(token.Catalog, t.region); t.family.sameCloud(t.identity, image) {
		s.imageEndpoint = image
	}
	return s, nil
}

// endpointFor is where the token is to be sent.
func (t *tokenSessions) endpointFor(catalog tokens.ServiceCatalog, projectID string) (string, error) {
	switch {
	case t.computeBase != "":
		return keystone.WithProject(t.computeBase, projectID), nil
	case t.ownBase != "" && !keystone.HasCompute(catalog):
		return keystone.WithProject(t.ownBase, projectID), nil
	}
	found, err := keystone.ComputeEndpoint(catalog, t.family.computeKey, t.region, projectID)
	if err != nil {
		return "", err
	}
	if !t.family.sameCloud(t.identity, found) {
		return "", cloud.Errorf(cloud.Refused,
			"%s: the catalogue of %s says that compute is at %s, which is another cloud's, so the token is not sent there; "+
				"if it is right, set endpoints.%s to that URL", actionToken, keystone.HostOf(t.identity),
			text.Line(keystone.HostOf(found), cloud.MaxText), t.family.computeKey)
	}
	if t.family.plain {
		return found, nil
	}
	// The vendors' gateways want the project in the path.
	return keystone.WithProject(strings.TrimRight(found, "/"), projectID), nil
}

// failed translates a failed token request. The call that needed the token was not sent, so what would be an unknown
// outcome is Unavailable here. The SDK's error is dropped, since it holds the answer's headers, where tokens travel.
func (t *tokenSessions) failed(cause error) *cloud.Error {
	e := translate(t.login, cause, t.secrets)
	if e.Kind == cloud.Unknown {
		e.Kind = cloud.Unavailable
	}
	if _, answered := answerOf(cause); answered {
		e.Err = nil
	}
	return e
}
