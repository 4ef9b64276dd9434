package connection

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-secure-stdlib/strutil"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Bounds and defaults of connection fields that every provider has.
const (
	// defaultRequestTimeout is far above what these clouds' APIs take and far below what Vault lets
	// a request run.
	defaultRequestTimeout = 30 * time.Second
	minRequestTimeout     = time.Second
	maxRequestTimeout     = 2 * time.Minute
	maxRequestsPerSecond  = 1000
	// defaultForgetGoneAfter is long enough to find out that a server is missed.
	defaultForgetGoneAfter = 30 * 24 * time.Hour
	maxForgetGoneAfter     = 10 * 365 * 24 * time.Hour
	// minRequestsPerSecond keeps the time between two requests below that for which a background one waits
	// for its turn (30 s); with less none would ever be sent.
	minRequestsPerSecond = 0.1
	// maxFieldLength bounds, in bytes, each text of a connection but the certificates.
	maxFieldLength       = 2048
	maxCertificateLength = 256 << 10
)

// Record is one cloud account in one region and the credentials for it, as stored.
type Record struct {
	store.Header
	Provider string `json:"provider"`
	// Own are the provider's own fields, as its descriptor lists them; secrets are among them.
	Own cloud.Values `json:"own,omitempty"`

	Endpoints     map[string]string `json:"endpoints,omitempty"`
	CACertificate string            `json:"ca_certificate,omitempty"`
	// AllowedRoles are names or globs; none means that no role may use the connection.
	AllowedRoles []string `json:"allowed_roles"`
	// RequiredTags are carried by all instances that the connection serves.
	RequiredTags map[string]string `json:"required_tags,omitempty"`
	// MaxRequestsPerSecond is per API action; 0: the provider's default.
	MaxRequestsPerSecond float64        `json:"max_requests_per_second,omitempty"`
	RequestTimeout       *time.Duration `json:"request_timeout,omitempty"` // nil: the default
	PasswordPolicy       string         `json:"password_policy,omitempty"`
	VerifyConnection     *bool          `json:"verify_connection,omitempty"` // nil: true
	ForgetGoneAfter      *time.Duration `json:"forget_gone_after,omitempty"` // nil: the default; 0: never

	// AccountID is what the cloud called the account of the credentials when they were last verified; "": not known.
	AccountID string `json:"account_id,omitempty"`
	// Doubted is set while other credentials than before were never verified, though there were accounts.
	Doubted bool `json:"doubted,omitempty"`

	// RootRotation is the replacement of the credential above that is under way; nil: none.
	RootRotation     *RootRotation `json:"root_rotation,omitempty"`
	Leftovers        []Leftover    `json:"leftovers,omitempty"`
	LastRootRotation time.Time     `json:"last_root_rotation,omitzero"`

	// CredentialConfigured is when Vault was given the credential above, or made it; Told is what the cloud said of it, nil if it was
	// not asked yet.
	CredentialConfigured time.Time       `json:"credential_configured,omitzero"`
	Told                 *ToldCredential `json:"told,omitempty"`
	// RotationPeriod is after how long the credential is replaced unattended, nil: never; RotationSince when that was asked for.
	RotationPeriod *time.Duration `json:"rotation_period,omitempty"`
	RotationSince  time.Time      `json:"rotation_since,omitzero"`
	// RootFailure is that of the last unattended rotation; nil if there was none, or it succeeded.
	RootFailure *RootFailure `json:"root_failure,omitempty"`
}

// Decode reads a stored connection.
func Decode(raw []byte) (*Record, error) {
	if err := store.CheckSchema(raw); err != nil {
		return nil, err
	}
	var c Record
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("the stored connection cannot be decoded: %w", err)
	}
	return &c, nil
}

// Clone is a copy that may be changed.
func (c *Record) Clone() *Record {
	n := *c
	n.Own = maps.Clone(c.Own)
	n.Endpoints = maps.Clone(c.Endpoints)
	n.AllowedRoles = slices.Clone(c.AllowedRoles)
	n.RequiredTags = maps.Clone(c.RequiredTags)
	n.Leftovers = slices.Clone(c.Leftovers)
	if c.RootRotation != nil {
		r := *c.RootRotation
		n.RootRotation = &r
	}
	return &n
}

// Timeout is request_timeout as in force.
func (c *Record) Timeout() time.Duration {
	if c.RequestTimeout == nil {
		return defaultRequestTimeout
	}
	return *c.RequestTimeout
}

// ForgetsAfter is forget_gone_after as in force.
func (c *Record) ForgetsAfter() time.Duration {
	if c.ForgetGoneAfter == nil {
		return defaultForgetGoneAfter
	}
	return *c.ForgetGoneAfter
}

// Verifies is verify_connection as in force.
func (c *Record) Verifies() bool { return c.VerifyConnection == nil || *c.VerifyConnection }

// Rate is max_requests_per_second as in force.
func (c *Record) Rate(d cloud.Descriptor) float64 {
	if c.MaxRequestsPerSecond == 0 {
		return d.DefaultRequestsPerSecond
	}
	return c.MaxRequestsPerSecond
}

// Allows reports whether a role may use the connection.
func (c *Record) Allows(role string) bool {
	return strutil.StrListContainsGlob(c.AllowedRoles, role)
}

// AllowHint is the command that adds a role to those that may use the connection.
func (c *Record) AllowHint(name, role string) hint.Text {
	return hint.Textf("add it: %s", hint.New("write", "config/"+name, "allowed_roles="+strings.Join(append(slices.Clone(c.AllowedRoles), role),
		",")))
}

// CloudConfig is the connection as its provider wants it, without what sends requests.
func (c *Record) CloudConfig() cloud.Config {
	return cloud.Config{
		Provider:       c.Provider,
		Values:         maps.Clone(c.Own),
		Endpoints:      maps.Clone(c.Endpoints),
		RequestTimeout: c.Timeout(),
	}
}
