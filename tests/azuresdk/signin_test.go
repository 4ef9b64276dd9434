package azuresdk

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// reads asks for a server with a credential.
func (s *simulator) reads(t *testing.T, c azcore.TokenCredential) error {
	t.Helper()
	_, err := s.compute(t, s.account().Subscription, c).NewVirtualMachinesClient().Get(t.Context(), group, "linux-1", nil)
	return err
}

func TestSignIn(t *testing.T) {
	s := start(t)
	a := s.account()
	const nobody = "11111111-2222-3333-4444-555555555555"
	if err := s.reads(t, s.own(t)); err != nil {
		t.Errorf("the right secret: %v", err)
	}
	for _, c := range []struct{ name, tenant, client, secret, want string }{
		{"a wrong secret", a.Tenant, a.Client, a.Secret + "x", "AADSTS7000215"},
		{"an unknown application", a.Tenant, nobody, a.Secret, "AADSTS700016"},
		{"an unknown tenant", nobody, a.Client, a.Secret, "AADSTS90002"},
	} {
		err := s.reads(t, s.credential(t, c.tenant, c.client, c.secret))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// A pod signs in with its cluster's token, which it has in a file.
func TestSignInWithAnotherIssuersToken(t *testing.T) {
	s := start(t)
	a := s.account()
	says := map[string]string{"iss": "https://cluster.example", "sub": "system:serviceaccount:vault:vault"}
	token, _ := s.admin(t, http.MethodPost, "assertions", says)["assertion"].(string)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	pod := func() azcore.TokenCredential {
		c, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: s.client(), DisableInstanceDiscovery: true, TenantID: a.Tenant, ClientID: a.Client, TokenFilePath: file,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := s.reads(t, pod()); err == nil || !strings.Contains(err.Error(), "AADSTS700211") {
		t.Errorf("an issuer whom nobody trusts: %v", err)
	}
	s.admin(t, http.MethodPost, "federated-identities", map[string]string{
		"client_id": a.Client, "issuer": says["iss"], "subject": says["sub"],
	})
	if err := s.reads(t, pod()); err != nil {
		t.Errorf("an issuer who is trusted: %v", err)
	}
}

func TestRevokedToken(t *testing.T) {
	s := start(t)
	c := s.own(t)
	if err := s.reads(t, c); err != nil {
		t.Fatal(err)
	}
	if n := s.admin(t, http.MethodPost, "tokens/revoke", map[string]string{"cloud": "azure"})["revoked"]; n != float64(1) {
		t.Errorf("%v tokens were revoked, want 1", n)
	}
	refused(t, "a token that was revoked", s.reads(t, c), http.StatusUnauthorized, "InvalidAuthenticationToken")
}

// refused requires a refusal of Azure Resource Manager, and returns its header.
func refused(t *testing.T, what string, err error, status int, code string) http.Header {
	t.Helper()
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) || answer.StatusCode != status || answer.ErrorCode != code {
		t.Fatalf("%s: %v, want %d %s", what, err, status, code)
	}
	return answer.RawResponse.Header
}
