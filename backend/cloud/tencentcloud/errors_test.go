package tencentcloud

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// documentedKinds is the expected kind of every code in the documentation of the calls and in
// the list of common codes, written down apart from the table under test.
var documentedKinds = map[cloud.Kind]string{
	cloud.NotFound: `InvalidInstanceId.NotFound ResourceNotFound InvalidParameterValue.TagKeyNotFound
		ResourceNotFound.RoleNotFound ResourceNotFound.SecretNotExist ResourceNotFound.InstanceNotFound`,
	cloud.Denied: `AuthFailure.SecretIdNotFound AuthFailure.InvalidSecretId AuthFailure.SignatureFailure
		AuthFailure.SignatureExpire AuthFailure.TokenFailure AuthFailure.MFAFailure AuthFailure.InvalidAuthorization
		AuthFailure.UnauthorizedOperation AuthFailure.AccessKeyIllegal UnauthorizedOperation
		UnauthorizedOperation.MFAExpired UnauthorizedOperation.MFANotFound UnauthorizedOperation.InvalidToken
		InvalidParameter.AccessKeyNotSupport IpInBlacklist IpNotInWhitelist
		FailedOperation.CheckMFAError FailedOperation.MFATypeNotSupported InternalError.IllegalRole
		InvalidParameter.AccountNotAvaliable InvalidParameter.GrantOtherResource OperationDenied.SubUin
		UnauthorizedOperation.CamAuthFailed`,
	cloud.PasswordRefused: `InvalidParameterValue.InvalidPassword InvalidPassword`,
	cloud.Throttled: `RequestLimitExceeded RequestLimitExceeded.GlobalRegionUinLimitExceeded
		RequestLimitExceeded.IPLimitExceeded RequestLimitExceeded.UinLimitExceeded
		InvalidParameter.OverLimit`,
	cloud.Unknown: `InternalServerError InternalError InternalError.GetSeedTokenError FailedOperation ResourceInUse
		ResourceInsufficient ResourceUnavailable ResponseSizeLimitExceeded ServiceUnavailable
		InternalError.DbError InternalError.EncryptError InternalError.GetAppIdError InternalError.GetRoleError
		InternalError.PbSerializeError InternalError.SystemError InternalError.UnknownError FailedOperation.Accesskey FailedOperation.CVMError
		FailedOperation.LighthouseError`,
	cloud.Refused: `InvalidInstanceId.Malformed InvalidParameterValue InvalidParameterValue.InstanceIdMalformed
		InvalidParameterValue.LimitExceeded InvalidParameterValue.TooLong MissingParameter MutexOperation.TaskRunning
		OperationDenied.InstanceOperationInProgress UnsupportedOperation.InstanceStateRunning
		UnsupportedOperation.InstanceStatePending UnsupportedOperation.InstanceStateRebooting
		UnsupportedOperation.InstanceStateStarting UnsupportedOperation.InstanceStateStopping
		UnsupportedOperation.InstanceStateShutdown UnsupportedOperation.InstanceStateTerminating
		UnsupportedOperation.InstanceStateFreezing UnsupportedOperation.InstanceStateIsolating
		UnsupportedOperation.InstanceStateEnterRescueMode UnsupportedOperation.InstanceStateRescueMode
		UnsupportedOperation.InstanceStateExitRescueMode UnsupportedOperation.InstanceStateServiceLiveMigrate
		UnsupportedOperation.InstanceReinstallFailed UnsupportedOperation.SpecialInstanceType
		UnsupportedOperation.StoppedModeStopCharging InvalidInstance.NotSupported
		FailedOperation.InvalidInstanceApplicationRole FailedOperation.IllegalTagKey FailedOperation.IllegalTagValue
		FailedOperation.TagKeyReserved InvalidFilter InvalidFilterValue.LimitExceeded InvalidHostId.Malformed
		InvalidParameterValue.IPAddressMalformed InvalidParameterValue.IPv6AddressMalformed
		InvalidParameterValue.InvalidAppIdFormat InvalidParameterValue.InvalidIpFormat
		InvalidParameterValue.InvalidTimeFormat InvalidParameterValue.InvalidVagueName
		InvalidParameterValue.SubnetIdMalformed InvalidParameterValue.UuidMalformed InvalidParameterValue.VpcIdMalformed
		InvalidSecurityGroupId.NotFound InvalidSgId.Malformed InvalidZone.MismatchRegion ResourceNotFound.HpcCluster
		ActionOffline DryRunOperation InvalidAction InvalidParameter InvalidRequest LimitExceeded NoSuchProduct
		NoSuchVersion RequestSizeLimitExceeded UnknownParameter UnsupportedOperation UnsupportedProtocol UnsupportedRegion
		InvalidParameter.ExtendStrategyOverSize InvalidParameter.OverTimeError InvalidParameter.ParamError
		InvalidParameter.PolicyTooLong InvalidParameter.ResouceError InvalidParameter.StrategyFormatError
		InvalidParameter.StrategyInvalid InvalidParameter.TempCodeNotAvaliable InvalidParameter.UserNotExist
		OperationDenied.AccessKeyOverLimit OperationDenied.UinNotMatch
		ResourceUnavailable.AgentNotInstalled ResourceUnavailable.AgentStatusNotOnline
		ResourceUnavailable.InstanceStateNotRunning ResourceUnavailable.LighthouseUnsupportedRegion
		InvalidParameter.ConflictParameter InvalidParameter.InvalidUsername InvalidParameter.ParameterNameDuplicated
		InvalidParameterValue.AgentUnsupportedCommandType InvalidParameterValue.CommandContentInvalid
		InvalidParameterValue.CommandNameDuplicated InvalidParameterValue.InconsistentInstance
		InvalidParameterValue.InvalidCommandId InvalidParameterValue.InvalidCommandName
		InvalidParameterValue.InvalidContent InvalidParameterValue.InvalidFilter InvalidParameterValue.InvalidInstanceId
		InvalidParameterValue.InvalidInvocationId InvalidParameterValue.InvalidInvocationTaskId
		InvalidParameterValue.InvalidOutputCOSBucketUrl InvalidParameterValue.InvalidOutputCOSKeyPrefix
		InvalidParameterValue.InvalidUsername InvalidParameterValue.InvalidWorkingDirectory
		InvalidParameterValue.LackOfParameterInfo InvalidParameterValue.ParameterDisabled
		InvalidParameterValue.ParameterInvalidJsonFormat InvalidParameterValue.ParameterKeyContainsInvalidChar
		InvalidParameterValue.ParameterKeyDuplicated InvalidParameterValue.ParameterKeyLenExceeded
		InvalidParameterValue.ParameterNumberExceeded InvalidParameterValue.ParameterValueNotString
		InvalidParameterValue.Range InvalidParameterValue.SupportParametersOnlyIfEnableParameter`,
}

