package alibabacloud

import (
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// groups judges codes that the table does not have, by the part before their first dot. Only groups that are checks of the
// request, the caller or the state before anything is done are here: the cloud adds codes to them over time. A code of no
// group is Unknown.
var groups = map[string]verdict{
	"Throttling":            {cloud.Throttled, adviceSlow},
	"InvalidParameter":      {cloud.Refused, adviceOurs},
	"InvalidParameterValue": {cloud.Refused, adviceOurs},
	"InvalidParam":          {cloud.Refused, adviceOurs},
	"CmdContent":            {cloud.Refused, adviceOurs},
	"CmdName":               {cloud.Refused, adviceOurs},
	"CmdDesc":               {cloud.Refused, adviceOurs},
	"Username":              {cloud.Refused, adviceOurs},
	"Parameter":             {cloud.Refused, adviceOurs},
	"InvalidTagKey":         {cloud.Refused, adviceTags},
	"InvalidTagValue":       {cloud.Refused, adviceTags},
	"InvalidSecurityToken":  {cloud.Denied, "{ended}"},
	"InvalidAccessKeyId":    {cloud.Denied, adviceKeys},
	"InvalidTimeStamp":      {cloud.Denied, adviceClock},
	"NoPermission":          {cloud.Denied, adviceGrant},
	"InvalidRegionId":       {cloud.Refused, adviceRegion},
	"EntityNotExist":        {cloud.NotFound, "RAM does not know it"},
}

// judge returns the verdict on an error code.
func judge(code string) verdict {
	if v, ok := verdicts[code]; ok {
		return v
	}
	group, _, _ := strings.Cut(code, ".")
	if v, ok := groups[group]; ok {
		return v
	}
	if strings.HasPrefix(code, "Missing") {
		return verdict{cloud.Refused, adviceOurs}
	}
	return verdict{cloud.Unknown, "the cloud answered with an error that cloudpw does not know"}
}

// noPermission reports whether a code says that the caller is known and may not do this. Forbidden.RiskControl is none of
// these: no policy helps against it.
func noPermission(code string) bool {
	switch code {
	case "Forbidden.RAM", "Forbidden", "Forbbiden.SubUser", "Forbidden.SubUser", "UnauthorizedNoPermission", "NoPermission":
		return true
	}
	return strings.HasPrefix(code, "NoPermission.")
}
