package cloudsim_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

// alibabaEnv is a simulator with a client that is written here, by the page on the V3 signature.
type alibabaEnv struct {
	sim   *cloudsim.Sim
	creds cloudsim.Credentials
	token string
}

func startAlibaba(t *testing.T, o cloudsim.Options) *alibabaEnv {
	t.Helper()
	sim := cloudsim.Start(t, o)
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &alibabaEnv{sim: sim, creds: seeded[model.AlibabaCloud]}
}

// as is the same simulator with another key.
func (e *alibabaEnv) as(k model.AccessKey) *alibabaEnv {
	out := *e
	out.creds.AccessKey, out.creds.SecretKey, out.token = k.ID, k.Secret, k.Token
	return &out
}

// alibabaCall is one request before it is signed.
type alibabaCall struct {
	version, action string
	params          url.Values
	// inQuery puts the parameters there and not into a form.
	inQuery bool
	// change spoils the request before it is signed, late after it.
	change, late func(*http.Request)
	nonce        string
	at           time.Time
}

// versions of the services.
const (
	ecsVersion = "2014-05-26"
	stsVersion = "2015-04-01"
	ramVersion = "2015-05-01"
)

// alibabaAnswer is what came back.
type alibabaAnswer struct {
	status int
	body   []byte
	Code   string
}

// into reads the answer, which must be none of an error.
func (a alibabaAnswer) into(t *testing.T, v any) {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("%d: %s", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatal(err)
	}
}

func (e *alibabaEnv) send(t *testing.T, c alibabaCall) alibabaAnswer {
	t.Helper()
	out, err := e.try(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is send for a call whose answer may be lost.
func (e *alibabaEnv) try(t *testing.T, c alibabaCall) (alibabaAnswer, error) {
	t.Helper()
	target, body := e.sim.URL(model.AlibabaCloud, "ecs")+"/", c.params.Encode()
	if c.inQuery {
		target, body = target+"?"+body, ""
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.nonce == "" {
		c.nonce = rand.Text()
	}
	if c.at.IsZero() {
		c.at = time.Now()
	}
	r.Header.Set("x-acs-action", c.action)
	r.Header.Set("x-acs-version", c.version)
	r.Header.Set("x-acs-date", c.at.UTC().Format("2006-01-02T15:04:05Z"))
	r.Header.Set("x-acs-signature-nonce", c.nonce)
	r.Header.Set("x-acs-content-sha256", hexSHA256(body))
	if e.token != "" {
		r.Header.Set("x-acs-security-token", e.token)
	}
	if c.change != nil {
		c.change(r)
	}
	e.sign(r, body)
	if c.late != nil {
		c.late(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return alibabaAnswer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return alibabaAnswer{}, err
	}
	out := alibabaAnswer{status: resp.StatusCode, body: text}
	return out, json.Unmarshal(text, &out)
}

// sign adds the Authorization header.
func (e *alibabaEnv) sign(r *http.Request, body string) {
	names := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-acs-") || name == "content-type" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	text := r.Method + "\n/\n" + strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20") + "\n"
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.URL.Host
		}
		text += name + ":" + value + "\n"
	}
	text += "\n" + strings.Join(names, ";") + "\n" + hexSHA256(body)
	mac := hmac.New(sha256.New, []byte(e.creds.SecretKey))
	mac.Write([]byte("ACS3-HMAC-SHA256\n" + hexSHA256(text)))
	r.Header.Set("Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%x", e.creds.AccessKey,
		strings.Join(names, ";"), mac.Sum(nil)))
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// ecs makes a call of ECS in the account's region with names and values.
func (e *alibabaEnv) ecs(t *testing.T, action string, params ...string) alibabaAnswer {
	t.Helper()
	return e.send(t, alibabaCall{version: ecsVersion, action: action, params: e.params(params...)})
}

func (e *alibabaEnv) params(pairs ...string) url.Values {
	v := url.Values{"RegionId": {e.creds.Region}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (e *alibabaEnv) other(t *testing.T, version, action string, params ...string) alibabaAnswer {
	t.Helper()
	v := e.params(params...)
	v.Del("RegionId")
	return e.send(t, alibabaCall{version: version, action: action, params: v})
}

func TestAlibabaSignature(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{})
	w := e.sim.World()
	expired := w.AddAccessKey(model.AccessKey{Cloud: model.AlibabaCloud, AccountID: e.creds.AccountID, Token: "t",
		Expires: time.Now().Add(-time.Minute)})
	off := w.AddAccessKey(model.AccessKey{Cloud: model.AlibabaCloud, AccountID: e.creds.AccountID, UserID: e.creds.UserID, Inactive: true})
	wrong := *e
	wrong.creds.SecretKey += "x"
	stranger := e.as(model.AccessKey{ID: "LTAI5tunknown", Secret: "x"})
	noToken, badToken, extra := e.as(expired), e.as(expired), *e
	noToken.token, badToken.token, extra.token = "", "u", strings.Repeat("0f", 100)
	another := e.as(expired)
	another.token = extra.token
	for name, c := range map[string]struct {
		e      *alibabaEnv
		call   alibabaCall
		status int
		code   string
	}{
		"accepted":        {e: e, status: 200},
		"in the query":    {e: e, call: alibabaCall{inQuery: true}, status: 200},
		"unknown key":     {e: stranger, status: 404, code: "InvalidAccessKeyId.NotFound"},
		"disabled key":    {e: e.as(off), status: 400, code: "InvalidAccessKeyId.Inactive"},
		"wrong secret":    {e: &wrong, status: 400, code: "SignatureDoesNotMatch"},
		"too old":         {e: e, call: alibabaCall{at: time.Now().Add(-16 * time.Minute)}, status: 400, code: "InvalidTimeStamp.Expired"},
		"too new":         {e: e, call: alibabaCall{at: time.Now().Add(16 * time.Minute)}, status: 400, code: "InvalidTimeStamp.Expired"},
		"old enough":      {e: e, call: alibabaCall{at: time.Now().Add(-14 * time.Minute)}, status: 200},
		"token missing":   {e: noToken, status: 400, code: "MissingSecurityToken"},
		"a token's form":  {e: badToken, status: 400, code: "InvalidSecurityToken.Malformed"},
		"another token":   {e: another, status: 400, code: "InvalidSecurityToken.MismatchWithAccessKey"},
		"expired token":   {e: e.as(expired), status: 400, code: "InvalidSecurityToken.Expired"},
		"token too many":  {e: &extra, status: 400, code: "InvalidSecurityToken.MismatchWithAccessKey"},
		"unknown version": {e: e, call: alibabaCall{version: "2014-05-27"}, status: 400, code: "InvalidVersion"},
		"unknown action":  {e: e, call: alibabaCall{action: "DescribeMoon"}, status: 404, code: "InvalidAction.NotFound"},
		"no region":       {e: e, call: alibabaCall{params: url.Values{}}, status: 400, code: "MissingRegionId"},
		"another region":  {e: e, call: alibabaCall{params: url.Values{"RegionId": {"moon"}}}, status: 404, code: "InvalidRegionId.NotFound"},
		"not known":       {e: e, call: alibabaCall{params: e.params("Moon", "1")}, status: 400, code: "UnsupportedParameter"},
		"no number":       {e: e, call: alibabaCall{params: e.params("MaxResults", "x")}, status: 400, code: "InvalidParameter"},
		"twice": {e: e, call: alibabaCall{change: func(r *http.Request) { r.URL.RawQuery = "RegionId=x" }}, status: 400,
			code: "InvalidParameter"},
		"another type": {e: e, call: alibabaCall{change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }}, status: 400,
			code: "InvalidParameter.ContentType"},
		"changed on way": {e: e, call: alibabaCall{late: func(r *http.Request) { r.Header.Set("x-acs-action", "RunCommand") }}, status: 400,
			code: "SignatureDoesNotMatch"},
		"not signed": {e: e, call: alibabaCall{late: func(r *http.Request) { r.Header.Set("x-acs-more", "1") }}, status: 400,
			code: "IncompleteSignature"},
		"another path": {e: e, call: alibabaCall{change: func(r *http.Request) { r.URL.Path = "/x" }}, status: 404,
			code: "InvalidAction.NotFound"},
		"another method": {e: e, call: alibabaCall{change: func(r *http.Request) { r.Method = http.MethodPut }}, status: 403,
			code: "UnsupportedHTTPMethod"},
		"nonce, first use": {e: e, call: alibabaCall{nonce: "once"}, status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			call := c.call
			if call.version == "" {
				call.version = ecsVersion
			}
			if call.action == "" {
				call.action = "DescribeInstances"
			}
			if call.params == nil {
				call.params = e.params()
			}
			got := c.e.send(t, call)
			if got.status != c.status || got.Code != c.code {
				t.Errorf("%d %q, want %d %q: %s", got.status, got.Code, c.status, c.code, got.body)
			}
		})
	}
	again := e.send(t, alibabaCall{version: ecsVersion, action: "DescribeInstances", params: e.params(), nonce: "once"})
	if again.status != 400 || again.Code != "SignatureNonceUsed" {
		t.Errorf("a nonce a second time: %d %q", again.status, again.Code)
	}
	var body map[string]string
	if err := json.Unmarshal(again.body, &body); err != nil || body["RequestId"] == "" || body["HostId"] == "" || body["Message"] == "" ||
		body["Recommend"] == "" {
		t.Errorf("error body %s, %v", again.body, err)
	}
}

