package adminapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/adminapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// A server's name stands for its id, in the path and in a fault, unless several have it.
func TestNamesOfServers(t *testing.T) {
	_, creds, c := start(t)
	ctx := t.Context()
	var ids []string
	for _, name := range []string{"web-1", "twin", "twin"} {
		s, err := c.AddServer(ctx, model.Server{Cloud: model.TencentCloud, AccountID: creds.AccountID, Region: creds.Region, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.ID)
	}
	if s, err := c.Server(ctx, "web-1"); err != nil || s.ID != ids[0] || s.SSHAddr == "" {
		t.Errorf("by its name: %+v, %v", s, err)
	}
	if err := c.Do(ctx, http.MethodPost, "/v1/servers/web-1/stop", nil, nil); err != nil {
		t.Errorf("a stop by name: %v", err)
	}
	for path, says := range map[string]string{
		"/v1/servers/twin/stop": "several servers have the name \"twin\"; use the id of one of them: " + ids[1] + ", " + ids[2],
		"/v1/servers/none/stop": "404",
	} {
		if err := c.Do(ctx, http.MethodPost, path, nil, nil); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `\"`, `"`), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
	if _, err := c.AddFault(ctx, model.Fault{Kind: model.FaultThrottle, Instance: "twin"}); err == nil {
		t.Error("a fault of one of two servers is taken")
	}
	for _, instance := range []string{"web-1", "ins-none", ""} {
		if _, err := c.AddFault(ctx, model.Fault{Kind: model.FaultThrottle, Instance: instance}); err != nil {
			t.Fatal(err)
		}
	}
	var faults []adminapi.Fault
	if err := c.Do(ctx, http.MethodGet, "/v1/faults", nil, &faults); err != nil {
		t.Fatal(err)
	}
	if len(faults) != 3 || faults[0].Instance != ids[0] || faults[1].Instance != "ins-none" || faults[2].Instance != "" {
		t.Errorf("the faults are %+v", faults)
	}
}
