package awsapi

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

func stsService() *service {
	return &service{name: "sts", namespace: stsNamespace, actions: map[string]action{
		"GetCallerIdentity": {open: true, run: getCallerIdentity},
		"AssumeRole": {
			params:   []string{"RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId", "Policy"},
			required: []string{"RoleArn", "RoleSessionName"}, run: assumeRole,
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

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

func assumeRole(r *request) (any, *failure) {
	name := r.get("RoleSessionName")
	if !sessionName.MatchString(name) {
		return nil, fail("ValidationError", "1 validation error detected: Value '"+name+"' at 'roleSessionName' failed to satisfy constraint: "+
			`Member must satisfy regular expression pattern: [\w+=,.@-]*`)
	}
	seconds := maxSession
	if text := r.get("DurationSeconds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 900 || n > 43200 {
			return nil, fail("ValidationError", "1 validation error detected: Value '"+text+"' at 'durationSeconds' failed to satisfy constraint: "+
				"Member must have value between 900 and 43200")
		}
		seconds = n
	}
	arn := r.get("RoleArn")
	if seconds > maxSession {
		return nil, fail("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	role, known := r.world.Role(model.AWS, arn)
	key, ok := model.AccessKey{}, false
	if known {
		key, ok = r.world.Assume(role, r.caller.key.UserID, r.get("ExternalId"), name, time.Duration(seconds)*time.Second)
	}
	if !ok {
		// STS does not tell an unknown role from one that trusts others.
		return nil, &failure{http.StatusForbidden, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s",
			r.caller.arn(r.world), arn)}
	}
	return assumeRoleResponse{
		Namespace: stsNamespace, ARN: caller{key: key}.arn(r.world), RoleID: role.ID + ":" + name, RequestID: r.id,
		Credentials: stsCredentials{key.ID, key.Secret, key.Token, key.Expires.UTC().Format("2006-01-02T15:04:05Z")},
	}, nil
}
