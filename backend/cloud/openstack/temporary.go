package openstack

import (
	"context"
	"regexp"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/signing"
)

// The keys that sign requests are a connection's own, permanent or with a security token; those of the surroundings; or
// those of an agency, which is assumed with any of these or with a user's token. All but the own ones are fetched again
// before they end, and when the cloud refuses them.

// tokenForm keeps a security token usable as a header. Its length is not fixed (Huawei Cloud, "Obtaining Temporary
// Security Credentials").
var tokenForm = regexp.MustCompile(`^[!-~]+$`)

// usable reports whether temporary keys can stand in a request's headers.
func usable(k signing.Keys) bool {
	return accessKeyForm.MatchString(k.Access) && tokenForm.MatchString(k.Secret) && tokenForm.MatchString(k.Token)
}

// temporaryKeys are what the vendors' clouds answer where they give keys: POST /v3.0/OS-CREDENTIAL/securitytokens of IAM, and
// the metadata service ("Obtaining a Temporary AK/SK" in OTC's IAM reference).
type temporaryKeys struct {
	Credential struct {
		Access        string    `json:"access"`
		Secret        string    `json:"secret"`
		SecurityToken string    `json:"securitytoken"`
		ExpiresAt     time.Time `json:"expires_at"`
	} `json:"credential"`
}

// read returns the keys and when they end, false if the answer has not all of it.
func (t temporaryKeys) read() (signing.Keys, time.Time, bool) {
	k := signing.Keys{Access: t.Credential.Access, Secret: t.Credential.Secret, Token: t.Credential.SecurityToken}
	return k, t.Credential.ExpiresAt, usable(k) && !t.Credential.ExpiresAt.IsZero()
}

// signedSessions belongs to keys that sign.
type signedSessions struct {
	projectID, endpoint string
	keys                *cloud.Renewed[signing.Keys]
	// own is set for the connection's own keys, of which there are no others.
	own bool
}

// get implements sessions.
func (s *signedSessions) get(ctx context.Context) (session, error) {
	k, err := s.keys.Get(ctx)
	if err != nil {
		return session{}, err
	}
	return session{projectID: s.projectID, endpoint: s.endpoint, keys: k}, nil
}

// renewable implements sessions.
func (s *signedSessions) renewable(used session) bool {
	if s.own {
		return false
	}
	s.keys.Drop(func(have signing.Keys) bool { return have == used.keys })
	return true
}

// ownKeys are those that the connection's configuration has.
func ownKeys(cfg cloud.Config) *cloud.Renewed[signing.Keys] {
	k := signing.Keys{Access: cfg.Text(cloud.AccessKey), Secret: cfg.Text(cloud.SecretKey), Token: cfg.Text(fieldSecurityToken)}
	return cloud.NewRenewed(func(context.Context) (signing.Keys, time.Time, error) { return k, time.Time{}, nil })
}
