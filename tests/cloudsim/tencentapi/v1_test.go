package tencentapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// The example of the page on Signature v1, with its fictitious key (tencentcloud.com/document/product/213/30654).
const (
	knownV1 = "Action=DescribeInstances&InstanceIds.0=ins-09dx96dg&Limit=20&Nonce=11886&Offset=0" +
		"&Region=ap-guangzhou&SecretId=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE&Timestamp=1465185768&Version=2017-03-12"
	knownV1Secret = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
	knownV1Answer = "EliP9YW3pW28FpsEdkXt/+WcGeI="
)

func TestVerifyKnownAnswerV1(t *testing.T) {
	verifies := func(host, query, secret string) bool {
		t.Helper()
		a, f := read(httptest.NewRequest(http.MethodGet, "http://"+host+"/?"+query, nil))
		if f != nil {
			t.Fatal(f)
		}
		return a.claim.verify(secret)
	}
	const host = "cvm.tencentcloudapi.com"
	query := knownV1 + "&Signature=" + url.QueryEscape(knownV1Answer)
	for name, c := range map[string]struct {
		host, query, secret string
		want                bool
	}{
		"the known signature": {host, query, knownV1Secret, true},
		"without the port":    {host + ":8080", query, knownV1Secret, true},
		"another secret":      {host, query, knownV1Secret + "x", false},
		"another host":        {"elsewhere.example", query, knownV1Secret, false},
		"one parameter more":  {host, query + "&Token=x", knownV1Secret, false},
		"another method":      {host, query + "&SignatureMethod=HmacSHA256", knownV1Secret, false},
	} {
		if got := verifies(c.host, c.query, c.secret); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