func TestDocumentedCodesHaveTheirKind(t *testing.T) {
	walked := map[string]bool{}
	for kind, codes := range documentedKinds {
		for _, code := range strings.Fields(codes) {
			walked[code] = true
			v, ok := verdicts[code]
			if !ok {
				t.Errorf("%s: not in the table", code)
			} else if v.kind != kind {
				t.Errorf("%s: kind %q, want %q", code, v.kind, kind)
			}
		}
	}
	for code := range verdicts {
		if !walked[code] {
			t.Errorf("%s: in the table but in no documentation listed here", code)
		}
	}
}

// sdkFile reads a file of an SDK package as the module of this repository pins it.
func sdkFile(t *testing.T, service, name string) string {
	t.Helper()
	pkg := "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/" + service
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", pkg).Output()
	if err != nil {
		t.Fatalf("go list %s: %v; the test reads the SDK's source and needs the go command", pkg, err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	codeLine  = regexp.MustCompile(`//\s+[A-Z0-9_]+ = "([A-Za-z0-9.]+)"`)
	constLine = regexp.MustCompile(`(?m)^\s+[A-Z0-9_]+ = "([A-Za-z0-9.]+)"`)
)

// TestSDKCodesOfOurCallsAreInTheTable walks the codes that the SDK documents at the calls we make.
func TestSDKCodesOfOurCallsAreInTheTable(t *testing.T) {
	for _, call := range []struct {
		service, action string
		least           int
	}{
		{"cvm/v20170312", "ResetInstancesPassword", 31},
		{"cvm/v20170312", "DescribeInstances", 27},
		{"tat/v20201028", "RunCommand", 42},
		{"tat/v20201028", "DescribeInvocationTasks", 13},
		{"sts/v20180813", "GetCallerIdentity", 3},
		{"sts/v20180813", "AssumeRole", 20},
		{"cam/v20190116", "ListAccessKeys", 9},
		{"cam/v20190116", "CreateAccessKey", 7},
		{"cam/v20190116", "UpdateAccessKey", 8},
		{"cam/v20190116", "DeleteAccessKey", 8},
	} {
		source := sdkFile(t, call.service, "client.go")
		head, _, ok := strings.Cut(source, "func (c *Client) "+call.action+"(")
		if !ok {
			t.Fatalf("%s: no such method in the SDK", call.action)
		}
		comment := head[strings.LastIndex(head, "\n}\n"):]
		codes := codeLine.FindAllStringSubmatch(comment, -1)
		if len(codes) < call.least {
			t.Errorf("%s: %d codes found in the SDK, want at least %d", call.action, len(codes), call.least)
		}
		for _, code := range codes {
			if _, ok := verdicts[code[1]]; !ok {
				t.Errorf("%s: %s is not in the table", call.action, code[1])
			}
		}
	}
}

// TestGroupsNeverPromiseTooMuch walks all codes of the service. One that is not in the table may be
// judged by its group, but never as harmless where the group is about running operations.
func TestGroupsNeverPromiseTooMuch(t *testing.T) {
	codes := constLine.FindAllStringSubmatch(sdkFile(t, "cvm/v20170312", "errors.go"), -1)
	if len(codes) < 350 {
		t.Fatalf("only %d codes found in the SDK", len(codes))
	}
	open := regexp.MustCompile(`^(FailedOperation|InternalError|InternalServerError|Resource[A-Za-z]*|ServiceUnavailable)(\.|$)`)
	for _, m := range codes {
		code := m[1]
		v := judge("cvm", code)
		if v.kind == "" || v.advice == "" {
			t.Errorf("%s: incomplete verdict %+v", code, v)
		}
		if _, listed := verdicts[code]; !listed && open.MatchString(code) && v.kind != cloud.Unknown {
			t.Errorf("%s: kind %q by its group, want unknown outcome", code, v.kind)
		}
	}
}

func TestUnlistedCodes(t *testing.T) {
	for code, want := range map[string]cloud.Kind{
		"AuthFailure.SomethingNew":                  cloud.Denied,
		"UnauthorizedOperation.SomethingNew":        cloud.Denied,
		"RequestLimitExceeded.SomethingNew":         cloud.Throttled,
		"UnsupportedOperation.InstanceStateOdd":     cloud.Refused,
		"MutexOperation.SomethingNew":               cloud.Refused,
		"InvalidPassword.SomethingNew":              cloud.PasswordRefused,
		"FailedOperation.SomethingNew":              cloud.Unknown,
		"InternalError.SomethingNew":                cloud.Unknown,
		"AuthFailureButNot":                         cloud.Unknown,
		"SomethingNew":                              cloud.Unknown,
		"":                                          cloud.Unknown,
		"unsupportedoperation.instancestaterunning": cloud.Unknown,
	} {
		if got := judge("cvm", code).kind; got != want {
			t.Errorf("%q: kind %q, want %q", code, got, want)
		}
	}
}

// TestEveryCodeThroughTheSDK lets the cloud answer a reset with each code and a text that repeats
// the password.
func TestEveryCodeThroughTheSDK(t *testing.T) {
	var code string
	f := newFakeCloud(t, func(w http.ResponseWriter, _ string, body map[string]any) {
		fail(w, code, "You sent "+body["Password"].(string)+"\nas password.")
	})
	p := newTestProvider(t, testConfig(t, f.URL))
	for kind, codes := range documentedKinds {
		for _, code = range strings.Fields(codes) {
			_, err := p.StartReset(t.Context(), testReset())
			e := errorOfKind(t, err, kind)
			if e.Code != code || e.RequestID != testRequestID {
				t.Errorf("%s: code %q, request id %q", code, e.Code, e.RequestID)
			}
			text := e.Error()
			for _, want := range []string{"cvm ResetInstancesPassword: ", code, testRequestID} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: %q lacks %q", code, text, want)
				}
			}
			if strings.ContainsAny(text, "\n{}") {
				t.Errorf("%s: %q holds a line break or a placeholder", code, text)
			}
			if repeats := strings.Contains(text, "You sent"); repeats != (kind != cloud.PasswordRefused) {
				t.Errorf("%s: %q; the cloud's text belongs into all but a refused password's error", code, text)
			}
			if certain := kind != cloud.Unknown; certain == strings.Contains(text, resetInstancesPassword.outcomeOpen()) {
				t.Errorf("%s: %q is wrong about the outcome", code, text)
			}
		}
	}
}

