package azureapi

import (
	"net/http"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// known are tokens that somebody has issued.
type known map[string]Principal

func (k known) Token(token string) (Principal, bool) {
	p, ok := k[token]
	return p, ok
}

func TestTokensAreJudged(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := model.NewWorld(model.Options{Now: func() time.Time { return now }})
	defer w.Close()
	good := Principal{Audience: "https://management.core.windows.net/", Expires: now.Add(time.Second)}
	old, other, china := good, good, good
	old.Expires, other.Audience, china.Audience = now, "https://graph.microsoft.com", "https://management.core.chinacloudapi.cn"
	a := New(w, Options{Tokens: known{"good": good, "old": old, "other": other, "china": china}})
	for header, want := range map[string]string{
		"Bearer good": "", "bearer good": "", "Bearer china": "", "": "AuthenticationFailed", "Bearer ": "AuthenticationFailed",
		"Basic good": "AuthenticationFailed", "good": "AuthenticationFailed", "Bearer none": "InvalidAuthenticationToken",
		"Bearer old": "ExpiredAuthenticationToken", "Bearer other": "InvalidAuthenticationTokenAudience",
	} {
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		_, f := a.authenticate(r)
		switch {
		case f == nil && want != "", f != nil && (f.code != want || f.status != http.StatusUnauthorized):
			t.Errorf("%q: %+v, want %q", header, f, want)
		}
	}
}
