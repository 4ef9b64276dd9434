package alibabacloud

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Every code that the cloud's pages list for the calls of this package, with its status.
func TestErrorCodes(t *testing.T) {
	const denied, refused, unknown = cloud.Denied, cloud.Refused, cloud.Unknown
	for _, c := range []struct {
		code   string
		status int
		kind   cloud.Kind
		says   string
	}{
		{"InvalidInstanceId.NotFound", 404, cloud.NotFound, "no such instance"},
		{"InvalidInstance.NotFound", 404, cloud.NotFound, "no such instance"},
		{"Forbidden.InstanceNotFound", 404, cloud.NotFound, "no such instance"},
		{"InvalidAccessKeyId.NotFound", 404, denied, "access_key and secret_key"},
		{"InvalidAccessKeyId.Inactive", 400, denied, "access_key and secret_key"},
		{"SignatureDoesNotMatch", 400, denied, "secret_key does not belong to access_key"},
		{"IncompleteSignature", 400, denied, "secret_key"},
		{"InvalidSecurityToken.Expired", 400, denied, "temporary key"},
		{"InvalidSecurityToken.Malformed", 400, denied, "temporary key"},
		{"InvalidSecurityToken.MismatchWithAccessKey", 400, denied, "temporary key"},
		{"MissingSecurityToken", 400, denied, "temporary key"},
		{"InvalidTimeStamp.Expired", 400, denied, "clock"},
		{"InvalidTimeStamp.Format", 400, denied, "clock"},
		{"Forbidden.RAM", 403, denied, "ecs:RunCommand"},
		{"Forbbiden.SubUser", 403, denied, "ecs:RunCommand"},
		{"NoPermission", 403, denied, "ecs:RunCommand"},
		{"UnauthorizedNoPermission", 403, denied, "ecs:RunCommand"},
		{"Forbidden.RiskControl", 403, denied, "risk control"},
		{"Throttling", 400, cloud.Throttled, "max_requests_per_second"},
		{"Throttling.User", 503, cloud.Throttled, "max_requests_per_second"},
		{"Throttling.Api", 503, cloud.Throttled, "max_requests_per_second"},
		{"Throttling.Resource", 400, cloud.Throttled, "max_requests_per_second"},
		{"IncorrectInstanceStatus", 403, refused, "running"},
		{"InvalidInstance.NotMatch", 400, refused, "running"},
		{"InvalidInstance.NoClient", 403, refused, "Cloud Assistant Agent"},
		{"InstanceLockedForSecurity", 403, refused, "locked for security"},
		{"OperationDenied", 403, refused, "does not do this"},
		{"InvalidParameter", 400, refused, "request's form"},
		{"InvalidParameter.Timeout", 400, refused, "request's form"},
		{"InvalidParameterValue.X", 400, refused, "request's form"},
		{"MissingParameter", 400, refused, "request's form"},
		{"MissingParam.Frequency", 400, refused, "request's form"},
		{"CmdContent.ExceedLimit", 403, refused, "request's form"},
		{"InvalidRegionId.NotFound", 404, refused, "region"},
		{"IdempotentParameterMismatch", 400, refused, "same token"},
		{"IdempotentParameterMismatch", 403, refused, "same token"},
		{"ClientNeedUpgrade", 403, refused, "upgrade"},
		{"InvalidPassword.Malformed", 400, refused, "request's form"},
		{"ServiceUnavailable", 503, unknown, "whether the command was taken is not known yet"},
		{"InternalError", 500, unknown, "whether the command was taken is not known yet"},
		{"SignatureNonceUsed", 400, unknown, "received this very request before"},
		{"Something.New", 400, unknown, "does not know"},
		{"Something.New", 503, unknown, "does not know"},
	} {
		p, f := answering(t, func(request) (int, any) {
			return c.status, object{"Code": c.code, "Message": "They said " + testSecretKey + " and " + testPassword, "HostId": "x",
				"Recommend": "y"}
		})
		_, err := p.Resetter(cloud.MethodCommand).StartReset(t.Context(), linuxReset())
		e := errorOfKind(t, err, c.kind)
		if !strings.Contains(e.Message, c.says) || e.Code != c.code || e.RequestID != testRequestID || len(f.seen()) != 1 {
			t.Errorf("%s: %v", c.code, e)
		}
		if !strings.Contains(e.Message, "They said [redacted] and [redacted]") {
			t.Errorf("%s: what the cloud said is lost: %v", c.code, e)
		}
	}
}

// Only a missing permission is told as one: nothing that a policy would not cure.
func TestMissingPermission(t *testing.T) {
	for code, want := range map[string]bool{
		"Forbidden.RAM": true, "Forbbiden.SubUser": true, "Forbidden.SubUser": true, "NoPermission": true, "NoPermission.RoleNotAuth": true,
		"UnauthorizedNoPermission": true, "Forbidden.RiskControl": false, "InvalidAccessKeyId.NotFound": false, "SignatureDoesNotMatch": false,
		"InvalidTimeStamp.Expired": false, "Forbidden.InstanceNotFound": false,
	} {
		p, _ := answering(t, func(request) (int, any) { return failure(http.StatusForbidden, code) })
		_, err := p.identity(t.Context())
		if got := permissionMissing(err); got != want {
			t.Errorf("%s: %v (%v)", code, got, err)
		}
	}
}
