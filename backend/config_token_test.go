package backend

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// TestTokenGoesWithItsKey: the token of a temporary key is written with it. A write of access_key alone removes the old one;
// other writes leave it where it is.
func TestTokenGoesWithItsKey(t *testing.T) {
	unverified := map[string]any{"verify_connection": false}
	for name, c := range map[string]struct {
		write map[string]any
		token string
	}{
		"another key":              {map[string]any{"access_key": "AKNEW", "secret_key": "s3cr3t-2"}, ""},
		"another key, its token":   {map[string]any{"access_key": "AKNEW", "secret_key": "s3cr3t-2", "security_token": "t-2"}, "t-2"},
		"the same key":             {map[string]any{"access_key": "AKHUAWEI", "secret_key": "s3cr3t-huawei"}, ""},
		"its token":                {map[string]any{"security_token": "t-2"}, "t-2"},
		"no token":                 {map[string]any{"security_token": ""}, ""},
		"the secret":               {map[string]any{"secret_key": "s3cr3t-2"}, "t-1"},
		"something else":           {map[string]any{"request_timeout": 20}, "t-1"},
		"no key":                   {map[string]any{"access_key": "", "secret_key": "", "use_ambient_credentials": true}, ""},
		"another place, all of it": {map[string]any{"region": "cn-north-1", "secret_key": "s3cr3t-huawei", "security_token": "t-1"}, "t-1"},
		"a user": {map[string]any{"access_key": nil, "secret_key": nil, "username": "u", "password": "s3cr3t-user",
			"user_domain_name": "d"}, ""},
		"a long token": {map[string]any{"security_token": strings.Repeat("t", 16<<10)}, strings.Repeat("t", 16<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			h := newRealHarness(t)
			h.write(t, "config/c", merged(merged(realConnections["huaweicloud"], unverified), map[string]any{"security_token": "t-1"}))
			h.write(t, "config/c", c.write)
			got, err := h.connections.Get(t.Context(), "c")
			if err != nil || got.Own["security_token"] != c.token {
				t.Errorf("the token is %q, %v; want %q", got.Own["security_token"], err, c.token)
			}
		})
	}
	h := newRealHarness(t)
	h.write(t, "config/c", merged(merged(realConnections["huaweicloud"], unverified), map[string]any{"security_token": "t-1"}))
	h.refusedWrite(t, "config/c", map[string]any{"region": "cn-north-1", "secret_key": "s3cr3t-huawei"}, "same write", "security_token")
	if f, _ := providers()["huaweicloud"].Field("security_token"); f.GoesWith != cloud.AccessKey.Name {
		t.Errorf("security_token goes with %q", f.GoesWith)
	}
}
