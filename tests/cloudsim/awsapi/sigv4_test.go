package awsapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var (
	testKey  = aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret/with+signs"}
	testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// sdkSigned makes a request that the SDK's own signer signed.
func sdkSigned(t *testing.T, method, url, body string, presign bool) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Amz-Meta", "  two   words ")
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	if !presign {
		if err := v4.NewSigner().SignHTTP(context.Background(), testKey, r, hash, "ec2", "eu-central-1", testTime); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r.Header = http.Header{}
	q := r.URL.Query()
	q.Set("X-Amz-Expires", "60")
	r.URL.RawQuery = q.Encode()
	signedURL, _, err := v4.NewSigner().PresignHTTP(context.Background(), testKey, r, hash, "ec2", "eu-central-1", testTime)
	if err != nil {
		t.Fatal(err)
	}
	r, err = http.NewRequestWithContext(context.Background(), method, signedURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerifyAcceptsTheSDKsSignature(t *testing.T) {
	for name, c := range map[string]struct {
		method, url, body string
		presign           bool
	}{
		"form":          {http.MethodPost, "http://127.0.0.1:8080/", "Action=GetPasswordData&Version=2016-11-15", false},
		"query":         {http.MethodGet, "http://ec2.localhost/?Action=X&b=1&a=z%20z&a=b~c&empty=", "", false},
		"path":          {http.MethodGet, "http://ec2.localhost/a%20b/c", "", false},
		"presigned URL": {http.MethodGet, "http://127.0.0.1:8080/?Action=GetCallerIdentity&Version=2011-06-15", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := sdkSigned(t, c.method, c.url, c.body, c.presign)
			s, err := parseSignature(r)
			if err != nil {
				t.Fatal(err)
			}
			if s.keyID != testKey.AccessKeyID || s.region != "eu-central-1" || s.service != "ec2" || !s.time.Equal(testTime) {
				t.Errorf("parsed %+v", s)
			}
			if !s.verify(r, []byte(c.body), testKey.SecretAccessKey) {
				t.Error("the SDK's signature is refused")
			}
			if s.verify(r, []byte(c.body), testKey.SecretAccessKey+"x") {
				t.Error("a wrong secret is accepted")
			}
			if s.verify(r, []byte(c.body+"x"), testKey.SecretAccessKey) {
				t.Error("a changed body is accepted")
			}
			r.Host, r.URL.Host = "elsewhere", "elsewhere"
			if s.verify(r, []byte(c.body), testKey.SecretAccessKey) {
				t.Error("a changed host is accepted")
			}
		})
	}
}

func TestParseSignatureRefuses(t *testing.T) {
	const good = "AWS4-HMAC-SHA256 Credential=AK/20260102/eu/ec2/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
	for name, c := range map[string]struct {
		header, date string
		extra        string
		want         error
	}{
		"good":              {good, "20260102T030405Z", "", nil},
		"no header":         {"", "20260102T030405Z", "", errUnsigned},
		"another algorithm": {strings.Replace(good, "AWS4-HMAC-SHA256", "AWS3", 1), "20260102T030405Z", "", errAlgorithm},
		"no signature":      {strings.Replace(good, "Signature", "Sig", 1), "20260102T030405Z", "", errIncomplete},
		"short scope":       {strings.Replace(good, "/eu", "", 1), "20260102T030405Z", "", errScope},
		"no date":           {good, "", "", errDate},
		"another day":       {good, "20260103T030405Z", "", errDate},
		"host not signed":   {strings.Replace(good, "host;", "", 1), "20260102T030405Z", "", errHost},
		"date not signed":   {strings.Replace(good, ";x-amz-date", "", 1), "20260102T030405Z", "", errAmzHeader},
		"token not signed":  {good, "20260102T030405Z", "X-Amz-Security-Token", errAmzHeader},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://127.0.0.1/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			if c.date != "" {
				r.Header.Set("X-Amz-Date", c.date)
			}
			if c.extra != "" {
				r.Header.Set(c.extra, "x")
			}
			if _, err := parseSignature(r); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