// instancesAnswer is DescribeInstances' answer, as far as the tests look.
type instancesAnswer struct {
	TotalCount int
	NextToken  string
	Instances  struct {
		Instance []struct {
			InstanceId, InstanceName, OSType, Status, KeyPairName string
			ImageOptions                                          struct{ LoginAsNonRoot bool }
			PublicIpAddress                                       struct{ IpAddress []string }
			EipAddress                                            struct{ IpAddress string }
			VpcAttributes                                         struct {
				PrivateIpAddress struct{ IpAddress []string }
			}
			OperationLocks struct {
				LockReason []struct{ LockReason string }
			}
			Tags struct {
				Tag []struct{ TagKey, TagValue string }
			}
		}
	}
}

func (a instancesAnswer) names() string {
	var out []string
	for _, i := range a.Instances.Instance {
		out = append(out, i.InstanceName)
	}
	return strings.Join(out, " ")
}

func TestAlibabaInstances(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{RateLimits: map[string]int{}}})
	w := e.sim.World()
	for n := range 23 {
		s := model.Server{Cloud: model.AlibabaCloud, AccountID: e.creds.AccountID, Region: e.creds.Region, Name: fmt.Sprintf("web-%02d", n),
			Tags: map[string]string{"app": "web", "n": fmt.Sprint(n % 2)}}
		if n == 0 {
			s.LockReasons, s.LoginAsNonRoot, s.ElasticIP, s.PublicIP = []string{"security"}, true, "203.0.113.9", "203.0.113.8"
		}
		if _, err := w.AddServer(s); err != nil {
			t.Fatal(err)
		}
	}
	list := func(params ...string) instancesAnswer {
		t.Helper()
		var out instancesAnswer
		e.ecs(t, "DescribeInstances", params...).into(t, &out)
		return out
	}
	id := e.creds.Servers["windows-1"]
	got := list("InstanceIds", `["`+id+`","i-00000000000000000000"]`)
	if got.names() != "windows-1" || got.Instances.Instance[0].OSType != "windows" || got.Instances.Instance[0].Status != "Running" ||
		got.Instances.Instance[0].KeyPairName != "" || !strings.HasPrefix(id, "i-") {
		t.Errorf("by id: %+v", got)
	}
	first := list("InstanceName", "web-00").Instances.Instance[0]
	if len(first.Tags.Tag) != 2 || first.OperationLocks.LockReason[0].LockReason != "security" || !first.ImageOptions.LoginAsNonRoot ||
		first.EipAddress.IpAddress != "203.0.113.9" || first.PublicIpAddress.IpAddress[0] != "203.0.113.8" ||
		len(first.VpcAttributes.PrivateIpAddress.IpAddress) != 1 {
		t.Errorf("the first: %+v", first)
	}
	for name, c := range map[string]struct {
		params []string
		want   int
	}{
		"all by page":       {nil, 10},
		"none of the ids":   {[]string{"InstanceIds", "[]"}, 0},
		"tag":               {[]string{"Tag.1.Key", "app", "Tag.1.Value", "demo"}, 2},
		"two tags":          {[]string{"Tag.1.Key", "app", "Tag.1.Value", "web", "Tag.2.Key", "n", "Tag.2.Value", "1", "MaxResults", "100"}, 11},
		"tag without value": {[]string{"Tag.1.Key", "n", "MaxResults", "100"}, 23},
		"pattern":           {[]string{"InstanceName", "web-0*", "MaxResults", "100"}, 10},
		"state":             {[]string{"Status", "Stopped"}, 0},
		"lock":              {[]string{"LockReason", "security"}, 1},
		"less than ten":     {[]string{"MaxResults", "3"}, 10},
		"more than 100":     {[]string{"MaxResults", "1000"}, 25},
		"address":           {[]string{"EipAddresses", `["203.0.113.9"]`}, 1},
		"page":              {[]string{"PageNumber", "3", "PageSize", "10"}, 5},
	} {
		if got := list(c.params...); len(got.Instances.Instance) != c.want {
			t.Errorf("%s: %s, want %d", name, got.names(), c.want)
		}
	}
	seen, token := 0, ""
	for pages := 1; ; pages++ {
		got := list("Tag.1.Key", "app", "Tag.1.Value", "web", "MaxResults", "10", "NextToken", token)
		seen += len(got.Instances.Instance)
		if token = got.NextToken; token == "" {
			if pages != 3 || seen != 23 {
				t.Errorf("%d instances on %d pages", seen, pages)
			}
			break
		}
	}
	for name, c := range map[string]struct {
		params []string
		want   string
	}{
		"no list":    {[]string{"InstanceIds", "i-1"}, "InvalidParameter.InstanceIds"},
		"101 ids":    {[]string{"InstanceIds", `["` + strings.Repeat(`i","`, 100) + `i"]`}, "InvalidParameter.InstanceIds"},
		"token":      {[]string{"NextToken", "x"}, "InvalidParameter.NextToken"},
		"page size":  {[]string{"PageSize", "101"}, "InvalidParam.PageSize"},
		"page":       {[]string{"PageNumber", "0"}, "InvalidParam.PageNumber"},
		"no tag key": {[]string{"Tag.1.Value", "x"}, "MissingParameter.TagKey"},
		"tag twice":  {[]string{"Tag.1.Key", "x", "Tag.2.Key", "x"}, "Duplicate.TagKey"},
		"tag's key":  {[]string{"Tag.1.Key", "acs:x"}, "InvalidTagKey.Malformed"},
		"tag's form": {[]string{"Tag.1.Name", "x"}, "UnsupportedParameter"},
		"tag zero":   {[]string{"Tag.0.Key", "x"}, "UnsupportedParameter"},
		"dry run":    {[]string{"DryRun", "true"}, "DryRunOperation"},
	} {
		if got := e.ecs(t, "DescribeInstances", c.params...); got.Code != c.want {
			t.Errorf("%s: %q, want %s", name, got.Code, c.want)
		}
	}
	// Without the permission the list is empty, and only a dry run tells why.
	if _, err := w.Deny(model.AlibabaCloud, e.creds.AccessKey, []string{"ecs:*"}); err != nil {
		t.Fatal(err)
	}
	if got := list(); len(got.Instances.Instance) != 0 {
		t.Errorf("without permission: %s", got.names())
	}
	for _, c := range [][]string{{"DescribeInstances", "DryRun", "true"}, {"RunCommand"}, {"DescribeInvocationResults"},
		{"DescribeInvocations"}} {
		if got := e.ecs(t, c[0], c[1:]...); got.status != 403 || got.Code != "Forbidden.RAM" {
			t.Errorf("%s without permission: %d %q", c[0], got.status, got.Code)
		}
	}
}

