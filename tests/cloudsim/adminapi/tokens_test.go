package adminapi_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// TestTokens signs in to Azure with another issuer's token, and takes away what that has brought.
func TestTokens(t *testing.T) {
	sim, _, c := start(t)
	azure := sim.Info().Seeded[model.Azure]
	says := model.Assertion{Issuer: "https://cluster.example", Subject: "system:serviceaccount:vault:vault"}
	signIn := func() int {
		t.Helper()
		token, err := c.Assert(t.Context(), says)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.PostForm(sim.URL(model.Azure, "login")+"/"+azure.TenantID+"/oauth2/v2.0/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {azure.ClientID}, "scope": {"https://management.azure.com/.default"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {token},
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if got := signIn(); got != http.StatusUnauthorized {
		t.Errorf("an issuer whom nobody trusts: %d", got)
	}
	trusted := model.FederatedIdentity{ClientID: azure.ClientID, Issuer: says.Issuer, Subject: says.Subject}
	if err := c.AddFederatedIdentity(t.Context(), trusted); err != nil {
		t.Fatal(err)
	}
	if got := signIn(); got != http.StatusOK {
		t.Errorf("an issuer who is trusted: %d", got)
	}
	for _, want := range []int{1, 0} {
		if n, err := c.RevokeTokens(t.Context(), model.Azure); err != nil || n != want {
			t.Errorf("%d tokens were revoked (%v), want %d", n, err, want)
		}
	}
}
