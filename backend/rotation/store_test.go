package rotation

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// Vault logs no failure of a plugin's storage, so an operator has only the answer to learn the reason from.
func TestStorageErrorsSayWhy(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	s := brokenStorage{Storage: &logical.InmemStorage{}, broken: &broken}
	id := ID{Connection: "prod", InstanceID: "i-1", Username: "root"}
	for what, err := range map[string]error{
		"account": saveAccount(t.Context(), s, &Account{ID: id}),
		"binding": saveBinding(t.Context(), s, "binding/aws/i-1/root", id, binding{Claims: map[string]claim{"root": {Account: &id}}}),
	} {
		if err == nil || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), "prod/i-1/root") {
			t.Errorf("%s: the error is %v; want the account and the reason", what, err)
		}
	}
}

// TestKeysOfAccounts: a record's key and its account's id tell the same.
func TestKeysOfAccounts(t *testing.T) {
	for _, id := range []ID{{Connection: "prod", InstanceID: "i-1", Username: "root"}, GroupID("prod", "web")} {
		if got, ok := idOfKey(accountKey(id)); !ok || got != id {
			t.Errorf("the key %s of %v leads to %v", accountKey(id), id, got)
		}
	}
	for _, key := range []string{"role/web", "account/prod/i-1", "binding/sim/i-1/root", "group/prod"} {
		if id, ok := idOfKey(key); ok {
			t.Errorf("key %s is taken for %v", key, id)
		}
	}
}
