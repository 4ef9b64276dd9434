package tencentcloud

import (
	"strings"

	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// groups judges codes that no page lists, by the part before their first dot. Only groups that are
// checks of the request, the caller or the state before anything is done are here: the cloud adds
// codes to them over time. A code of no group, FailedOperation and InternalError among them, is
// Unknown.
var groups = map[string]verdict{
	"AuthFailure":                 {cloud.Denied, adviceKeys},
	"UnauthorizedOperation":       {cloud.Denied, adviceGrant},
	"RequestLimitExceeded":        {cloud.Throttled, adviceSlow},
	"InvalidPassword":             {cloud.PasswordRefused, advicePassword},
	"InvalidInstanceId":           {cloud.Refused, adviceID},
	"InvalidInstance":             {cloud.Refused, adviceNothing},
	"InvalidInstanceState":        {cloud.Refused, adviceMoving},
	"InvalidParameter":            {cloud.Refused, adviceOurs},
	"InvalidParameterValue":       {cloud.Refused, adviceOurs},
	"InvalidParameterCombination": {cloud.Refused, adviceOurs},
	"InvalidParameterConflict":    {cloud.Refused, adviceOurs},
	"MissingParameter":            {cloud.Refused, adviceOurs},
	"UnknownParameter":            {cloud.Refused, adviceOurs},
	"InvalidFilter":               {cloud.Refused, adviceTags},
	"InvalidFilterValue":          {cloud.Refused, adviceTags},
	"InvalidRegion":               {cloud.Refused, "the cloud does not know the connection's region; check it"},
	unsupportedRegion:             {cloud.Refused, "the cloud does not offer CVM in this region; check the connection's region"},
	"MutexOperation":              {cloud.Refused, adviceRunning},
	"OperationDenied":             {cloud.Refused, adviceNothing},
	"UnsupportedOperation":        {cloud.Refused, adviceNothing},
	"LimitExceeded":               {cloud.Refused, "a quota of the account is used up; have it raised"},
	"InvalidPermission":           {cloud.Denied, adviceGrant},
	"InvalidAccount":              {cloud.Refused, "the account is barred from this, maybe by unpaid orders; see the cloud's console"},
}

// ofService judges codes that mean something else at one service than at the others.
var ofService = map[string]map[string]verdict{
	endpointTAT: {
		// "The role does not exist" (errors.go): TAT works in instances as a service role of the account, and
		// role_arn is no matter of it. It says nothing about the instance.
		tat.RESOURCENOTFOUND_ROLENOTFOUND: {cloud.Refused,
			"TAT lacks its service role in the account; open TAT in the cloud's console and grant it"},
	},
	endpointSTS: {
		unsupportedRegion: {cloud.Refused, "the cloud does not offer STS in this region; check the connection's region"},
	},
}

// judge returns the verdict on an error code of a service.
func judge(service, code string) verdict {
	if v, ok := ofService[service][code]; ok {
		return v
	}
	if v, ok := verdicts[code]; ok {
		return v
	}
	group, _, _ := strings.Cut(code, ".")
	if v, ok := groups[group]; ok {
		return v
	}
	return verdict{cloud.Unknown, "the cloud answered with an error that cloudpw does not know"}
}
