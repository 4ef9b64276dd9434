package cloudsim_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

const newPassword = "New-Password-123"

// tencentEnv is a simulator with the real SDK pointed at it.
type tencentEnv struct {
	sim   *cloudsim.Sim
	creds cloudsim.Credentials
}

func startTencent(t *testing.T, o cloudsim.Options) *tencentEnv {
	t.Helper()
	sim := cloudsim.Start(t, o)
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &tencentEnv{sim, seeded[model.TencentCloud]}
}

// profile points the SDK at the simulator.
func (e *tencentEnv) profile(t *testing.T) *profile.ClientProfile {
	t.Helper()
	u, err := url.Parse(e.sim.URL(model.TencentCloud, "cvm"))
	if err != nil {
		t.Fatal(err)
	}
	p := profile.NewClientProfile()
	p.Language = "en-US"
	p.HttpProfile.Scheme, p.HttpProfile.Endpoint = strings.ToUpper(u.Scheme), u.Host
	p.HttpProfile.ReqTimeout = 5
	return p
}

func (e *tencentEnv) client(t *testing.T) *cvm.Client {
	t.Helper()
	c, err := cvm.NewClient(common.NewCredential(e.creds.AccessKey, e.creds.SecretKey), e.creds.Region, e.profile(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (e *tencentEnv) reset(t *testing.T, force bool, password string, ids ...string) (string, error) {
	t.Helper()
	r := cvm.NewResetInstancesPasswordRequest()
	r.InstanceIds, r.Password, r.ForceStop = common.StringPtrs(ids), &password, &force
	resp, err := e.client(t).ResetInstancesPassword(r)
	if err != nil {
		return "", err
	}
	return *resp.Response.RequestId, nil
}

func (e *tencentEnv) describe(t *testing.T, id string) *cvm.Instance {
	t.Helper()
	r := cvm.NewDescribeInstancesRequest()
	r.InstanceIds = common.StringPtrs([]string{id})
	resp, err := e.client(t).DescribeInstances(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Response.InstanceSet) != 1 {
		t.Fatalf("%d instances, want 1", len(resp.Response.InstanceSet))
	}
	return resp.Response.InstanceSet[0]
}

// code is the cloud's error code, or "" for none.
func code(err error) string {
	var e *tcerr.TencentCloudSDKError
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return "not a cloud error: " + err.Error()
	}
	return ""
}

func TestTencentResetThroughTheSDK(t *testing.T) {
	e := startTencent(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
	id := e.creds.Servers["ubuntu-1"]
	before, _ := e.sim.World().Server(id)
	requestID, err := e.reset(t, true, newPassword, id)
	if err != nil {
		t.Fatal(err)
	}
	i := e.describe(t, id)
	if *i.LatestOperation != "ResetInstancesPassword" || *i.LatestOperationState != "OPERATING" ||
		*i.LatestOperationRequestId != requestID || *i.InstanceState != "STOPPING" || *i.DefaultLoginUser != "ubuntu" {
		t.Errorf("while it runs: %s %s %s", *i.LatestOperation, *i.LatestOperationState, *i.InstanceState)
	}
	if _, err := e.reset(t, true, newPassword, id); code(err) != "MutexOperation.TaskRunning" {
		t.Errorf("a second reset: %v", err)
	}
	e.sim.World().Advance(time.Hour)
	i = e.describe(t, id)
	if *i.LatestOperationState != "SUCCESS" || *i.LatestOperationRequestId != requestID || *i.InstanceState != "RUNNING" {
		t.Errorf("after the end: %s %s", *i.LatestOperationState, *i.InstanceState)
	}
	if err := e.sim.Login(context.Background(), id, "ubuntu", newPassword); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if err := e.sim.Login(context.Background(), id, "ubuntu", before.InitialPassword); !errors.Is(err, sshd.ErrRefused) {
		t.Errorf("the old password: %v, want ErrRefused", err)
	}
	if err := e.sim.Login(context.Background(), id, "root", newPassword); !errors.Is(err, sshd.ErrRefused) {
		t.Errorf("another user: %v, want ErrRefused", err)
	}
}

func TestTencentRefusals(t *testing.T) {
	e := startTencent(t, cloudsim.Options{Options: model.Options{RateLimits: map[string]int{}}})
	w := e.sim.World()
	linux, windows := e.creds.Servers["linux-1"], e.creds.Servers["windows-1"]
	many := make([]string, 101)
	for i := range many {
		many[i] = linux
	}
	state := func(s model.State) func() {
		return func() {
			if err := w.SetState(linux, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		prepare  func()
		force    bool
		password string
		ids      []string
		want     string
	}{
		"malformed id":      {nil, true, newPassword, []string{"i-12345678"}, "InvalidInstanceId.Malformed"},
		"unknown id":        {nil, true, newPassword, []string{"ins-zzzzzzzz"}, "InvalidInstanceId.NotFound"},
		"no id":             {nil, true, newPassword, nil, "MissingParameter"},
		"101 ids":           {nil, true, newPassword, many, "InvalidParameterValue.LimitExceeded"},
		"no password":       {nil, true, "", []string{linux}, "MissingParameter"},
		"short password":    {nil, true, "Ab1", []string{linux}, "InvalidParameterValue.InvalidPassword"},
		"short for windows": {nil, true, "Abcdef123-", []string{windows}, "InvalidParameterValue.InvalidPassword"},
		"running":           {nil, false, newPassword, []string{linux}, "UnsupportedOperation.InstanceStateRunning"},
		"rebooting":         {state(model.StateRebooting), true, newPassword, []string{linux}, "UnsupportedOperation.InstanceStateRebooting"},
		"pending":           {state(model.StatePending), true, newPassword, []string{linux}, "UnsupportedOperation.InstanceStatePending"},
		"rescue mode":       {state("rescue_mode"), true, newPassword, []string{linux}, "UnsupportedOperation.InstanceStateRescueMode"},
		"live migration": {state("service_live_migrate"), true, newPassword, []string{linux},
			"UnsupportedOperation.InstanceStateServiceLiveMigrate"},
		"one of two malformed": {nil, true, newPassword, []string{windows, "x"}, "InvalidInstanceId.Malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			state(model.StateRunning)()
			if c.prepare != nil {
				c.prepare()
			}
			if _, err := e.reset(t, c.force, c.password, c.ids...); code(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	for _, id := range []string{linux, windows} {
		if s, _ := w.Server(id); s.Latest.RequestID != "" {
			t.Errorf("a refused request left a record: %+v", s.Latest)
		}
	}
}

func TestTencentCredentials(t *testing.T) {
	now := time.Now()
	e := startTencent(t, cloudsim.Options{Options: model.Options{Now: func() time.Time { return now }}})
	w := e.sim.World()
	good := e.creds
	temporary := w.AddAccessKey(model.AccessKey{
		Cloud: model.TencentCloud, AccountID: good.AccountID, UserID: good.UserID, Token: "token", Expires: now.Add(time.Hour),
	})
	expired := w.AddAccessKey(model.AccessKey{
		Cloud: model.TencentCloud, AccountID: good.AccountID, UserID: good.UserID, Token: "token", Expires: now.Add(-time.Minute),
	})
	denied := w.AddAccessKey(model.AccessKey{
		Cloud: model.TencentCloud, AccountID: good.AccountID, UserID: good.UserID, Deny: []string{"cvm:Describe*"},
	})
	inactive := w.AddAccessKey(model.AccessKey{Cloud: model.TencentCloud, AccountID: good.AccountID, Inactive: true})
	for name, c := range map[string]struct {
		id, secret, token, region string
		skew                      time.Duration
		want                      string
	}{
		"right key":            {good.AccessKey, good.SecretKey, "", good.Region, 0, ""},
		"wrong secret":         {good.AccessKey, "wrong", "", good.Region, 0, "AuthFailure.SignatureFailure"},
		"unknown id":           {"AKIDunknown000000", "x", "", good.Region, 0, "AuthFailure.SecretIdNotFound"},
		"malformed id":         {"AKIAEXAMPLE", "x", "", good.Region, 0, "AuthFailure.InvalidSecretId"},
		"inactive":             {inactive.ID, inactive.Secret, "", good.Region, 0, "AuthFailure.SecretIdNotFound"},
		"temporary":            {temporary.ID, temporary.Secret, "token", good.Region, 0, ""},
		"temporary, no token":  {temporary.ID, temporary.Secret, "", good.Region, 0, "AuthFailure.TokenFailure"},
		"temporary, bad token": {temporary.ID, temporary.Secret, "x", good.Region, 0, "AuthFailure.TokenFailure"},
		"temporary, expired":   {expired.ID, expired.Secret, "token", good.Region, 0, "AuthFailure.TokenFailure"},
		"clock 6 minutes slow": {good.AccessKey, good.SecretKey, "", good.Region, 6 * time.Minute, "AuthFailure.SignatureExpire"},
		"clock 6 minutes fast": {good.AccessKey, good.SecretKey, "", good.Region, -6 * time.Minute, "AuthFailure.SignatureExpire"},
		"clock 4 minutes slow": {good.AccessKey, good.SecretKey, "", good.Region, 4 * time.Minute, ""},
		"another region":       {good.AccessKey, good.SecretKey, "", "ap-nowhere", 0, "UnsupportedRegion"},
		"denied":               {denied.ID, denied.Secret, "", good.Region, 0, "UnauthorizedOperation"},
	} {
		t.Run(name, func(t *testing.T) {
			now = time.Now().Add(c.skew)
			client, err := cvm.NewClient(common.NewTokenCredential(c.id, c.secret, c.token), c.region, e.profile(t))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.DescribeInstances(cvm.NewDescribeInstancesRequest()); code(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// call uses the SDK without the typed packages.
func (e *tencentEnv) call(t *testing.T, service, version, action string, params map[string]any) (string, error) {
	t.Helper()
	r := tchttp.NewCommonRequest(service, version, action)
	if err := r.SetActionParameters(params); err != nil {
		t.Fatal(err)
	}
	resp := tchttp.NewCommonResponse()
	c := common.NewCommonClient(common.NewCredential(e.creds.AccessKey, e.creds.SecretKey), e.creds.Region, e.profile(t))
	err := c.Send(r, resp)
	return string(resp.GetBody()), err
}

func TestTencentCommonRequests(t *testing.T) {
	e := startTencent(t, cloudsim.Options{Options: model.Options{RateLimits: map[string]int{}}})
	linux := e.creds.Servers["linux-1"]
	for name, c := range map[string]struct {
		service, version, action string
		params                   map[string]any
		want                     string // code
		holds                    string // part of the body
	}{
		"who am I":        {"sts", "2018-08-13", "GetCallerIdentity", nil, "", `"UserId":"` + e.creds.UserID + `"`},
		"unknown action":  {"cvm", "2017-03-12", "Nothing", nil, "InvalidAction", ""},
		"unknown version": {"cvm", "2016-01-01", "DescribeInstances", nil, "NoSuchVersion", ""},
		"unknown field":   {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"Nope": 1}, "UnknownParameter", ""},
		"wrong type":      {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"Limit": "1"}, "InvalidParameter", ""},
		"limit too high":  {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"Limit": 101}, "InvalidParameterValue", ""},
		"wrong service":   {"cam", "2017-03-12", "DescribeInstances", nil, "AuthFailure.InvalidAuthorization", ""},
		"ids and filters": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{
			"InstanceIds": []string{linux}, "Filters": []any{map[string]any{"Name": "zone", "Values": []string{"x"}}},
		}, "InvalidParameter", ""},
		"unknown filter": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{
			"Filters": []any{map[string]any{"Name": "colour", "Values": []string{"x"}}},
		}, "InvalidFilter", ""},
		"tag filter": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{
			"Filters": []any{map[string]any{"Name": "tag:app", "Values": []string{"demo"}}}, "Limit": 2,
		}, "", `"TotalCount":3`},
		"no such tag": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{
			"Filters": []any{map[string]any{"Name": "tag:app", "Values": []string{"other"}}},
		}, "", `"TotalCount":0`},
		"two filters, one met": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"Filters": []any{
			map[string]any{"Name": "zone", "Values": []string{e.creds.Region + "-1"}},
			map[string]any{"Name": "instance-name", "Values": []string{"nobody"}},
		}}, "", `"TotalCount":0`},
		"created since": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"Filters": []any{
			map[string]any{"Name": "creation-start-time", "Values": []string{"2020-01-01 00:00:00"}},
		}}, "", `"TotalCount":3`},
		"created until": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"Filters": []any{
			map[string]any{"Name": "creation-end-time", "Values": []string{"2020-01-01 00:00:00"}},
		}}, "", `"TotalCount":0`},
		"time of another form": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"Filters": []any{
			map[string]any{"Name": "creation-start-time", "Values": []string{"2020-01-01T00:00:00Z"}},
		}}, "InvalidParameterValue.InvalidTimeFormat", ""},
		"zone of another region": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"Filters": []any{
			map[string]any{"Name": "zone", "Values": []string{"ap-guangzhou-1"}},
		}}, "InvalidZone.MismatchRegion", ""},
		"six values": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"Filters": []any{
			map[string]any{"Name": "tag:app", "Values": []string{"1", "2", "3", "4", "5", "6"}},
		}}, "InvalidFilterValue.LimitExceeded", ""},
		"malformed vpc": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"Filters": []any{
			map[string]any{"Name": "vpc-id", "Values": []string{"x"}},
		}}, "InvalidParameterValue.VpcIdMalformed", ""},
		"blanks in a description": {"cam", "2019-01-16", "CreateAccessKey", map[string]any{"Description": "two words"},
			"InvalidParameter.ParamError", ""},
		"key of nobody": {"cam", "2019-01-16", "ListAccessKeys", map[string]any{"TargetUin": 1}, "InvalidParameter.UserNotExist", ""},
		"no such key": {"cam", "2019-01-16", "DeleteAccessKey", map[string]any{"AccessKeyId": "AKIDnone"},
			"ResourceNotFound.SecretNotExist", ""},
		"no key": {"cam", "2019-01-16", "DeleteAccessKey", nil, "MissingParameter", ""},
		"key in use": {"cam", "2019-01-16", "DeleteAccessKey", map[string]any{"AccessKeyId": e.creds.AccessKey},
			"FailedOperation.Accesskey", ""},
		"no status": {"cam", "2019-01-16", "UpdateAccessKey", map[string]any{"AccessKeyId": e.creds.AccessKey}, "MissingParameter",
			""},
		"no session name": {"sts", "2018-08-13", "AssumeRole", map[string]any{"RoleArn": e.creds.RoleARN}, "MissingParameter", ""},
		"too long a session": {"sts", "2018-08-13", "AssumeRole", map[string]any{
			"RoleArn": e.creds.RoleARN, "RoleSessionName": "me", "DurationSeconds": 43201,
		}, "InvalidParameter.OverTimeError", ""},
		"unknown id": {"cvm", "2017-03-12", "DescribeInstances", map[string]any{"InstanceIds": []string{"ins-zzzzzzzz"}}, "", `"InstanceSet":[]`},
		"a new key":  {"cam", "2019-01-16", "CreateAccessKey", map[string]any{"Description": "d"}, "", `"SecretAccessKey":"`},
		"wrong role": {"sts", "2018-08-13", "AssumeRole", map[string]any{"RoleArn": "qcs::cam::uin/1:roleName/x", "RoleSessionName": "me"},
			"ResourceNotFound.RoleNotFound", ""},
		"role": {"sts", "2018-08-13", "AssumeRole", map[string]any{
			"RoleArn": e.creds.RoleARN, "RoleSessionName": "me", "ExternalId": e.creds.ExternalID,
		}, "", `"TmpSecretId":"AKID`},
		"role, wrong external id": {"sts", "2018-08-13", "AssumeRole", map[string]any{
			"RoleArn": e.creds.RoleARN, "RoleSessionName": "me", "ExternalId": "other",
		}, "UnauthorizedOperation", ""},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := e.call(t, c.service, c.version, c.action, c.params)
			if code(err) != c.want || !strings.Contains(body, c.holds) {
				t.Errorf("got %v, %s; want %q, %s", err, body, c.want, c.holds)
			}
		})
	}
	if _, err := e.call(t, "cam", "2019-01-16", "CreateAccessKey", nil); code(err) != "OperationDenied.AccessKeyOverLimit" {
		t.Errorf("a third key: %v", err)
	}
}

