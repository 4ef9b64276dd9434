package cloudsim_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
)

// The metadata of a server give a key of the seeded agency, which the cloud's services take.
func TestMetadataOfSeededServers(t *testing.T) {
	e := startHuawei(t, cloudsim.Options{})
	metadata := e.sim.Info().Metadata
	if len(metadata) != 2 || metadata[model.OpenTelekomCloud] == "" {
		t.Errorf("metadata services: %v", metadata)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, metadata[model.HuaweiCloud]+novaapi.MetadataKeyPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var shown struct {
		Credential struct{ Access, Secret, SecurityToken string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&shown); err != nil {
		t.Fatal(err)
	}
	by := e.as(model.AccessKey{ID: shown.Credential.Access, Secret: shown.Credential.Secret, Token: shown.Credential.SecurityToken})
	for service, path := range map[string]string{"ecs": "/v2.1/" + e.creds.ProjectID + "/servers", "coc": "/v1/job/scripts?limit=1"} {
		if out := by.send(t, service, http.MethodGet, path, nil); out.status != http.StatusOK {
			t.Errorf("%s: %d %s", service, out.status, out.body)
		}
	}
	by.securityToken = ""
	if out := by.send(t, "coc", http.MethodGet, "/v1/job/scripts?limit=1", nil); out.Code != "APIGW.0301" {
		t.Errorf("without its token: %d %s", out.status, out.body)
	}
}

// Only metadata services may have the address of metadata, and none another that others reach.
func TestListenersStayOnLoopback(t *testing.T) {
	for name, addr := range map[string]string{
		"huaweicloud": "169.254.169.254:0", "huaweicloud-metadata": "10.0.0.1:0", "admin": "0.0.0.0:0",
	} {
		sim, err := cloudsim.New(cloudsim.Options{Listen: map[string]string{name: addr}})
		if err == nil {
			sim.Close()
			t.Errorf("%s listens on %s", name, addr)
		}
	}
}
