package openstack

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

const (
	// tokenMargin is how long before its end a token is replaced, so that none ends on its way to
	// the cloud. A token that lives less than four times as long gives up a quarter of its life.
	tokenMargin = 5 * time.Minute
	// denialMemory is how long a refusal of the credentials answers all calls. Without it,
	// every waiting call would try the same password, and IAM locks a user after a few failures.
	denialMemory = 30 * time.Second
)

// tokenSessions exchanges a user name and password, or an application credential, for Keystone tokens
// and keeps the last one. It is safe for concurrent use: one token request runs at a time and the others wait for its outcome.
type tokenSessions struct {
	client    *gophercloud.ServiceClient // of the identity endpoint
	options   tokens.AuthOptions
	projectID string // empty when the project is given by name, or not at all
	family    family
	identity  string // the identity service's URL
	// region and computeBase find the compute endpoint; without a computeBase the catalogue does, and ownBase
	// where that has none.
	region, computeBase, ownBase string
	login                        call
	limiter                      cloud.Limiter
	timeout                      time.Duration
	secrets                      redactor

	turn chan struct{} // holds one element while a token request runs

	mu      sync.Mutex
	current session
	renewAt time.Time
	denial  *cloud.Error
	denied  time.Time
}

func newTokenSessions(client *gophercloud.ServiceClient, f family, cfg cloud.Config) *tokenSessions {
	return &tokenSessions{
		client:      client,
		options:     authOptions(cfg),
		projectID:   cfg.Text(fieldProjectID),
		region:      cfg.Text(cloud.Region),
		family:      f,
		identity:    f.identityBase(cfg),
		computeBase: f.tokenBase(cfg),
		ownBase:     f.ownBase(cfg),
		login: call{
			action:                actionToken,
			identity:              true,
			plain:                 f.plain,
			applicationCredential: cfg.Text(fieldApplicationCredentialID),
			check:                 cfg.CheckHint(),
		},
		limiter: cfg.Limiter,
		timeout: cfg.RequestTimeout,
		secrets: redactor{cfg.Text(fieldPassword), cfg.Text(fieldApplicationCredentialSecret)},
		turn:    make(chan struct{}, 1),
	}
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
	if cfg.Text(fieldProjectID) == "" {
		options.Scope = tokens.Scope{ProjectName: cfg.Text(fieldProjectName), DomainName: cfg.Text(fieldProjectDomainName)}
		if options.Scope.DomainName == "" {
			options.Scope.DomainName = cfg.Text(fieldUserDomainName)
		}
	}
	return options
}

// get implements sessions.
func (t *tokenSessions) get(ctx context.Context) (session, error) {
	if s, ok, err := t.known(); ok {
		return s, err
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return session{}, &cloud.Error{
			Kind:    cloud.Unavailable,
			Message: actionToken + ": abandoned while another call was fetching the token",
			Err:     ctx.Err(),
		}
	}
	if s, ok, err := t.known(); ok {
		return s, err
	}
	return t.fetch(ctx)
}

// known returns the token in stock or the refusal in memory, if either is fresh.
func (t *tokenSessions) known() (session, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.token != "" && time.Now().Before(t.renewAt) {
		return t.current, true, nil
	}
	if t.denial != nil && time.Since(t.denied) < denialMemory {
		return session{}, true, t.denial
	}
	return session{}, false, nil
}

// renewable implements sessions.
func (t *tokenSessions) renewable(used session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.token == used.token {
		t.current = session{}
	}
	return true
}

