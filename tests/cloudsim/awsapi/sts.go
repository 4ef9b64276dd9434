package awsapi

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

func stsService() *service {
	return &service{name: "sts", namespace: stsNamespace, actions: map[string]action{
		"GetCallerIdentity": {open: true, run: getCallerIdentity},
		"AssumeRole": {
			params:   []string{"RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId", "SourceIdentity"},
			required: []string{"RoleArn", "RoleSessionName"}, run: assumeRole,
			texts: map[string]constraint{
				"RoleArn": text(20, 2048, ""), "RoleSessionName": text(2, 64, `[\w+=,.@-]*`),
				"ExternalId": text(2, 1224, `[\w+=,.@:\/-]*`), "SourceIdentity": text(2, 64, `[\w+=,.@-]*`),
			},
		},
	}}
}

type callerIdentityResponse struct {
	XMLName   xml.Name `xml:"GetCallerIdentityResponse"`
	Namespace string   `xml:"xmlns,attr"`
	ARN       string   `xml:"GetCallerIdentityResult>Arn"`
	UserID    string   `xml:"GetCallerIdentityResult>UserId"`
	Account   string   `xml:"GetCallerIdentityResult>Account"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

func getCallerIdentity(r *request) (any, *failure) {
	key := r.caller.key
	id := key.UserID
	if key.RoleARN != "" {
		role, _ := r.world.Role(model.AWS, key.RoleARN)
		id = role.ID + ":" + key.SessionName
	} else if id == "" {
		id = key.AccountID
	}
	return callerIdentityResponse{
		Namespace: stsNamespace, ARN: r.caller.arn(r.world), UserID: id, Account: key.AccountID, RequestID: r.id,
	}, nil
}

type assumeRoleResponse struct {
	XMLName     xml.Name       `xml:"AssumeRoleResponse"`
	Namespace   string         `xml:"xmlns,attr"`
	ARN         string         `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
	RoleID      string         `xml:"AssumeRoleResult>AssumedRoleUser>AssumedRoleId"`
	Credentials stsCredentials `xml:"AssumeRoleResult>Credentials"`
	Source      string         `xml:"AssumeRoleResult>SourceIdentity,omitempty"`
	RequestID   string         `xml:"ResponseMetadata>RequestId"`
}

type stsCredentials struct {
	KeyID      string `xml:"AccessKeyId"`
	Secret     string `xml:"SecretAccessKey"`
	Token      string `xml:"SessionToken"`
	Expiration string `xml:"Expiration"`
}

// maxSession is MaxSessionDuration of a role that nobody changed, in seconds,
// and the limit for a role that is assumed with another role's session.
const maxSession = 3600

// roleARN is the form of what can be assumed.
var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`)

func assumeRole(r *request) (any, *failure) {
	name, arn := r.get("RoleSessionName"), r.get("RoleArn")
	seconds, f := r.number("DurationSeconds", 900, 43200, maxSession)
	switch {
	case f != nil:
		return nil, f
	case !roleARN.MatchString(arn):
		return nil, fail("ValidationError", arn+" is invalid")
	case r.caller.key.RoleARN == "" && r.caller.key.UserID == "":
		return nil, &failure{http.StatusForbidden, "AccessDenied", "Roles may not be assumed by root accounts."}
	case r.caller.key.RoleARN != "" && seconds > maxSession:
		return nil, fail("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case seconds > maxSession:
		return nil, fail("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	role, known := r.world.Role(model.AWS, arn)
	key, ok := model.AccessKey{}, false
	if known {
		key, ok = r.world.Assume(role, r.caller.key.UserID, r.get("ExternalId"), name, time.Duration(seconds)*time.Second)
	}
	if !ok {
		// STS does not tell an unknown role from one that trusts others.
		return nil, &failure{http.StatusForbidden, "AccessDenied",
			fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s",
				r.caller.arn(r.world), arn)}
	}
	return assumeRoleResponse{
		Namespace: stsNamespace, ARN: caller{key: key}.arn(r.world), RoleID: role.ID + ":" + name, RequestID: r.id,
		Source:      r.get("SourceIdentity"),
		Credentials: stsCredentials{key.ID, key.Secret, key.Token, key.Expires.UTC().Format("2006-01-02T15:04:05Z")},
	}, nil
}
