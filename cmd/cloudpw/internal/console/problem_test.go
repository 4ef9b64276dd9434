package console

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		err    error
		kind   kind
		status int
		needs  int
	}{
		"denied":          {&engine.Error{Status: 403, Messages: []string{"1 error occurred", "permission denied"}}, kindDenied, 403, 1},
		"no token":        {&engine.Error{Status: 403, Messages: []string{"permission denied", "invalid token"}}, kindToken, 403, 0},
		"no answer":       {&engine.Error{Err: io.EOF}, kindUnreachable, 502, 0},
		"sealed":          {&engine.Error{Status: 503, Messages: []string{"Vault is sealed"}}, kindUnreachable, 502, 0},
		"a proxy":         {&engine.Error{Status: 502}, kindUnreachable, 502, 0},
		"a slow proxy":    {&engine.Error{Status: 504}, kindUnreachable, 502, 0},
		"busy":            {&engine.Error{Status: 503, Messages: []string{"a rotation is due"}}, kindBusy, 503, 0},
		"nothing there":   {&engine.Error{Status: 404}, kindRefused, 404, 0},
		"no mount":        {&engine.Error{Status: 404, Messages: []string{"no handler for route"}}, kindRefused, 404, 0},
		"refused":         {&engine.Error{Status: 409, Messages: []string{"is checked out"}}, kindRefused, 409, 0},
		"failed":          {&engine.Error{Status: 500, Messages: []string{"internal error"}}, kindRefused, 502, 0},
		"a standby":       {&engine.Error{Status: 429, Messages: []string{"too many requests"}}, kindRefused, 429, 0},
		"not of Vault":    {errors.New(`"" cannot be a part of a path in Vault`), kindRefused, 400, 0},
		"no such server":  {&engine.UnknownError{Text: "x", Reason: "there is no server x"}, kindRefused, 400, 0},
		"several servers": {&engine.AmbiguousError{Text: "x"}, kindRefused, 400, 0},
	} {
		got := explain("cloudpw", c.err, needs("report", "read"))
		if got.Kind != c.kind || got.Status != c.status || len(got.Needs) != c.needs || got.Title == "" {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

func TestEachViewNamesTheRightItNeeds(t *testing.T) {
	t.Parallel()
	v := &fakeVault{}
	c := newConsole(t, v)
	v.fail(&engine.Error{Status: 403, Messages: []string{"permission denied"}})
	for path, want := range map[string]string{
		"campaigns": "cloudpw/campaigns/*", "campaign?id=abc": "cloudpw/campaigns/*", "status": "cloudpw/status",
		"account?connection=a&instance_id=b&username=c": "cloudpw/accounts/*",
	} {
		status, body := c.get(path)
		if status != http.StatusForbidden || !strings.Contains(body, `"path":"`+want+`"`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	// Who one is, is only not shown.
	if status, body := c.get("session"); status != http.StatusOK || strings.Contains(body, "alice") {
		t.Errorf("session: %d %s", status, body)
	}
}
