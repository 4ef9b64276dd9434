package request

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// An error is rendered once, whatever stands between it and the hint, and keeps the type that Vault goes by.
func TestErrorAtMount(t *testing.T) {
	h := hint.New("read", "a")
	denied := &cloud.Error{Kind: cloud.Denied, Message: "may not; see: read a", Hint: h, RequestID: "r-1"}
	core := &rotation.Error{Kind: rotation.Conflict, Message: hint.Textf("last error: %s", denied)}
	for _, c := range []struct {
		err    error
		status int
		want   string
	}{
		{Conflictf("%s", h), http.StatusConflict, "vault read x/a"},
		{VaultError("connection prod", denied), http.StatusBadRequest, "connection prod: may not; see: vault read x/a, cloud request id r-1"},
		{VaultError("", core), http.StatusConflict, "last error: may not; see: vault read x/a, cloud request id r-1"},
		{VaultError("reading", fmt.Errorf("role web: %w", core)), http.StatusConflict,
			"reading: role web: last error: may not; see: vault read x/a, cloud request id r-1"},
		{WithWayOut(denied, h), http.StatusBadRequest, "may not; see: vault read x/a, cloud request id r-1; vault read x/a"},
		{fmt.Errorf("wrapped: %w", Conflictf("%s", h)), http.StatusConflict, "wrapped: vault read x/a"},
		{WithWayOut(errors.New("plain"), h), http.StatusInternalServerError, "plain; vault read x/a"},
	} {
		if strings.Contains(c.err.Error(), "vault ") || strings.Contains(c.err.Error(), documentedMount) {
			t.Errorf("a log line would claim a mount: %v", c.err)
		}
		err := errorAt("x/", c.err)
		if got, _ := statusOf(err); got != c.status || err.Error() != c.want {
			t.Errorf("%v became %d %v, want %d %s", c.err, got, err, c.status, c.want)
		}
	}
	if err := errorAt("x/", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	if err := errorAt("x/", logical.ErrReadOnly); err != logical.ErrReadOnly { //nolint:errorlint // Vault compares it so.
		t.Errorf("ErrReadOnly became %v", err)
	}
}

// An answer's texts are rendered at any depth. Strings are left alone, whatever they hold.
func TestAnswerAtMount(t *testing.T) {
	text, same := hint.Textf("see: %s", hint.New("read", "a")), "vault read cloudpw/a"
	resp := Warn(&logical.Response{Warnings: []string{same}, Data: map[string]any{
		"password": same, "last_error": text,
		"group":       map[string]any{"last_error": text},
		"permissions": []map[string]any{{"message": text, "action": same}},
		"left_out":    map[string]hint.Text{"i-1": text},
	}}, text)
	resp = responseAt("x/", Warn(resp, text))
	group, permissions := resp.Data["group"].(map[string]any), resp.Data["permissions"].([]map[string]any)
	for name, got := range map[string]any{
		"warning": resp.Warnings[1], "another warning": resp.Warnings[2], "last_error": resp.Data["last_error"], "group": group["last_error"],
		"message": permissions[0]["message"], "left_out": resp.Data["left_out"].(map[string]string)["i-1"],
	} {
		if got != "see: vault read x/a" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if resp.Data["password"] != same || permissions[0]["action"] != same || resp.Warnings[0] != same {
		t.Errorf("a string was changed: %v", resp)
	}
	if _, ok := resp.Data[warningsField]; ok || len(resp.Warnings) != 3 {
		t.Errorf("warnings are left in the data: %v", resp)
	}
	if resp := responseAt("x/", Warn(nil, text)); resp.Data != nil || len(resp.Warnings) != 1 {
		t.Errorf("an answer of nothing but a warning: %+v", resp)
	}
	if responseAt("x/", Warn(nil)) != nil {
		t.Error("no warning made an answer")
	}
}