// runParams are those of cloudpw's own script on a server.
func (e *alibabaEnv) runParams(t *testing.T, id string, more ...string) []string {
	t.Helper()
	script, err := guest.Linux(guest.Change{Username: "root", Secret: newPassword, Order: 1, NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{
		"Type", "RunShellScript", "CommandContent", base64.StdEncoding.EncodeToString([]byte(script.Text)), "ContentEncoding", "Base64",
		"InstanceId.1", id, "Timeout", "120", "RepeatMode", "Once", "KeepCommand", "false",
	}, more...)
}

type runAnswer struct{ RequestId, CommandId, InvokeId string }

type resultsAnswer struct {
	Invocation struct {
		NextToken         string
		TotalCount        int
		InvocationResults struct{ InvocationResult []resultAnswer }
	}
}

type resultAnswer struct {
	InvokeId, CommandId, InstanceId, InvocationStatus, InvokeRecordStatus, Output, ErrorCode, ErrorInfo, StartTime, FinishedTime string
	ExitCode, Dropped, Repeats                                                                                                   int
}

func (e *alibabaEnv) results(t *testing.T, params ...string) []resultAnswer {
	t.Helper()
	var out resultsAnswer
	e.ecs(t, "DescribeInvocationResults", params...).into(t, &out)
	return out.Invocation.InvocationResults.InvocationResult
}

func TestAlibabaCommand(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
	id := e.creds.Servers["linux-1"]
	before, _ := e.sim.World().Server(id)
	var run runAnswer
	e.ecs(t, "RunCommand", e.runParams(t, id, "Name", "set", "Tag.1.Key", "by", "Tag.1.Value", "cloudpw")...).into(t, &run)
	if !strings.HasPrefix(run.InvokeId, "t-") || !strings.HasPrefix(run.CommandId, "c-") {
		t.Errorf("%+v", run)
	}
	for _, want := range []string{"Pending", "Running", "Running", "Success"} {
		list := e.results(t, "InvokeId", run.InvokeId)
		if len(list) != 1 || list[0].InvocationStatus != want || list[0].InstanceId != id || list[0].CommandId != run.CommandId {
			t.Errorf("%+v, want %s", list, want)
		}
		if want != "Success" && (list[0].Output != "" || list[0].ExitCode != 0 || list[0].FinishedTime != "") {
			t.Errorf("%s: %+v", want, list[0])
		}
		e.sim.World().Advance(20 * time.Minute)
	}
	last := e.results(t, "InvokeId", run.InvokeId, "ContentEncoding", "PlainText")[0]
	if last.Output != "cloudpw: exit 0 password set\n" || last.InvokeRecordStatus != "Finished" || last.ErrorCode != "" || last.Repeats != 1 {
		t.Errorf("the result: %+v", last)
	}
	if text := e.results(t)[0].Output; text != base64.StdEncoding.EncodeToString([]byte(last.Output)) {
		t.Errorf("output %q by default", text)
	}
	if err := e.sim.Login(t.Context(), id, "root", newPassword); err != nil {
		t.Errorf("log in: %v", err)
	}
	if err := e.sim.Login(t.Context(), id, "root", before.Logins["root"]); !errors.Is(err, sshd.ErrRefused) {
		t.Errorf("the old password: %v, want ErrRefused", err)
	}
	var all struct {
		Invocations struct {
			Invocation []struct {
				InvokeId, CommandName, CommandContent, InvocationStatus, InvokeStatus string
				InvokeInstances                                                       struct{ InvokeInstance []resultAnswer }
			}
		}
	}
	e.ecs(t, "DescribeInvocations", "InstanceId", id, "IncludeOutput", "true", "ContentEncoding", "PlainText").into(t, &all)
	if list := all.Invocations.Invocation; len(list) != 1 || list[0].InvokeId != run.InvokeId || list[0].CommandName != "set" ||
		!strings.Contains(list[0].CommandContent, "chpasswd") || list[0].InvocationStatus != "Success" || list[0].InvokeStatus != "Finished" ||
		list[0].InvokeInstances.InvokeInstance[0].Output != last.Output {
		t.Errorf("%+v", list)
	}
	for name, c := range map[string]struct {
		params []string
		want   int
	}{
		"by name":        {[]string{"CommandName", "set"}, 1},
		"by another":     {[]string{"CommandName", "unset"}, 0},
		"by tag":         {[]string{"Tag.1.Key", "by", "Tag.1.Value", "cloudpw"}, 1},
		"by another tag": {[]string{"Tag.1.Key", "by", "Tag.1.Value", "me"}, 0},
		"by status":      {[]string{"InvokeStatus", "Finished"}, 1},
		"running ones":   {[]string{"InvokeStatus", "Running"}, 0},
		"by command":     {[]string{"CommandId", run.CommandId}, 1},
		"by invocation":  {[]string{"InvokeId", "t-none"}, 0},
		"by type":        {[]string{"CommandType", "RunPowerShellScript"}, 0},
	} {
		all.Invocations.Invocation = nil
		if e.ecs(t, "DescribeInvocations", c.params...).into(t, &all); len(all.Invocations.Invocation) != c.want {
			t.Errorf("%s: %d commands, want %d", name, len(all.Invocations.Invocation), c.want)
		}
	}
}

func TestAlibabaClientToken(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
	id := e.creds.Servers["linux-1"]
	params := e.runParams(t, id, "ClientToken", "attempt-1")
	var first, second, third runAnswer
	e.ecs(t, "RunCommand", params...).into(t, &first)
	e.ecs(t, "RunCommand", params...).into(t, &second)
	if second.InvokeId != first.InvokeId || second.CommandId != first.CommandId || second.RequestId == first.RequestId {
		t.Errorf("the same token: %+v, then %+v", first, second)
	}
	if got := e.ecs(t, "RunCommand", append(params, "Timeout", "60")...); got.Code != "IdempotentParameterMismatch" {
		t.Errorf("the same token, another request: %q", got.Code)
	}
	e.ecs(t, "RunCommand", e.runParams(t, id, "ClientToken", "attempt-2")...).into(t, &third)
	if third.InvokeId == first.InvokeId {
		t.Error("two tokens, one invocation")
	}
	// The first answer comes also when the server could not run it any more, and after a lost answer.
	if err := e.sim.World().SetState(id, model.StateStopped); err != nil {
		t.Fatal(err)
	}
	e.ecs(t, "RunCommand", params...).into(t, &second)
	if second.InvokeId != first.InvokeId || len(e.results(t)) != 2 {
		t.Errorf("%+v, %d commands", second, len(e.results(t)))
	}
	// A refused request leaves nothing behind.
	if got := e.ecs(t, "RunCommand", e.runParams(t, id, "ClientToken", "attempt-3")...); got.Code != "InvalidInstance.NotMatch" {
		t.Errorf("stopped: %q", got.Code)
	}
	if err := e.sim.World().SetState(id, model.StateRunning); err != nil {
		t.Fatal(err)
	}
	e.ecs(t, "RunCommand", e.runParams(t, id, "ClientToken", "attempt-3")...).into(t, &third)
}

// A command whose answer was lost is found by its token, also when the request itself arrives after its repetition.
func TestAlibabaLostAnswer(t *testing.T) {
	for _, kind := range []model.FaultKind{model.FaultDropAfter, model.FaultLateArrival, model.FaultDropBefore} {
		t.Run(string(kind), func(t *testing.T) {
			e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
			w, id := e.sim.World(), e.creds.Servers["linux-1"]
			fault := model.Fault{Kind: kind, Action: "RunCommand", Count: 1, Delay: 100 * time.Millisecond}
			if _, err := w.AddFault(fault); err != nil {
				t.Fatal(err)
			}
			call := alibabaCall{version: ecsVersion, action: "RunCommand", params: e.params(e.runParams(t, id, "ClientToken", "one")...)}
			if got, err := e.try(t, call); err == nil {
				t.Fatalf("the answer was not lost: %+v", got)
			}
			var run runAnswer
			e.send(t, call).into(t, &run)
			if !eventually(func() bool {
				return !slices.ContainsFunc(w.Log(0), func(l model.Entry) bool { return l.Finished.IsZero() })
			}) {
				t.Fatal("a request is still on its way")
			}
			w.Advance(2 * time.Hour)
			all := w.Invocations(nil)
			if len(all) != 1 || all[0].CommandID != run.InvokeId || all[0].State != model.CommandSucceeded {
				t.Errorf("%+v, want one command, %s", all, run.InvokeId)
			}
		})
	}
}

func TestAlibabaCommandRefusals(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{})
	w := e.sim.World()
	id, windows := e.creds.Servers["linux-1"], e.creds.Servers["windows-1"]
	locked, err := w.AddServer(model.Server{Cloud: model.AlibabaCloud, AccountID: e.creds.AccountID, Region: e.creds.Region,
		LockReasons: []string{"security"}})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := w.AddServer(model.Server{Cloud: model.AlibabaCloud, AccountID: e.creds.AccountID, Region: e.creds.Region,
		Guest: model.Guest{Agent: model.AgentAbsent}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change map[string]string // "" takes a parameter away
		status int
		code   string
	}{
		"no type":      {map[string]string{"Type": ""}, 400, "MissingType"},
		"another type": {map[string]string{"Type": "RunPython"}, 404, "InvalidCmdType.NotFound"},
		"no content":   {map[string]string{"CommandContent": ""}, 400, "MissingCommandContent"},
		"not base64":   {map[string]string{"CommandContent": "%"}, 400, "CmdContent.DecodeError"},
		"too much":     {map[string]string{"CommandContent": strings.Repeat("A", 24<<10+4)}, 403, "CmdContent.ExceedLimit"},
		"too much, kept": {map[string]string{"CommandContent": strings.Repeat("A", 18<<10+4), "KeepCommand": "true"}, 403,
			"CmdContent.ExceedLimit"},
		"too much, plain": {map[string]string{"CommandContent": strings.Repeat("A", 18<<10+1), "ContentEncoding": "PlainText"}, 403,
			"CmdContent.ExceedLimit"},
		"no instance":       {map[string]string{"InstanceId.1": ""}, 400, "MissingParam.InstanceId"},
		"unknown instance":  {map[string]string{"InstanceId.1": "i-x"}, 404, "InvalidInstance.NotFound"},
		"one of two":        {map[string]string{"InstanceId.2": "i-x"}, 404, "InvalidInstance.NotFound"},
		"instance twice":    {map[string]string{"InstanceId.2": id}, 400, "InvalidParameter"},
		"another system":    {map[string]string{"InstanceId.1": windows}, 400, "InvalidInstance.NotMatch"},
		"locked":            {map[string]string{"InstanceId.1": locked.ID}, 403, "InstanceLockedForSecurity"},
		"no agent":          {map[string]string{"InstanceId.1": bare.ID}, 403, "InvalidInstance.NoClient"},
		"no time":           {map[string]string{"Timeout": "0"}, 400, "InvalidParameter"},
		"too much time":     {map[string]string{"Timeout": "86401"}, 403, "InvalidTimeout.ExceedLimit"},
		"mode":              {map[string]string{"RepeatMode": "Never"}, 404, "InvalidRepeatMode.NotFound"},
		"no frequency":      {map[string]string{"RepeatMode": "Period"}, 400, "MissingParam.Frequency"},
		"at the next start": {map[string]string{"RepeatMode": "NextRebootOnly"}, 403, "Operation.Forbidden"},
		"termination":       {map[string]string{"TerminationMode": "Forest"}, 404, "InvalidTerminationMode.NotFound"},
		"name":              {map[string]string{"Name": strings.Repeat("n", 129)}, 403, "CmdName.ExceedLimit"},
		"description":       {map[string]string{"Description": strings.Repeat("n", 513)}, 403, "CmdDesc.ExceedLimit"},
		"folder":            {map[string]string{"WorkingDir": strings.Repeat("n", 201)}, 400, "InvalidParameter.WorkingDir"},
		"user":              {map[string]string{"Username": strings.Repeat("n", 256)}, 403, "Username.ExceedLimit"},
		"another user":      {map[string]string{"Username": "me"}, 403, "Operation.Forbidden"},
		"long token":        {map[string]string{"ClientToken": strings.Repeat("n", 65)}, 400, "InvalidClientToken.Malformed"},
		"token in Chinese":  {map[string]string{"ClientToken": "实"}, 400, "InvalidClientToken.Malformed"},
		"parameters":        {map[string]string{"Parameters": "{}"}, 400, "Parameter.Disabled"},
		"with parameters":   {map[string]string{"EnableParameter": "true"}, 403, "Operation.Forbidden"},
		"by tag, too":       {map[string]string{"ResourceTag.1.Key": "app"}, 400, "InvalidResourceTag.ConflictWithInstanceIds"},
		"bad tag":           {map[string]string{"Tag.1.Key": "aliyun"}, 400, "InvalidTagKey.Malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			v := e.params(e.runParams(t, id)...)
			for param, value := range c.change {
				v.Set(param, value)
				if value == "" {
					v.Del(param)
				}
			}
			got := e.send(t, alibabaCall{version: ecsVersion, action: "RunCommand", params: v})
			if got.status != c.status || got.Code != c.code {
				t.Errorf("%d %q, want %d %s", got.status, got.Code, c.status, c.code)
			}
		})
	}
	many := e.params(e.runParams(t, id)...)
	for n := range 100 {
		many.Set(fmt.Sprintf("InstanceId.%d", n+2), "i-x")
	}
	if got := e.send(t, alibabaCall{version: ecsVersion, action: "RunCommand", params: many}); got.Code != "InstanceIds.ExceedLimit" {
		t.Errorf("101 instances: %q", got.Code)
	}
	if list := e.results(t); len(list) != 0 {
		t.Errorf("%d commands were accepted", len(list))
	}
	// A dry run judges, and starts nothing.
	if got := e.ecs(t, "RunCommand", e.runParams(t, id, "RepeatMode", "DryRun")...); got.status != 200 || len(e.results(t)) != 0 {
		t.Errorf("dry run: %d %q, %d commands", got.status, got.Code, len(e.results(t)))
	}
	if err := w.SetGuest(id, model.Guest{Agent: model.AgentOffline}); err != nil {
		t.Fatal(err)
	}
	if got := e.ecs(t, "RunCommand", e.runParams(t, id, "RepeatMode", "DryRun")...); got.Code != "InvalidInstance.NoClient" {
		t.Errorf("dry run without an agent: %q", got.Code)
	}
	for name, c := range map[string]struct {
		action string
		params []string
		want   string
	}{
		"results, too many":   {"DescribeInvocationResults", []string{"MaxResults", "51"}, "InvalidParameter.MaxResults"},
		"results, none":       {"DescribeInvocationResults", []string{"MaxResults", "0"}, "InvalidParameter.MaxResults"},
		"results, token":      {"DescribeInvocationResults", []string{"NextToken", "x"}, "InvalidParameter.NextToken"},
		"results, encoding":   {"DescribeInvocationResults", []string{"ContentEncoding", "Hex"}, "InvalidParameter"},
		"results, status":     {"DescribeInvocationResults", []string{"InvokeRecordStatus", "Lost"}, "InvalidParameter"},
		"commands, output":    {"DescribeInvocations", []string{"IncludeOutput", "true"}, "InvalidParameter"},
		"commands, too many":  {"DescribeInvocations", []string{"MaxResults", "51"}, "InvalidParameter.MaxResults"},
		"stop, which":         {"StopInvocation", nil, "MissingInvokeId"},
		"stop, unknown":       {"StopInvocation", []string{"InvokeId", "t-x"}, "InvalidInvokeId.NotFound"},
		"assistant, too many": {"DescribeCloudAssistantStatus", []string{"MaxResults", "51"}, "InvalidParameter.MaxResults"},
		"assistant, system":   {"DescribeCloudAssistantStatus", []string{"OSType", "Plan9"}, "InvalidParameter"},
	} {
		if got := e.ecs(t, c.action, c.params...); got.Code != c.want {
			t.Errorf("%s: %q, want %s", name, got.Code, c.want)
		}
	}
}

