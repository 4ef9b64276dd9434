package cloudsim_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Every way in which the SDK signs and sends works for lists, structures, numbers and booleans alike, and
// is refused with the wrong secret, token or time.
func TestTencentWaysToSign(t *testing.T) {
	now := time.Now()
	e := startTencent(t, cloudsim.Options{Options: model.Options{Now: func() time.Time { return now }, RateLimits: map[string]int{},
		OperationTime: time.Hour}})
	temporary := e.sim.World().AddAccessKey(model.AccessKey{
		Cloud: model.TencentCloud, AccountID: e.creds.AccountID, UserID: e.creds.UserID, Token: "token+/=", Expires: now.Add(time.Hour),
	})
	for _, sign := range []string{"TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256"} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(sign+" "+method, func(t *testing.T) {
				now = time.Now()
				client := func(id, secret, token string) *cvm.Client {
					t.Helper()
					p := e.profile(t)
					p.SignMethod, p.HttpProfile.ReqMethod = sign, method
					c, err := cvm.NewClient(common.NewTokenCredential(id, secret, token), e.creds.Region, p)
					if err != nil {
						t.Fatal(err)
					}
					return c
				}
				list := func(c *cvm.Client) (*cvm.DescribeInstancesResponse, error) {
					r := cvm.NewDescribeInstancesRequest()
					r.Filters = []*cvm.Filter{
						{Name: common.StringPtr("tag:app"), Values: common.StringPtrs([]string{"other & more", "demo"})},
						{Name: common.StringPtr("instance-name"), Values: common.StringPtrs([]string{"linux-1", "ubuntu-1"})},
					}
					r.Limit = common.Int64Ptr(1)
					return c.DescribeInstances(r)
				}
				good := client(e.creds.AccessKey, e.creds.SecretKey, "")
				found, err := list(good)
				if err != nil || *found.Response.TotalCount != 2 || len(found.Response.InstanceSet) != 1 {
					t.Fatalf("%v, %v", found, err)
				}
				reset := cvm.NewResetInstancesPasswordRequest()
				reset.InstanceIds = common.StringPtrs([]string{e.creds.Servers["linux-1"], e.creds.Servers["windows-1"]})
				reset.Password, reset.UserName, reset.ForceStop = common.StringPtr("a+B /%&=#1`'(|)2"), common.StringPtr("Administrator"),
					common.BoolPtr(false)
				if _, err := good.ResetInstancesPassword(reset); code(err) != "UnsupportedOperation.InstanceStateRunning" {
					t.Errorf("a reset without ForceStop: %v", err)
				}
				for want, c := range map[string]*cvm.Client{
					"":                             client(temporary.ID, temporary.Secret, temporary.Token),
					"AuthFailure.SignatureFailure": client(e.creds.AccessKey, e.creds.SecretKey+"x", ""),
					"AuthFailure.TokenFailure":     client(temporary.ID, temporary.Secret, "x"),
					"AuthFailure.SecretIdNotFound": client("AKID00000000000000000000", e.creds.SecretKey, ""),
					"AuthFailure.InvalidSecretId":  client("AKIA00000000000000000000", e.creds.SecretKey, ""),
				} {
					if _, err := list(c); code(err) != want {
						t.Errorf("got %v, want %q", err, want)
					}
				}
				now = now.Add(6 * time.Minute)
				if _, err := list(good); code(err) != "AuthFailure.SignatureExpire" {
					t.Errorf("six minutes late: %v", err)
				}
			})
		}
	}
}

