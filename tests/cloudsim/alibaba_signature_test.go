package cloudsim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

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