// What becomes of a command that does not come to its own end.
func TestAlibabaCommandEnds(t *testing.T) {
	for name, c := range map[string]struct {
		params []string
		// before and during spoil the server before the command, and when it was accepted.
		before func(*testing.T, *alibabaEnv, string)
		during func(*testing.T, *alibabaEnv, string, string)
		fault  *model.Fault
		want   resultAnswer
	}{
		"agent silent": {
			before: func(t *testing.T, e *alibabaEnv, id string) {
				if err := e.sim.World().SetGuest(id, model.Guest{Agent: model.AgentOffline}); err != nil {
					t.Fatal(err)
				}
			},
			want: resultAnswer{InvocationStatus: "Aborted", InvokeRecordStatus: "Failed", ErrorCode: "DeliveryTimeout",
				ErrorInfo: "the command delivery has been timeout"},
		},
		"too slow": {
			fault: &model.Fault{Kind: model.FaultStuck, Action: "RunCommand"},
			want: resultAnswer{InvocationStatus: "Timeout", InvokeRecordStatus: "Failed", ErrorCode: "ExecutionTimeout",
				ErrorInfo: "the command execution has been timeout", Repeats: 1},
		},
		"stopped before it began": {
			during: func(t *testing.T, e *alibabaEnv, id, invoke string) {
				if got := e.ecs(t, "StopInvocation", "InvokeId", invoke, "InstanceId.1", id); got.status != 200 {
					t.Fatalf("%s", got.body)
				}
			},
			want: resultAnswer{InvocationStatus: "Cancelled", InvokeRecordStatus: "Stopped"},
		},
		"released before it began": {
			during: func(t *testing.T, e *alibabaEnv, id, _ string) {
				if err := e.sim.World().Terminate(id); err != nil {
					t.Fatal(err)
				}
			},
			want: resultAnswer{InvocationStatus: "Aborted", InvokeRecordStatus: "Failed", ErrorCode: "InstanceReleased",
				ErrorInfo: "the specified instance was released during task execution"},
		},
		"released while it ran": {
			during: func(t *testing.T, e *alibabaEnv, id, _ string) {
				e.sim.World().Advance(30 * time.Minute)
				if err := e.sim.World().Terminate(id); err != nil {
					t.Fatal(err)
				}
			},
			want: resultAnswer{InvocationStatus: "Error", InvokeRecordStatus: "Failed", ErrorCode: "InstanceReleased",
				ErrorInfo: "the specified instance was released during task execution", Repeats: 1},
		},
		"no such user": {
			before: func(t *testing.T, e *alibabaEnv, id string) {
				if err := e.sim.World().RemoveLogin(id, "root"); err != nil {
					t.Fatal(err)
				}
			},
			want: resultAnswer{InvocationStatus: "Failed", InvokeRecordStatus: "Finished", ErrorCode: "ExitCodeNonzero",
				ErrorInfo: "the command execution exit code is not zero", ExitCode: 82, Repeats: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
			id := e.creds.Servers["linux-1"]
			if c.fault != nil {
				if _, err := e.sim.World().AddFault(*c.fault); err != nil {
					t.Fatal(err)
				}
			}
			if c.before != nil {
				c.before(t, e, id)
			}
			var run runAnswer
			e.ecs(t, "RunCommand", e.runParams(t, id)...).into(t, &run)
			if c.during != nil {
				c.during(t, e, id, run.InvokeId)
			}
			e.sim.World().Advance(3 * time.Hour)
			got := e.results(t, "InvokeId", run.InvokeId)[0]
			if got.FinishedTime == "" {
				t.Error("no FinishedTime")
			}
			got.InvokeId, got.CommandId, got.InstanceId, got.Output, got.StartTime, got.FinishedTime = "", "", "", "", "", ""
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestAlibabaCommandOnWindows(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
	id := e.creds.Servers["windows-1"]
	script := guest.WindowsPrepare()
	var run runAnswer
	e.ecs(t, "RunCommand", "Type", "RunPowerShellScript", "CommandContent", script.Text, "InstanceId.1", id).into(t, &run)
	e.sim.World().Advance(time.Hour)
	got := e.results(t, "InvokeId", run.InvokeId, "ContentEncoding", "PlainText")[0]
	if got.InvocationStatus != "Success" || !strings.Contains(got.Output, "key") {
		t.Errorf("%+v", got)
	}
}

// Results come in pages, and an output is cut at 24 KB.
func TestAlibabaResultsInPages(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
	id := e.creds.Servers["linux-1"]
	var runs []string
	for range 23 {
		var run runAnswer
		e.ecs(t, "RunCommand", e.runParams(t, id)...).into(t, &run)
		runs = append(runs, run.InvokeId)
	}
	slices.Reverse(runs)
	seen, token := []string{}, ""
	for {
		var out resultsAnswer
		e.ecs(t, "DescribeInvocationResults", "MaxResults", "10", "NextToken", token).into(t, &out)
		for _, r := range out.Invocation.InvocationResults.InvocationResult {
			seen = append(seen, r.InvokeId)
		}
		if token = out.Invocation.NextToken; token == "" {
			break
		}
	}
	if !slices.Equal(seen, runs) {
		t.Errorf("%d results, want %d, the newest first", len(seen), len(runs))
	}
	if list := e.results(t, "InvokeId", "t-none"); len(list) != 0 {
		t.Errorf("%d results of an unknown id", len(list))
	}
	e.sim.World().Advance(29 * 24 * time.Hour)
	if list := e.results(t); len(list) != 0 {
		t.Errorf("%d results after four weeks", len(list))
	}
}

func TestAlibabaFaults(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{Options: model.Options{
		OperationTime: time.Hour, RateLimits: map[string]int{"alibabacloud:ecs:DescribeInvocations": 1},
	}})
	w, id := e.sim.World(), e.creds.Servers["linux-1"]
	fault := func(f model.Fault) {
		t.Helper()
		w.ClearFaults()
		f.Cloud, f.Service, f.Action, f.Instance, f.Count = model.AlibabaCloud, "ecs", "RunCommand", id, 1
		if _, err := w.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		fault  model.Fault
		status int
		code   string
	}{
		{model.Fault{Kind: model.FaultThrottle}, 400, "Throttling.User"},
		{model.Fault{Kind: model.FaultServerError}, 500, "InternalError"},
		{model.Fault{Kind: model.FaultRefuse, Code: "Forbidden.RiskControl", Status: 403}, 403, "Forbidden.RiskControl"},
	} {
		fault(c.fault)
		if got := e.ecs(t, "RunCommand", e.runParams(t, id)...); got.status != c.status || got.Code != c.code {
			t.Errorf("%s: %d %q", c.fault.Kind, got.status, got.Code)
		}
	}
	fault(model.Fault{Kind: model.FaultLagRecord, Delay: time.Minute})
	var run runAnswer
	e.ecs(t, "RunCommand", e.runParams(t, id)...).into(t, &run)
	if list := e.results(t, "InvokeId", run.InvokeId); len(list) != 0 {
		t.Errorf("a record that lags is shown: %+v", list)
	}
	w.Advance(time.Hour)
	if list := e.results(t, "InvokeId", run.InvokeId); len(list) != 1 || list[0].InvocationStatus != "Success" {
		t.Errorf("%+v", list)
	}
	e.ecs(t, "DescribeInvocations")
	if got := e.ecs(t, "DescribeInvocations"); got.Code != "Throttling.User" {
		t.Errorf("faster than the limit: %q", got.Code)
	}
	// Another account sees nothing of it.
	other := w.AddAccount(model.Account{Cloud: model.AlibabaCloud, Name: "other", Regions: []string{e.creds.Region}})
	user := w.AddUser(model.User{Cloud: model.AlibabaCloud, Name: "other", AccountID: other.ID})
	stranger := e.as(w.AddAccessKey(model.AccessKey{Cloud: model.AlibabaCloud, AccountID: other.ID, UserID: user.ID}))
	if list := stranger.results(t); len(list) != 0 {
		t.Errorf("another account sees %d results", len(list))
	}
	if got := stranger.ecs(t, "RunCommand", e.runParams(t, id)...); got.Code != "InvalidInstance.NotFound" {
		t.Errorf("another account: %q", got.Code)
	}
}

func TestAlibabaAssistant(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{})
	id, windows := e.creds.Servers["linux-1"], e.creds.Servers["windows-1"]
	if err := e.sim.World().SetGuest(windows, model.Guest{Agent: model.AgentOffline}); err != nil {
		t.Fatal(err)
	}
	var out struct {
		InstanceCloudAssistantStatusSet struct {
			InstanceCloudAssistantStatus []struct{ InstanceId, OSType, CloudAssistantStatus, CloudAssistantVersion string }
		}
	}
	e.ecs(t, "DescribeCloudAssistantStatus", "InstanceId.1", id, "InstanceId.2", windows, "InstanceId.3", "i-x").into(t, &out)
	got := map[string]string{}
	for _, s := range out.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus {
		got[s.InstanceId] = s.OSType + " " + s.CloudAssistantStatus
	}
	if len(got) != 2 || got[id] != "Linux true" || got[windows] != "Windows false" {
		t.Errorf("%v", got)
	}
}

func TestAlibabaSTS(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{})
	w := e.sim.World()
	type identity struct{ IdentityType, AccountId, UserId, RoleId, Arn string }
	who := func(e *alibabaEnv) identity {
		t.Helper()
		var out identity
		e.other(t, stsVersion, "GetCallerIdentity").into(t, &out)
		return out
	}
	if got := who(e); got.IdentityType != "RAMUser" || got.AccountId != e.creds.AccountID ||
		got.Arn != "acs:ram::"+e.creds.AccountID+":user/cloudpw" {
		t.Errorf("%+v", got)
	}
	root := e.as(w.AddAccessKey(model.AccessKey{Cloud: model.AlibabaCloud, AccountID: e.creds.AccountID}))
	if got := who(root); got.IdentityType != "Account" || got.UserId != e.creds.AccountID {
		t.Errorf("%+v", got)
	}
	good := map[string]string{
		"RoleArn": e.creds.RoleARN, "RoleSessionName": "cloudpw", "ExternalId": e.creds.ExternalID, "DurationSeconds": "900",
	}
	assume := func(e *alibabaEnv, change map[string]string) alibabaAnswer {
		t.Helper()
		v := url.Values{}
		for name, value := range good {
			v.Set(name, value)
		}
		for name, value := range change {
			v.Set(name, value)
			if value == "" {
				v.Del(name)
			}
		}
		return e.send(t, alibabaCall{version: stsVersion, action: "AssumeRole", params: v})
	}
	for name, c := range map[string]struct {
		change map[string]string
		status int
		code   string
	}{
		"no role":        {map[string]string{"RoleArn": ""}, 400, "MissingRoleArn"},
		"role's form":    {map[string]string{"RoleArn": "arn:aws:iam::1:role/x"}, 400, "InvalidParameter.RoleArn"},
		"unknown role":   {map[string]string{"RoleArn": "acs:ram::1:role/x"}, 404, "EntityNotExist.Role"},
		"no session":     {map[string]string{"RoleSessionName": ""}, 400, "MissingRoleSessionName"},
		"session":        {map[string]string{"RoleSessionName": "a b"}, 400, "InvalidParameter.RoleSessionName"},
		"too short":      {map[string]string{"DurationSeconds": "899"}, 400, "InvalidParameter.DurationSeconds"},
		"too long":       {map[string]string{"DurationSeconds": "3601"}, 400, "InvalidParameter.DurationSeconds"},
		"another id":     {map[string]string{"ExternalId": "wrong"}, 403, "NoPermission"},
		"no id":          {map[string]string{"ExternalId": ""}, 403, "NoPermission"},
		"id's form":      {map[string]string{"ExternalId": "a b"}, 400, "InvalidParameter.ExternalId"},
		"id's length":    {map[string]string{"ExternalId": strings.Repeat("x", 1225)}, 400, "InvalidParameter.ExternalId"},
		"policy, length": {map[string]string{"Policy": strings.Repeat("x", 2049)}, 400, "InvalidParameter.PolicySize"},
	} {
		if got := assume(e, c.change); got.status != c.status || got.Code != c.code {
			t.Errorf("%s: %d %q, want %d %s", name, got.status, got.Code, c.status, c.code)
		}
	}
	if got := assume(root, nil); got.Code != "NoPermission" {
		t.Errorf("by the account itself: %q", got.Code)
	}
	var out struct {
		AssumedRoleUser struct{ Arn string }
		Credentials     struct{ AccessKeyId, AccessKeySecret, SecurityToken, Expiration string }
	}
	assume(e, nil).into(t, &out)
	until, err := time.Parse("2006-01-02T15:04:05Z", out.Credentials.Expiration)
	if err != nil || time.Until(until) > 15*time.Minute || time.Until(until) < 14*time.Minute ||
		!strings.HasPrefix(out.Credentials.AccessKeyId, "STS.") || out.AssumedRoleUser.Arn != e.creds.RoleARN+"/cloudpw" {
		t.Errorf("%+v, %v", out, err)
	}
	session := e.as(model.AccessKey{ID: out.Credentials.AccessKeyId, Secret: out.Credentials.AccessKeySecret,
		Token: out.Credentials.SecurityToken})
	if got := who(session); got.IdentityType != "AssumedRoleUser" || got.RoleId == "" || got.UserId != "" {
		t.Errorf("%+v", got)
	}
	var list instancesAnswer
	if session.ecs(t, "DescribeInstances").into(t, &list); len(list.Instances.Instance) != 2 {
		t.Errorf("%+v", list)
	}
	if got := session.other(t, ramVersion, "ListAccessKeys"); got.Code != "EntityNotExist.User" {
		t.Errorf("keys of a role: %q", got.Code)
	}
	if _, err := w.Deny(model.AlibabaCloud, e.creds.AccessKey, []string{"sts:*"}); err != nil {
		t.Fatal(err)
	}
	if got := assume(e, nil); got.status != 403 || got.Code != "NoPermission" {
		t.Errorf("without permission: %d %q", got.status, got.Code)
	}
	who(e) // needs none
}

func TestAlibabaAccessKeys(t *testing.T) {
	e := startAlibaba(t, cloudsim.Options{})
	w := e.sim.World()
	type key struct{ AccessKeyId, AccessKeySecret, Status, CreateDate string }
	keys := func(e *alibabaEnv, params ...string) []key {
		t.Helper()
		var out struct{ AccessKeys struct{ AccessKey []key } }
		e.other(t, ramVersion, "ListAccessKeys", params...).into(t, &out)
		return out.AccessKeys.AccessKey
	}
	if list := keys(e); len(list) != 1 || list[0].AccessKeyId != e.creds.AccessKey || list[0].AccessKeySecret != "" ||
		list[0].Status != "Active" {
		t.Errorf("%+v", list)
	}
	var made struct{ AccessKey key }
	e.other(t, ramVersion, "CreateAccessKey").into(t, &made)
	second := e.as(model.AccessKey{ID: made.AccessKey.AccessKeyId, Secret: made.AccessKey.AccessKeySecret})
	if list := keys(second, "UserName", "cloudpw"); len(list) != 2 {
		t.Errorf("%+v", list)
	}
	w.AddUser(model.User{Cloud: model.AlibabaCloud, Name: "somebody", AccountID: e.creds.AccountID})
	old := e.creds.AccessKey
	for name, c := range map[string]struct {
		action string
		params []string
		status int
		code   string
	}{
		"a third":           {"CreateAccessKey", nil, 409, "LimitExceeded.User.AccessKey"},
		"of nobody":         {"CreateAccessKey", []string{"UserName", "nobody"}, 404, "EntityNotExist.User"},
		"a name's form":     {"CreateAccessKey", []string{"UserName", "a b"}, 400, "InvalidParameter.UserName.InvalidChars"},
		"a name's length":   {"CreateAccessKey", []string{"UserName", strings.Repeat("a", 65)}, 400, "InvalidParameter.UserName.Length"},
		"which":             {"DeleteAccessKey", nil, 400, "MissingUserAccessKeyId"},
		"unknown":           {"DeleteAccessKey", []string{"UserAccessKeyId", "LTAI5tx"}, 404, "EntityNotExist.User.AccessKey"},
		"another's":         {"DeleteAccessKey", []string{"UserAccessKeyId", old, "UserName", "somebody"}, 404, "EntityNotExist.User.AccessKey"},
		"to what":           {"UpdateAccessKey", []string{"UserAccessKeyId", old}, 400, "MissingStatus"},
		"to something else": {"UpdateAccessKey", []string{"UserAccessKeyId", old, "Status", "Off"}, 400, "InvalidParameter"},
	} {
		if got := second.other(t, ramVersion, c.action, c.params...); got.status != c.status || got.Code != c.code {
			t.Errorf("%s: %d %q, want %d %s", name, got.status, got.Code, c.status, c.code)
		}
	}
	second.other(t, ramVersion, "UpdateAccessKey", "UserAccessKeyId", old, "Status", "Inactive").into(t, &struct{}{})
	if got := e.ecs(t, "DescribeInstances"); got.Code != "InvalidAccessKeyId.Inactive" {
		t.Errorf("switched off: %q", got.Code)
	}
	second.other(t, ramVersion, "DeleteAccessKey", "UserAccessKeyId", old).into(t, &struct{}{})
	if got := e.ecs(t, "DescribeInstances"); got.status != 404 || got.Code != "InvalidAccessKeyId.NotFound" {
		t.Errorf("deleted: %d %q", got.status, got.Code)
	}
	if list := keys(second); len(list) != 1 || list[0].AccessKeyId != made.AccessKey.AccessKeyId {
		t.Errorf("%+v", list)
	}
	if _, err := w.Deny(model.AlibabaCloud, made.AccessKey.AccessKeyId, []string{"ram:*"}); err != nil {
		t.Fatal(err)
	}
	if got := second.other(t, ramVersion, "ListAccessKeys"); got.status != 403 || got.Code != "NoPermission" {
		t.Errorf("without permission: %d %q", got.status, got.Code)
	}
}

// What an agent does behind the cloud's back does not show in the cloud's answers.
func TestAlibabaAgentFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault model.Fault
		// want is the record of the command, status and output; "" for none.
		status, output string
		unreported     int
	}{
		"runs late": {fault: model.Fault{Kind: model.FaultLate, Delay: 3 * time.Hour}, status: "Aborted", unreported: 1},
		"runs again": {fault: model.Fault{Kind: model.FaultAgain, Delay: time.Hour}, status: "Success", output: "cloudpw: exit 0 password set\n",
			unreported: 1},
		"says nothing":     {fault: model.Fault{Kind: model.FaultAgentSilent}, status: "Timeout"},
		"says little":      {fault: model.Fault{Kind: model.FaultOutputCut, Bytes: 7}, status: "Success", output: "cloudpw"},
		"record is lost":   {fault: model.Fault{Kind: model.FaultRecordLost}},
		"record lost late": {fault: model.Fault{Kind: model.FaultRecordLost, Delay: 2 * time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			e := startAlibaba(t, cloudsim.Options{Options: model.Options{OperationTime: time.Hour}})
			w, id := e.sim.World(), e.creds.Servers["linux-1"]
			c.fault.Action = "RunCommand"
			if _, err := w.AddFault(c.fault); err != nil {
				t.Fatal(err)
			}
			var run runAnswer
			e.ecs(t, "RunCommand", e.runParams(t, id)...).into(t, &run)
			for range 8 { // in steps, as what an agent does counts from what it did before
				w.Advance(time.Hour)
			}
			list := e.results(t, "InvokeId", run.InvokeId, "ContentEncoding", "PlainText")
			switch {
			case c.status == "" && len(list) != 0:
				t.Errorf("%+v, want no record", list)
			case c.status != "" && (len(list) != 1 || list[0].InvocationStatus != c.status || list[0].Output != c.output):
				t.Errorf("%+v, want %s %q", list, c.status, c.output)
			}
			all := w.Invocations(nil)
			if len(all) != 1 || len(all[0].Unreported) != c.unreported {
				t.Errorf("%+v, want %d runs that the cloud knows nothing of", all, c.unreported)
			}
		})
	}
}
