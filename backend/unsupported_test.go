package backend

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestUnsupportedOperationsTellACommandThatWorks: with the fields without which the write would be refused.
func TestUnsupportedOperationsTellACommandThatWorks(t *testing.T) {
	h := leasedRole(t, nil)
	for path, want := range map[string]string{
		"import/prod/srv-1/root":        "it takes write: vault write cloudpw/import/prod/srv-1/root password=@password.txt",
		"accounts/prod/srv-1/root/move": "it takes write: vault write cloudpw/accounts/prod/srv-1/root/move role=ROLE",
		"rotate-role/web":               "it takes write: vault write -force cloudpw/rotate-role/web",
		"rotate-connection/prod":        "it takes write: vault write -force cloudpw/rotate-connection/prod",
	} {
		h.refused(t, logical.ReadOperation, path, nil, http.StatusMethodNotAllowed, want)
	}
}

// TestNamesThatAreNoneAreToldSo: of a path that a read does not find, the vault command says only that there is no value.
func TestNamesThatAreNoneAreToldSo(t *testing.T) {
	h := leasedRole(t, nil)
	for path, want := range map[string]string{
		"creds/роль": `role name "роль": use at most`, "roles/web-": `role name "web-": use`, "keys/my key": `key name "my key": use`,
		"config/prod.": `connection name "prod.": use`, "creds/-web/srv-1": `role name "-web": use`, "check/ünit": "connection name ",
		"accounts/пр/srv-1/root": "connection name ",
	} {
		h.refused(t, logical.ReadOperation, path, nil, http.StatusBadRequest, want)
	}
	// Vault takes the answer of an existence check that the path is unsupported for a no.
	resp, err := h.HandleRequest(t.Context(), &logical.Request{Operation: logical.CreateOperation, Path: "roles/роль",
		Data: map[string]any{"connection": "prod"}, Storage: h.storage})
	if status, message := statusOf(resp, err); status != http.StatusBadRequest || !strings.Contains(message, "role name ") {
		t.Errorf("a write: %d %s", status, message)
	}
	for _, path := range []string{"creds", "creds/web/srv-1/more", "nothing/here", "status/web-"} {
		if _, err := h.request(t, logical.ReadOperation, path, nil); !errors.Is(err, logical.ErrUnsupportedPath) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
