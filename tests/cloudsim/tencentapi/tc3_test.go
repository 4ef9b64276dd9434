package tencentapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// vectors reads the known answers: blocks of "name: value" lines.
func vectors(t *testing.T) []map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/tc3_signature.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		fields := map[string]string{}
		for line := range strings.SplitSeq(block, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			// Notes in brackets are not part of the value.
			if i := strings.Index(value, "   ("); i > 0 {
				value = value[:i]
			}
			if i := strings.Index(value, " ("); i > 0 && name == "x-tc-timestamp" {
				value = value[:i]
			}
			fields[name] = strings.TrimSpace(value)
		}
		out = append(out, fields)
	}
	return out
}

// signed builds the request of a known answer.
func signed(v map[string]string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://"+v["host"]+"/", strings.NewReader(v["body"]))
	r.Header.Set("Content-Type", v["content-type"])
	r.Header.Set("X-TC-Timestamp", v["x-tc-timestamp"])
	r.Header.Set("Authorization", "TC3-HMAC-SHA256 Credential="+v["secret_id"]+"/"+v["credential scope"]+
		", SignedHeaders="+v["signed headers"]+", Signature="+v["signature"])
	return r
}

func TestVerifyKnownAnswers(t *testing.T) {
	all := vectors(t)
	if len(all) != 2 {
		t.Fatalf("read %d known answers, want 2", len(all))
	}
	for _, v := range all {
		t.Run(v["host"], func(t *testing.T) {
			r := signed(v)
			s, err := parseSignature(r)
			if err != nil {
				t.Fatal(err)
			}
			if !s.verify(r, []byte(v["body"]), v["secret_key"]) {
				t.Error("the known signature is refused")
			}
			if s.verify(r, []byte(v["body"]), v["secret_key"]+"x") {
				t.Error("a wrong secret is accepted")
			}
			if s.verify(r, []byte(v["body"]+" "), v["secret_key"]) {
				t.Error("a changed body is accepted")
			}
			r.Host = "elsewhere.example"
			if s.verify(r, []byte(v["body"]), v["secret_key"]) {
				t.Error("a changed host is accepted")
			}
		})
	}
}

func TestVerifyTakesHostWithoutPort(t *testing.T) {
	v := vectors(t)[1] // signed for a host without a port
	r := signed(v)
	r.Host += ":8080"
	s, err := parseSignature(r)
	if err != nil {
		t.Fatal(err)
	}
	if !s.verify(r, []byte(v["body"]), v["secret_key"]) {
		t.Error("a host signed without its port is refused")
	}
}

func TestParseSignatureRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		header, stamp string
		want          error
	}{
		"no header":     {"", "1551113065", errNoAuth},
		"old algorithm": {"HmacSHA1 Credential=AKIDx/2019-02-25/cvm/tc3_request", "1551113065", errBadAuth},
		"short scope": {"TC3-HMAC-SHA256 Credential=AKIDx/cvm/tc3_request, SignedHeaders=content-type;host, Signature=00", "1551113065",
			errBadAuth},
		"no signature": {"TC3-HMAC-SHA256 Credential=AKIDx/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host", "1551113065",
			errBadAuth},
		"no timestamp": {"TC3-HMAC-SHA256 Credential=AKIDx/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, Signature=00", "",
			errTimestamp},
		"another date": {"TC3-HMAC-SHA256 Credential=AKIDx/2019-02-26/cvm/tc3_request, SignedHeaders=content-type;host, Signature=00",
			"1551113065", errDate},
		"host not signed": {"TC3-HMAC-SHA256 Credential=AKIDx/2019-02-25/cvm/tc3_request, SignedHeaders=content-type, Signature=00",
			"1551113065", errSigned},
		"wrong last piece": {"TC3-HMAC-SHA256 Credential=AKIDx/2019-02-25/cvm/aws4_request, SignedHeaders=content-type;host, Signature=00",
			"1551113065", errBadAuth},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			r.Header.Set("X-TC-Timestamp", c.stamp)
			if _, err := parseSignature(r); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
