package keystone

import (
	"context"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// CreateToken is the limiter's name of a request for a token, after the API's own operation. Messages begin with it.
const CreateToken = "CreateToken"

const (
	// Margin is how long before its end a token is replaced, so that none ends on its way to
	// the cloud. A token that lives less than four times as long gives up a quarter of its life.
	Margin = 5 * time.Minute
	// DenialMemory is how long a refusal of the credentials answers all calls. Without it,
	// every waiting call would try the same password, and IAM locks a user after a few failures.
	DenialMemory = 30 * time.Second
)

// Token is a token with what Keystone says of it.
type Token struct {
	ID                string
	ProjectID, UserID string
	// Restricted is set for one that comes from an application credential which may manage no others.
	Restricted bool
	// PasswordExpires is when the user's password ends; zero where Keystone does not say so, or it does not.
	PasswordExpires time.Time
	Catalog         tokens.ServiceCatalog
}

// Login is what a request for a token takes.
type Login struct {
	Client  *gophercloud.ServiceClient // of the identity service
	Options tokens.AuthOptions
	Limiter cloud.Limiter
	Timeout time.Duration // of one request; 0: none
	// Failed translates the failure of a request. The call that needed the token was not sent, so its kind is neither
	// NotFound nor Unknown.
	Failed func(error) *cloud.Error
}

// Tokens exchanges credentials for tokens, and keeps what the last one opens. It is safe for concurrent use: one token
// request runs at a time and the others wait for its outcome.
type Tokens[Session any] struct {
	login Login
	open  func(Token) (Session, error)
	turn  chan struct{} // holds one element while a token request runs

	mu      sync.Mutex
	id      string // of the token in stock; empty: none
	session Session
	renewAt time.Time
	denial  *cloud.Error
	denied  time.Time
}

// NewTokens makes a Tokens without a token. open makes of a token what is kept.
func NewTokens[Session any](login Login, open func(Token) (Session, error)) *Tokens[Session] {
	return &Tokens[Session]{login: login, open: open, turn: make(chan struct{}, 1)}
}

// Get returns what a fresh token opens, fetching one if need be.
func (t *Tokens[Session]) Get(ctx context.Context) (Session, error) {
	if s, ok, err := t.known(); ok {
		return s, err
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		var none Session
		return none, &cloud.Error{
			Kind:    cloud.Unavailable,
			Message: CreateToken + ": abandoned while another call was fetching the token",
			Err:     ctx.Err(),
		}
	}
	if s, ok, err := t.known(); ok {
		return s, err
	}
	return t.fetch(ctx)
}

// known returns what the token in stock opens, or the refusal in memory, if either is fresh.
func (t *Tokens[Session]) known() (Session, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var none Session
	if t.id != "" && time.Now().Before(t.renewAt) {
		return t.session, true, nil
	}
	if t.denial != nil && time.Since(t.denied) < DenialMemory {
		return none, true, t.denial
	}
	return none, false, nil
}

// Drop forgets a token that the cloud does not accept any more, unless it was replaced already.
func (t *Tokens[Session]) Drop(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.id == id {
		var none Session
		t.id, t.session = "", none
	}
}

func (t *Tokens[Session]) fetch(ctx context.Context) (Session, error) {
	var none Session
	if err := t.login.Limiter.Wait(ctx, CreateToken); err != nil {
		return none, err
	}
	if t.login.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.login.Timeout)
		defer cancel()
	}
	asked := time.Now()
	options := t.login.Options
	answer := tokens.Create(ctx, t.login.Client, &options)
	if answer.Err != nil {
		failure := t.failed(answer.Err)
		cloud.Measured(t.login.Limiter, CreateToken, asked, failure)
		return none, failure
	}
	cloud.Measured(t.login.Limiter, CreateToken, asked, nil)
	token, lifetime, err := read(answer)
	if err != nil {
		return none, err
	}
	session, err := t.open(token)
	if err != nil {
		return none, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.id, t.session = token.ID, session
	t.denial = nil
	// The cloud's clock may differ from ours, so only the length of the token's life is used.
	t.renewAt = asked.Add(lifetime - min(Margin, lifetime/4))
	return session, nil
}

// failed translates a failed token request and remembers a refusal of the credentials.
func (t *Tokens[Session]) failed(cause error) *cloud.Error {
	e := t.login.Failed(cause)
	if e.Kind == cloud.Denied {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.denial, t.denied = e, time.Now()
	}
	return e
}

// read takes the token and the length of its life from Keystone's answer. The SDK's error about an answer without a
// token is dropped.
func read(answer tokens.CreateResult) (Token, time.Duration, error) {
	var fields struct {
		IssuedAt  time.Time `json:"issued_at"`
		ExpiresAt time.Time `json:"expires_at"`
		Project   struct {
			ID string `json:"id"`
		} `json:"project"`
		User struct {
			ID              string `json:"id"`
			PasswordExpires string `json:"password_expires_at"`
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
		return Token{}, 0, cloud.Errorf(cloud.Unavailable,
			"%s: the identity endpoint answered, but not with a token; check auth_url", CreateToken)
	}
	issued := fields.IssuedAt
	if issued.IsZero() {
		issued = time.Now()
	}
	token := Token{
		ID: id, ProjectID: fields.Project.ID, UserID: fields.User.ID,
		Restricted: fields.ApplicationCredential.Restricted, Catalog: fields.ServiceCatalog,
		PasswordExpires: Time(fields.User.PasswordExpires),
	}
	return token, max(0, fields.ExpiresAt.Sub(issued)), nil
}

// timeForms are those in which Keystone writes the end of a password and of an application credential: in UTC, and without saying so
// (keystone/api-ref, "password_expires_at"; OTC's and Huawei Cloud's "UTC time when the password will expire"). With a zone it is
// understood as well.
var timeForms = []string{"2006-01-02T15:04:05", time.RFC3339}

// Time reads such a time; zero where there is none, or one of another form.
func Time(text string) time.Time {
	for _, form := range timeForms {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