// raw sends a request as it is and returns code and message of the answer, which is 200 and of the API's form.
func (e *tencentEnv) raw(t *testing.T, method, path, body string, header http.Header) (code, message string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, e.sim.URL(model.TencentCloud, "cvm")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Response struct {
			Error     struct{ Code, Message string }
			RequestID string `json:"RequestId"`
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil || resp.StatusCode != http.StatusOK || answer.Response.RequestID == "" {
		t.Fatalf("HTTP %d, %s", resp.StatusCode, text)
	}
	return answer.Response.Error.Code, answer.Response.Error.Message
}

// signed makes the headers of a request with Signature v3, as somebody does who has read the manual and no SDK.
func (e *tencentEnv) signed(t *testing.T, service, action, version, body string, more map[string]string) http.Header {
	t.Helper()
	u, err := url.Parse(e.sim.URL(model.TencentCloud, "cvm"))
	if err != nil {
		t.Fatal(err)
	}
	sum := func(text string) string { s := sha256.Sum256([]byte(text)); return hex.EncodeToString(s[:]) }
	mac := func(key []byte, text string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	now := time.Now()
	date, stamp := now.UTC().Format(time.DateOnly), strconv.FormatInt(now.Unix(), 10)
	header := http.Header{}
	for name, value := range map[string]string{
		"Content-Type": "application/json; charset=UTF-8", "X-TC-Action": action, "X-TC-Version": version, "X-TC-Timestamp": stamp,
		"X-TC-Region": e.creds.Region, "X-TC-Language": "en-US",
	} {
		header.Set(name, value)
	}
	// The manual writes names and values in lower case.
	const names = "content-type;host;x-tc-action;x-tc-region"
	canonical := fmt.Sprintf("POST\n/\n\ncontent-type:application/json; charset=utf-8\nhost:%s\nx-tc-action:%s\nx-tc-region:%s\n\n%s\n%s",
		u.Host, strings.ToLower(action), e.creds.Region, names, sum(body))
	scope := date + "/" + service + "/tc3_request"
	key := mac(mac(mac([]byte("TC3"+e.creds.SecretKey), date), service), "tc3_request")
	signature := hex.EncodeToString(mac(key, "TC3-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+sum(canonical)))
	header.Set("Authorization", "TC3-HMAC-SHA256 Credential="+e.creds.AccessKey+"/"+scope+", SignedHeaders="+names+", Signature="+signature)
	for name, value := range more {
		header[http.CanonicalHeaderKey(name)] = []string{value}
		if value == "-" {
			header.Del(name)
		}
	}
	return header
}

// Requests that no SDK makes.
func TestTencentWireForms(t *testing.T) {
	e := startTencent(t, cloudsim.Options{Options: model.Options{RateLimits: map[string]int{}}})
	const version = "2017-03-12"
	old := "Action=DescribeInstances&Version=" + version + "&Region=" + e.creds.Region + "&Nonce=1&SecretId=" + e.creds.AccessKey +
		"&Signature=x&Language=en-US"
	now := strconv.FormatInt(time.Now().Unix(), 10)
	for name, c := range map[string]struct {
		method, path, body string
		header             http.Header
		code, message      string // message is a part
	}{
		"lower-case values": {"POST", "/", "{}", e.signed(t, "cvm", "DescribeInstances", version, "{}", nil), "", ""},
		"empty body":        {"POST", "/", "", e.signed(t, "cvm", "DescribeInstances", version, "", nil), "", ""},
		"changed body": {"POST", "/", "{ }", e.signed(t, "cvm", "DescribeInstances", version, "{}", nil), "AuthFailure.SignatureFailure",
			""},
		"changed action": {"POST", "/", "{}", e.signed(t, "cvm", "DescribeInstances", version, "{}",
			map[string]string{"X-TC-Action": "ResetInstancesPassword"}),
			"AuthFailure.SignatureFailure", ""},
		"another service": {"POST", "/", "{}", e.signed(t, "cam", "DescribeInstances", version, "{}", nil), "AuthFailure.InvalidAuthorization",
			"`Service` in Credential not valid"},
		"no signature": {"POST", "/", "{}", e.signed(t, "cvm", "DescribeInstances", version, "{}", map[string]string{"Authorization": "-"}),
			"AuthFailure.InvalidAuthorization", ""},
		"no timestamp": {"POST", "/", "{}", e.signed(t, "cvm", "DescribeInstances", version, "{}", map[string]string{"X-TC-Timestamp": "-"}),
			"MissingParameter", "`Timestamp`"},
		"no action": {"POST", "/", "{}", e.signed(t, "cvm", "DescribeInstances", version, "{}", map[string]string{"X-TC-Action": "-"}),
			"MissingParameter", "`Action`"},
		"no version": {"POST", "/", "{}", e.signed(t, "cvm", "DescribeInstances", version, "{}", map[string]string{"X-TC-Version": "-"}),
			"MissingParameter", "`Version`"},
		"empty region": {"POST", "/", "{}", e.signed(t, "cvm", "DescribeInstances", version, "{}", map[string]string{"X-TC-Region": ""}),
			"InvalidParameterValue", "`X-TC-Region`"},
		"timestamp in words": {"POST", "/", "{}", e.signed(t, "cvm", "DescribeInstances", version, "{}",
			map[string]string{"X-TC-Timestamp": "now"}), "InvalidParameter", "`Timestamp`"},
		"form with v3": {"POST", "/", "{}", e.signed(t, "cvm", "DescribeInstances", version, "{}",
			map[string]string{"Content-Type": "application/x-www-form-urlencoded"}),
			"InvalidParameter", "Content-Type"},
		"not JSON":    {"POST", "/", "[]", e.signed(t, "cvm", "DescribeInstances", version, "[]", nil), "InvalidParameter", ""},
		"two objects": {"POST", "/", "{}{}", e.signed(t, "cvm", "DescribeInstances", version, "{}{}", nil), "InvalidParameter", ""},
		"text for number": {"POST", "/", `{"Limit":"1"}`, e.signed(t, "cvm", "DescribeInstances", version, `{"Limit":"1"}`, nil),
			"InvalidParameter", "The value type of parameter `Limit` is not valid."},
		"fraction": {"POST", "/", `{"Limit":1.5}`, e.signed(t, "cvm", "DescribeInstances", version, `{"Limit":1.5}`, nil),
			"InvalidParameter", "`Limit`"},
		"null": {"POST", "/", `{"Limit":null}`, e.signed(t, "cvm", "DescribeInstances", version, `{"Limit":null}`, nil), "", ""},
		"name in lower case": {"POST", "/", `{"Filters":[{"name":"zone","Values":["x"]}]}`,
			e.signed(t, "cvm", "DescribeInstances", version, `{"Filters":[{"name":"zone","Values":["x"]}]}`, nil), "UnknownParameter",
			"`Filters.0.name`"},
		"nothing at all":   {"GET", "/", "", nil, "MissingParameter", ""},
		"JSON without v3":  {"POST", "/", "{}", http.Header{"Content-Type": {"application/json"}}, "MissingParameter", ""},
		"PUT":              {"PUT", "/", "{}", nil, "UnsupportedProtocol", ""},
		"v1, no timestamp": {"GET", "/?" + old, "", nil, "MissingParameter", "`Timestamp`"},
		"v1, wrong":        {"GET", "/?" + old + "&Timestamp=" + now, "", nil, "AuthFailure.SignatureFailure", ""},
		"v1, unknown method": {"GET", "/?" + old + "&SignatureMethod=MD5&Timestamp=" + now, "", nil,
			"InvalidParameterValue", "The value `MD5` specified in the parameter `SignatureMethod` is not valid."},
		"v1, expired":      {"GET", "/?" + old + "&Timestamp=1465185768", "", nil, "AuthFailure.SignatureExpire", ""},
		"v1, list and not": {"GET", "/?" + old + "&InstanceIds=x&InstanceIds.0=y&Timestamp=" + now, "", nil, "InvalidParameter", "`InstanceIds"},
		"long query": {"GET", "/?" + old + "&Timestamp=" + now + "&X=" + strings.Repeat("x", 32<<10), "", nil, "RequestSizeLimitExceeded",
			""},
		"long form": {"POST", "/", old + "&Timestamp=" + now + "&X=" + strings.Repeat("x", 1<<20), nil, "AuthFailure.SignatureFailure",
			"TC3-HMAC-SHA256"},
	} {
		t.Run(name, func(t *testing.T) {
			got, message := e.raw(t, c.method, c.path, c.body, c.header)
			if got != c.code || !strings.Contains(message, c.message) {
				t.Errorf("%q, %q; want %q, %q", got, message, c.code, c.message)
			}
		})
	}
}
