package tencentapi

import (
	"fmt"
	"iter"
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func stsService() *service {
	return &service{name: "sts", version: "2018-08-13", regional: true, actions: map[string]action{
		"GetCallerIdentity": {
			open: true, params: func() any { return new(struct{}) }, run: getCallerIdentity,
		},
		"AssumeRole": {
			params: func() any { return new(assumeRoleParams) }, run: assumeRole,
		},
	}}
}

type callerIdentity struct {
	ARN         string `json:"Arn"`
	AccountID   string `json:"AccountId"`
	UserID      string `json:"UserId"`
	PrincipalID string `json:"PrincipalId"`
	Type        string
	RequestID   string `json:"RequestId"`
}

// getCallerIdentity tells who signed: an assumed role, a sub-user or the main
// account. The words for the first two are those of the examples that come with
// Tencent Cloud's command line (tccli); of the third there is none.
func getCallerIdentity(r *request, _ any) (any, *failure) {
	out := callerIdentity{AccountID: r.key.AccountID, RequestID: r.id}
	switch role, assumed := r.world.Role(model.TencentCloud, r.key.RoleARN); {
	case assumed:
		out.ARN = fmt.Sprintf("qcs::sts:%s:assumed-role/%s", r.key.AccountID, role.ID)
		out.UserID, out.PrincipalID, out.Type = role.ID+":"+r.key.SessionName, r.key.AssumedBy, "CAMRole"
	case r.key.UserID == "" || r.key.UserID == r.key.AccountID:
		out.ARN = fmt.Sprintf("qcs::cam::uin/%s:root", r.key.AccountID)
		out.UserID, out.PrincipalID, out.Type = r.key.AccountID, r.key.AccountID, "RootAccount"
	default:
		out.ARN = fmt.Sprintf("qcs::cam:%s:uin/%s", r.key.AccountID, r.key.UserID)
		out.UserID, out.PrincipalID, out.Type = r.key.UserID, r.key.UserID, "CAMUser"
	}
	return out, nil
}

type assumeRoleParams struct {
	RoleArn         string
	RoleSessionName string
	DurationSeconds *uint64
	Policy          string
	ExternalId      string
	SourceIdentity  string
	// What follows is known and has no effect here.
	Tags         []tag
	SerialNumber string
	TokenCode    string
}

type assumeRoleResult struct {
	Credentials struct {
		Token        string
		TmpSecretID  string `json:"TmpSecretId"`
		TmpSecretKey string
	}
	ExpiredTime int64
	Expiration  string
	RequestID   string `json:"RequestId"`
}

var (
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,128}$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:/-]{2,128}$`)
)

// Limits of AssumeRole's page, in seconds.
const (
	defaultDuration = 7200
	maxDuration     = 43200
)

func assumeRole(r *request, params any) (any, *failure) {
	p := params.(*assumeRoleParams)
	seconds := uint64(defaultDuration)
	if p.DurationSeconds != nil {
		seconds = *p.DurationSeconds
	}
	switch {
	case p.RoleArn == "":
		return nil, missingParameter("RoleArn")
	case p.RoleSessionName == "":
		return nil, missingParameter("RoleSessionName")
	case !strings.HasPrefix(p.RoleArn, "qcs::cam::"):
		return nil, fail("InvalidParameter.ResouceError", "The role ARN is malformed.") // the cloud's own spelling
	case !sessionName.MatchString(p.RoleSessionName):
		return nil, fail("InvalidParameter.ParamError", "RoleSessionName must have 2 to 128 of the allowed characters.")
	case p.ExternalId != "" && !externalID.MatchString(p.ExternalId):
		return nil, fail("InvalidParameter.ParamError", "ExternalId must have 2 to 128 of the allowed characters.")
	case seconds < 1 || seconds > maxDuration:
		return nil, fail("InvalidParameter.OverTimeError", fmt.Sprintf("DurationSeconds must be 1 to %d.", maxDuration))
	}
	role, known := r.world.Role(model.TencentCloud, p.RoleArn)
	if !known {
		return nil, fail("ResourceNotFound.RoleNotFound", "The role does not exist.")
	}
	key, ok := r.world.Assume(role, r.key.UserID, p.ExternalId, p.RoleSessionName, time.Duration(seconds)*time.Second)
	if !ok {
		return nil, fail("UnauthorizedOperation", "The role does not trust the caller, or ExternalId is wrong.")
	}
	out := assumeRoleResult{ExpiredTime: key.Expires.Unix(), Expiration: key.Expires.UTC().Format(time.RFC3339), RequestID: r.id}
	out.Credentials.Token, out.Credentials.TmpSecretID, out.Credentials.TmpSecretKey = key.Token, key.ID, key.Secret
	return out, nil
}

func keys(m map[string]string) iter.Seq[string] { return maps.Keys(m) }
