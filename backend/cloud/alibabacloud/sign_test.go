package alibabacloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
)

func hmacHex(secret, s string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(s))
	return hex.EncodeToString(mac.Sum(nil))
}

// The example of the cloud's own page on the signature (help.aliyun.com/zh/resource-management/common-parameters and its siblings).
func TestSignatureKnownAnswer(t *testing.T) {
	const want = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		"https://ecs.cn-shanghai.aliyuncs.com/?RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		headerAction: "RunInstances", headerVersion: "2014-05-26", headerDate: "2023-10-26T10:22:32Z",
		headerNonce: "3156853299f313e23d1673dc12e1703d", headerHash: hashOf(""), "Accept": "application/json",
	} {
		r.Header.Set(name, value)
	}
	got := authorization(r, keys{id: "YourAccessKeyId", secret: "YourAccessKeySecret"})
	const head = "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=" +
		"host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature="
	if got != head+want {
		t.Errorf("%s, want %s", got, head+want)
	}
}

func TestPercentEncoding(t *testing.T) {
	if got := percentEncode("a b*c~d+/=&\u00e9_-."); got != "a%20b%2Ac~d%2B%2F%3D%26%C3%A9_-." {
		t.Error(got)
	}
	if got := canonicalQuery(map[string][]string{"b": {"2"}, "a.10": {"x"}, "a.1": {"y", "w"}}); got != "a.1=w&a.1=y&a.10=x&b=2" {
		t.Error(got)
	}
	if !strings.HasPrefix(hashOf(""), "e3b0c442") {
		t.Error(hashOf(""))
	}
}