func TestTencentRateLimit(t *testing.T) {
	now := time.Now() // stands still, however slow the machine is
	e := startTencent(t, cloudsim.Options{Options: model.Options{Now: func() time.Time { return now }}})
	for i := range 12 {
		want := ""
		if i >= 10 {
			want = "RequestLimitExceeded"
		}
		if _, err := e.call(t, "cvm", "2017-03-12", "DescribeInstances", nil); code(err) != want {
			t.Errorf("call %d: got %v, want %q", i, err, want)
		}
	}
	if _, err := e.call(t, "sts", "2018-08-13", "GetCallerIdentity", nil); err != nil {
		t.Errorf("another action: %v", err)
	}
	for i := range 6 {
		_, err := e.call(t, "cam", "2019-01-16", "DeleteAccessKey", map[string]any{"AccessKeyId": "AKIDnone"})
		if throttled := code(err) == "RequestLimitExceeded"; throttled != (i == 5) || throttled &&
			!strings.Contains(err.Error(), "`5` times per second") {
			t.Errorf("call %d of an action with another limit: %v", i, err)
		}
	}
}

func TestTencentSpeaksChineseUnlessAsked(t *testing.T) {
	e := startTencent(t, cloudsim.Options{})
	p := e.profile(t)
	p.Language = "zh-CN"
	c, err := cvm.NewClient(common.NewCredential(e.creds.AccessKey, "wrong"), e.creds.Region, p)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.DescribeInstances(cvm.NewDescribeInstancesRequest())
	var cloud *tcerr.TencentCloudSDKError
	if !errors.As(err, &cloud) || !strings.Contains(cloud.Message, "鉴权失败") {
		t.Errorf("got %v", err)
	}
}

func TestTencentAnswerIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		kind    model.FaultKind
		applied bool
		later   bool
	}{
		"before the change": {model.FaultDropBefore, false, false},
		"after the change":  {model.FaultDropAfter, true, false},
		"arrives late":      {model.FaultLateArrival, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			e := startTencent(t, cloudsim.Options{Options: model.Options{OperationTime: time.Millisecond}})
			w, id := e.sim.World(), e.creds.Servers["linux-1"]
			const late = 300 * time.Millisecond
			if _, err := w.AddFault(model.Fault{Kind: c.kind, Action: "ResetInstancesPassword", Count: 1, Delay: late}); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err := e.reset(t, true, newPassword, id)
			if got := code(err); got != "ClientError.NetworkError" {
				t.Fatalf("got %v, want a network error", err)
			}
			password := func() bool {
				w.Advance(time.Second)
				s, _ := w.Server(id)
				return s.Logins["root"] == newPassword
			}
			applied := password()
			if c.later {
				applied = eventually(password)
			}
			if applied != (c.applied || c.later) {
				t.Errorf("applied %v, want %v", applied, !applied)
			}
			if took := time.Since(began); c.later && took < late {
				t.Errorf("the late request was applied after %s", took)
			}
			if v := w.Stats().PasswordValues[id]; v != 1 {
				t.Errorf("%d password values, want 1", v)
			}
		})
	}
}

// eventually asks again until a deadline of some seconds.
func eventually(ok func() bool) bool {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if ok() {
			return true
		}
		<-time.After(10 * time.Millisecond)
	}
	return false
}
