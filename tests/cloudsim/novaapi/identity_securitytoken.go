package novaapi

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Lifetimes of temporary access keys: "15 minutes to 24 hours", by default the least (both vendors' IAM references, "Obtaining a
// Temporary Access Key and Security Token").
const (
	leastKeyLifetime = 15 * time.Minute
	mostKeyLifetime  = 24 * time.Hour
)

// actionByAgency and actionByToken are the two calls that share a path, by the names of the vendor's SDK.
const (
	actionByAgency = "CreateTemporaryAccessKeyByAgency"
	actionByToken  = "CreateTemporaryAccessKeyByToken"
)

// securityTokenBody is the body of POST /v3.0/OS-CREDENTIAL/securitytokens.
type securityTokenBody struct {
	Auth *struct {
		Identity *struct {
			Methods []string `json:"methods"`
			Token   *struct {
				ID       string `json:"id"`
				Duration *int   `json:"duration_seconds"`
			} `json:"token"`
			AssumeRole *struct {
				Agency     string          `json:"agency_name"`
				Role       string          `json:"xrole_name"` // the agency's name in an example of Open Telekom Cloud
				DomainID   string          `json:"domain_id"`
				DomainName string          `json:"domain_name"`
				Duration   *int            `json:"duration_seconds"`
				User       json.RawMessage `json:"session_user"`
			} `json:"assume_role"`
			Policy json.RawMessage `json:"policy"`
		} `json:"identity"`
		Scope json.RawMessage `json:"scope"`
	} `json:"auth"`
}

// readSecurityToken reads the body; nil for one that has no method that is known, or what it needs.
func readSecurityToken(r *request) *securityTokenBody {
	var in securityTokenBody
	if err := json.Unmarshal(r.body, &in); err != nil || in.Auth == nil || in.Auth.Identity == nil {
		return nil
	}
	assume := in.Auth.Identity.AssumeRole
	switch {
	case slices.Equal(in.Auth.Identity.Methods, []string{"token"}):
		return &in
	case slices.Equal(in.Auth.Identity.Methods, []string{"assume_role"}) && assume != nil && assume.Agency+assume.Role != "" &&
		assume.DomainID+assume.DomainName != "":
		return &in
	}
	return nil
}

// byAgency says whether a request for a temporary key names an agency.
func byAgency(r *request) bool {
	in := readSecurityToken(r)
	return in != nil && in.Auth.Identity.Methods[0] == "assume_role"
}

// createSecurityToken makes a temporary key of the caller, or of an agency that he may use.
func (c *Cloud) createSecurityToken(r *request) *answer {
	in := readSecurityToken(r)
	if in == nil {
		return c.iamError(http.StatusBadRequest, "IAM.0011", "Request body is invalid.")
	}
	if in.Auth.Identity.Methods[0] == "assume_role" {
		return c.assumeAgency(r, in)
	}
	duration := (*int)(nil)
	if in.Auth.Identity.Token != nil {
		duration = in.Auth.Identity.Token.Duration
	}
	lifetime, refused := c.keyLifetime(duration)
	if refused != nil {
		return refused
	}
	return temporaryKey(c.world.TemporaryKey(r.caller.user, lifetime))
}

// assumeAgency makes a key of an agency. That one which is not there, has ended or trusts somebody else is refused with 403 in the
// same words is [unconfirmed]; the pages' status codes have no 404.
func (c *Cloud) assumeAgency(r *request, in *securityTokenBody) *answer {
	assume := in.Auth.Identity.AssumeRole
	lifetime, refused := c.keyLifetime(assume.Duration)
	if refused != nil {
		return refused
	}
	domain, known := c.world.Account(c.opts.Cloud, assume.DomainID)
	if assume.DomainID == "" {
		domain, known = c.world.AccountByName(c.opts.Cloud, assume.DomainName)
	}
	agency, found := c.world.AgencyByName(c.opts.Cloud, domain.ID, assume.Agency+assume.Role)
	ended := !agency.Expires.IsZero() && !c.world.Now().Before(agency.Expires)
	if !known || !found || ended || !agency.Trusts(r.caller.user) {
		return c.iamError(http.StatusForbidden, "IAM.0002", "You are not authorized to perform the requested action.")
	}
	return temporaryKey(c.world.AgencyKey(agency, r.caller.user.ID, lifetime))
}

// keyLifetime reads duration_seconds.
func (c *Cloud) keyLifetime(seconds *int) (time.Duration, *answer) {
	lifetime := leastKeyLifetime
	if seconds != nil {
		lifetime = time.Duration(*seconds) * time.Second
	}
	if lifetime < leastKeyLifetime || lifetime > mostKeyLifetime {
		return 0, c.iamError(http.StatusBadRequest, "IAM.0011", "Request body is invalid.")
	}
	return cmp.Or(c.opts.KeyLifetime, lifetime), nil
}

// iamError is an error of the vendors' own operations: in the form of Huawei Cloud's newer pages there, in Keystone's on Open
// Telekom Cloud, whose reference has no other. Which of them these operations use is [unconfirmed].
func (c *Cloud) iamError(status int, code, message string) *answer {
	if c.opts.Cloud != model.HuaweiCloud {
		return keystoneError(status, message)
	}
	return &answer{status: status, code: code, body: map[string]any{"error_code": code, "error_msg": message}}
}

// temporaryKey shows a new temporary key.
func temporaryKey(k model.AccessKey) *answer {
	return &answer{status: http.StatusCreated, body: map[string]any{"credential": securityKey(k)}}
}

// securityKey is a temporary key as IAM and the metadata service of a server show it.
func securityKey(k model.AccessKey) map[string]any {
	return map[string]any{
		"access": k.ID, "secret": k.Secret, "securitytoken": k.Token, "expires_at": k.Expires.UTC().Format(keystoneTime),
	}
}

// bodyToken lets the token of a request for a temporary key stand in its body: "You need to specify either this parameter or the
// token ID in the request body. This parameter takes the precedence."
func bodyToken(r *request) {
	in := readSecurityToken(r)
	if r.Header.Get(headerToken) == "" && r.Header.Get(headerAuthz) == "" && in != nil && in.Auth.Identity.Token != nil {
		r.Request = r.Clone(r.Context())
		r.Header.Set(headerToken, in.Auth.Identity.Token.ID)
	}
}
