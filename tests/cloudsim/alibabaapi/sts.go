package alibabaapi

import (
	"net/http"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func stsService() *service {
	return &service{name: "sts", version: "2015-04-01", denied: nobody(), actions: map[string]action{
		"GetCallerIdentity": {open: true, params: none, run: getCallerIdentity},
		"AssumeRole":        {params: func() any { return new(assumeParams) }, run: assumeRole},
	}}
}

type identity struct {
	RequestID    string `json:"RequestId"`
	IdentityType string
	AccountID    string `json:"AccountId"`
	PrincipalID  string `json:"PrincipalId"`
	UserID       string `json:"UserId,omitempty"`
	RoleID       string `json:"RoleId,omitempty"`
	ARN          string `json:"Arn"`
}

// getCallerIdentity tells who signed: an assumed role, a RAM user or the account itself.
func getCallerIdentity(r *request, _ any) (any, *failure) {
	out := identity{RequestID: r.id, AccountID: r.key.AccountID}
	prefix := "acs:ram::" + r.key.AccountID + ":"
	if role, assumed := r.world.Role(model.AlibabaCloud, r.key.RoleARN); assumed {
		out.IdentityType, out.RoleID, out.PrincipalID = "AssumedRoleUser", role.ID, role.ID+":"+r.key.SessionName
		out.ARN = prefix + "assumed-role/" + role.Name + "/" + r.key.SessionName
		return out, nil
	}
	if r.isRoot() {
		out.IdentityType, out.UserID, out.PrincipalID, out.ARN = "Account", r.key.AccountID, r.key.AccountID, prefix+"root"
		return out, nil
	}
	user, _ := r.world.User(model.AlibabaCloud, r.key.UserID)
	out.IdentityType, out.UserID, out.PrincipalID, out.ARN = "RAMUser", r.key.UserID, r.key.UserID, prefix+"user/"+user.Name
	return out, nil
}

// isRoot says whether the key is the account's own and no RAM user's.
func (r *request) isRoot() bool {
	return r.key.RoleARN == "" && (r.key.UserID == "" || r.key.UserID == r.key.AccountID)
}

type assumeParams struct {
	RoleArn, RoleSessionName, ExternalId, Policy, SourceIdentity *string
	DurationSeconds                                              *int
}

type assumeResult struct {
	RequestID       string `json:"RequestId"`
	AssumedRoleUser struct {
		AssumedRoleID string `json:"AssumedRoleId"`
		ARN           string `json:"Arn"`
	}
	Credentials struct {
		AccessKeyID     string `json:"AccessKeyId"`
		AccessKeySecret string
		SecurityToken   string
		Expiration      string
	}
	SourceIdentity string `json:",omitempty"`
}

// Forms and limits of AssumeRole's page.
var (
	roleARN     = regexp.MustCompile(`^acs:ram::[0-9]+:role/[A-Za-z0-9.-]{1,64}$`)
	sessionName = regexp.MustCompile(`^[A-Za-z0-9.@_-]{2,64}$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
)

const (
	maxExternalID = 1224
	maxPolicy     = 2048
	leastDuration = 900  // seconds
	mostDuration  = 3600 // MaxSessionDuration of a role that says nothing else
)

func assumeRole(r *request, params any) (any, *failure) {
	p := params.(*assumeParams)
	if f := p.check(); f != nil {
		return nil, f
	}
	if r.isRoot() {
		return nil, fail(http.StatusForbidden, "NoPermission", "Roles may not be assumed by root accounts.")
	}
	role, exists := r.world.Role(model.AlibabaCloud, *p.RoleArn)
	if !exists {
		return nil, fail(http.StatusNotFound, "EntityNotExist.Role", "The specified Role not exists .") // the cloud's own blank
	}
	user := r.key.UserID
	if r.key.RoleARN != "" {
		user = r.key.RoleARN
	}
	lifetime := time.Duration(or(p.DurationSeconds, mostDuration)) * time.Second
	key, trusted := r.world.Assume(role, user, or(p.ExternalId, ""), *p.RoleSessionName, lifetime)
	if !trusted {
		return nil, nobody()
	}
	out := assumeResult{RequestID: r.id, SourceIdentity: or(p.SourceIdentity, "")}
	out.AssumedRoleUser.AssumedRoleID, out.AssumedRoleUser.ARN = role.ID+":"+*p.RoleSessionName, role.ARN+"/"+*p.RoleSessionName
	out.Credentials.AccessKeyID, out.Credentials.AccessKeySecret = key.ID, key.Secret
	out.Credentials.SecurityToken, out.Credentials.Expiration = key.Token, inText(key.Expires)
	return out, nil
}

func (p *assumeParams) check() *failure {
	malformed := func(name string) *failure {
		return fail(http.StatusBadRequest, "InvalidParameter."+name, "The parameter "+name+" is wrongly formed.")
	}
	switch seconds := or(p.DurationSeconds, mostDuration); {
	case p.RoleArn == nil:
		return missing("RoleArn")
	case p.RoleSessionName == nil:
		return missing("RoleSessionName")
	case !roleARN.MatchString(*p.RoleArn):
		return malformed("RoleArn")
	case !sessionName.MatchString(*p.RoleSessionName):
		return malformed("RoleSessionName")
	case p.ExternalId != nil && (!externalID.MatchString(*p.ExternalId) || len(*p.ExternalId) > maxExternalID):
		return malformed("ExternalId")
	case utf8.RuneCountInString(or(p.Policy, "")) > maxPolicy:
		return fail(http.StatusBadRequest, "InvalidParameter.PolicySize", "The size of Policy must be smaller than 2048 bytes.")
	case seconds < leastDuration || seconds > mostDuration:
		return fail(http.StatusBadRequest, "InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is 15min/1hr.")
	}
	return nil
}