func (t *tokenSessions) fetch(ctx context.Context) (session, error) {
	if err := t.limiter.Wait(ctx, actionToken); err != nil {
		return session{}, err
	}
	ctx, cancel := withTimeout(ctx, t.timeout)
	defer cancel()
	asked := time.Now()
	options := t.options
	answer := tokens.Create(ctx, t.client, &options)
	if answer.Err != nil {
		return session{}, t.failed(answer.Err)
	}
	s, lifetime, err := t.read(answer)
	if err != nil {
		return session{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = s
	t.denial = nil
	// The cloud's clock may differ from ours, so only the length of the token's life is used.
	t.renewAt = asked.Add(lifetime - min(tokenMargin, lifetime/4))
	return s, nil
}

// read takes token, life, project, user and compute endpoint from Keystone's answer.
func (t *tokenSessions) read(answer tokens.CreateResult) (session, time.Duration, error) {
	var fields struct {
		IssuedAt  time.Time `json:"issued_at"`
		ExpiresAt time.Time `json:"expires_at"`
		Project   struct {
			ID string `json:"id"`
		} `json:"project"`
		User struct {
			ID string `json:"id"`
		} `json:"user"`
		ApplicationCredential struct {
			Restricted bool `json:"restricted"`
		} `json:"application_credential"`
		tokens.ServiceCatalog
	}
	id, err := answer.ExtractTokenID()
	if err == nil {
		err = answer.ExtractInto(&fields)
	}
	if err != nil || id == "" {
		return session{}, 0, badIdentityAnswer()
	}
	issued := fields.IssuedAt
	if issued.IsZero() {
		issued = time.Now()
	}
	s := session{token: id, projectID: t.projectID, restricted: fields.ApplicationCredential.Restricted}
	switch {
	case t.login.applicationCredential != "" && t.projectID != "" && t.projectID != fields.Project.ID:
		return session{}, 0, cloud.Errorf(cloud.Refused, "%s: project_id is not the project of the application credential; remove project_id, "+
			"or use an application credential made in that project", actionToken)
	case s.projectID == "":
		s.projectID = fields.Project.ID
	}
	if !projectForm.MatchString(s.projectID) {
		return session{}, 0, cloud.Errorf(cloud.Refused, "%s: the token is not for a project; check project_name and project_domain_name",
			actionToken)
	}
	if userForm.MatchString(fields.User.ID) {
		s.userID = fields.User.ID
	}
	if s.endpoint, err = t.endpointFor(fields.ServiceCatalog, s.projectID); err != nil {
		return session{}, 0, err
	}
	if image := imageEndpoint(fields.ServiceCatalog, t.region); t.family.sameCloud(t.identity, image) {
		s.imageEndpoint = image
	}
	return s, max(0, fields.ExpiresAt.Sub(issued)), nil
}

// endpointFor is where the token is to be sent.
func (t *tokenSessions) endpointFor(catalog tokens.ServiceCatalog, projectID string) (string, error) {
	switch {
	case t.computeBase != "":
		return withProject(t.computeBase, projectID), nil
	case t.ownBase != "" && !hasCompute(catalog):
		return withProject(t.ownBase, projectID), nil
	}
	found, err := catalogued(catalog, t.family.computeKey, t.region, projectID)
	if err != nil {
		return "", err
	}
	if !t.family.sameCloud(t.identity, found) {
		return "", cloud.Errorf(cloud.Refused,
			"%s: the catalogue of %s says that compute is at %s, which is another cloud's, so the token is not sent there; "+
				"if it is right, set endpoints.%s to that URL", actionToken, hostOf(t.identity), text.Line(hostOf(found), cloud.MaxText),
			t.family.computeKey)
	}
	if t.family.plain {
		return found, nil
	}
	// The vendors' gateways want the project in the path.
	return withProject(strings.TrimRight(found, "/"), projectID), nil
}

// badIdentityAnswer is for an answer with no token in it. The SDK's error is dropped with it.
func badIdentityAnswer() *cloud.Error {
	return cloud.Errorf(cloud.Unavailable, "%s: the identity endpoint answered with something else than a token; check auth_url", actionToken)
}

// failed translates a failed token request and remembers a refusal of the credentials. The call that
// needed the token was not sent, so what would be an unknown outcome is Unavailable here. The SDK's
// error is dropped, since it holds the answer's headers, where tokens travel.
func (t *tokenSessions) failed(cause error) *cloud.Error {
	e := translate(t.login, cause, t.secrets)
	if e.Kind == cloud.Unknown {
		e.Kind = cloud.Unavailable
	}
	if _, answered := answerOf(cause); answered {
		e.Err = nil
	}
	if e.Kind == cloud.Denied {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.denial, t.denied = e, time.Now()
	}
	return e
}