// A code may mean one thing to a service and another to the next.
func TestCodesOfOneService(t *testing.T) {
	for _, c := range []struct {
		of   action
		code string
		kind cloud.Kind
		says string
	}{
		{assumeRole, "ResourceNotFound.RoleNotFound", cloud.NotFound, "role_arn"},
		{runCommand, "ResourceNotFound.RoleNotFound", cloud.Refused, "TAT lacks its service role"},
		{describeInstances, "UnsupportedRegion", cloud.Refused, "CVM"},
		{getCallerIdentity, "UnsupportedRegion", cloud.Refused, "STS"},
	} {
		e := translate(originStatic, c.of, tcerr.NewTencentCloudSDKError(c.code, "", ""))
		if e.Kind != c.kind || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s of %s: %s, %v", c.code, c.of, e.Kind, e)
		}
	}
}

func TestAdviceNamesTheWayOut(t *testing.T) {
	for code, want := range map[string]string{
		"UnsupportedOperation.InstanceStateRunning": "force_stop=true",
		"AuthFailure.UnauthorizedOperation":         "cvm:ResetInstancesPassword",
		"AuthFailure.SecretIdNotFound":              "access_key",
		"AuthFailure.SignatureFailure":              "secret_key",
		"AuthFailure.TokenFailure":                  "access_key is a temporary key",
		"AuthFailure.SignatureExpire":               "clock",
		"InvalidParameterValue.InvalidPassword":     "password_policy",
		"RequestLimitExceeded":                      "max_requests_per_second",
		"UnsupportedRegion":                         "region",
	} {
		f := newFakeCloud(t, func(w http.ResponseWriter, _ string, _ map[string]any) { fail(w, code, "text") })
		_, err := newTestProvider(t, testConfig(t, f.URL)).StartReset(t.Context(), testReset())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v does not name %s", code, err, want)
		}
	}
}
