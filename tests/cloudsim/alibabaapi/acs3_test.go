package alibabaapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The known answer is that of the page on the V3 signature.
const (
	knownSecret = "YourAccessKeySecret"
	knownValue  = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
	knownSigned = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
	knownHost   = "ecs.cn-shanghai.aliyuncs.com"
	noBody      = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// knownRequest builds the request of the known answer; change spoils it.
func knownRequest(change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost,
		"http://"+knownHost+"/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai", nil)
	for name, value := range map[string]string{
		"x-acs-action": "RunInstances", "x-acs-version": "2014-05-26", "x-acs-date": "2023-10-26T10:22:32Z",
		"x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d", "x-acs-content-sha256": noBody,
		"Authorization": "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=" + knownSigned + ",Signature=" + knownValue,
	} {
		r.Header.Set(name, value)
	}
	if change != nil {
		change(r)
	}
	return r
}

func TestVerifyKnownAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*http.Request)
		secret string
		body   string
		want   bool
	}{
		"as published":    {want: true},
		"wrong secret":    {secret: knownSecret + "x"},
		"a body":          {body: "a=b"},
		"another query":   {change: func(r *http.Request) { r.URL.RawQuery += "&More=1" }},
		"another host":    {change: func(r *http.Request) { r.Host = "elsewhere.example" }},
		"host and port":   {change: func(r *http.Request) { r.Host += ":8080" }, want: true},
		"another action":  {change: func(r *http.Request) { r.Header.Set("x-acs-action", "DeleteInstances") }},
		"another method":  {change: func(r *http.Request) { r.Method = http.MethodGet }},
		"another digest":  {change: func(r *http.Request) { r.Header.Set("x-acs-content-sha256", strings.Repeat("0", 64)) }},
		"encoded another": {change: func(r *http.Request) { r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "_", "%5F") }, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := knownRequest(c.change)
			s, f := parseSignature(r)
			if f != nil {
				t.Fatal(f.code, f.message)
			}
			secret := knownSecret
			if c.secret != "" {
				secret = c.secret
			}
			query, err := url.ParseQuery(r.URL.RawQuery)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.verify(r, query, []byte(c.body), secret); got != c.want {
				t.Errorf("accepted: %v, want %v", got, c.want)
			}
		})
	}
}

func TestCanonicalQuery(t *testing.T) {
	query, err := url.ParseQuery("b=1+2&a=%2A~%2B&Tag.10.Key=x&Tag.1.Key=%E5%AE%9E&c=")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := canonicalQuery(query), "Tag.1.Key=%E5%AE%9E&Tag.10.Key=x&a=%2A~%2B&b=1%202&c="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseSignatureRefuses(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	sign := func(signed string) func(*http.Request) {
		return header("Authorization", "ACS3-HMAC-SHA256 Credential=k,SignedHeaders="+signed+",Signature=00")
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   string
	}{
		"no header":           {header("Authorization", ""), "IncompleteSignature"},
		"another algorithm":   {header("Authorization", "ACS3-HMAC-SM3 Credential=k,SignedHeaders=host,Signature=00"), "IncompleteSignature"},
		"no credential":       {header("Authorization", "ACS3-HMAC-SHA256 SignedHeaders=host,Signature=00"), "IncompleteSignature"},
		"no nonce":            {header("x-acs-signature-nonce", ""), "MissingSignatureNonce"},
		"no digest":           {header("x-acs-content-sha256", ""), "IncompleteSignature"},
		"no date":             {header("x-acs-date", ""), "InvalidTimeStamp.Format"},
		"another zone":        {header("x-acs-date", "2023-10-26T10:22:32+08:00"), "InvalidTimeStamp.Format"},
		"host not signed":     {sign(strings.TrimPrefix(knownSigned, "host;")), "IncompleteSignature"},
		"action not signed":   {sign(strings.Replace(knownSigned, "x-acs-action;", "", 1)), "IncompleteSignature"},
		"not in order":        {sign("x-acs-version;" + strings.TrimSuffix(knownSigned, ";x-acs-version")), "IncompleteSignature"},
		"type not signed":     {header("Content-Type", formType), "IncompleteSignature"},
		"another x-acs one":   {header("x-acs-security-token", "t"), "IncompleteSignature"},
		"nothing in its form": {header("Authorization", "rubbish"), "IncompleteSignature"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, f := parseSignature(knownRequest(c.change)); f == nil || f.code != c.want {
				t.Errorf("got %v, want %s", f, c.want)
			}
		})
	}
}
