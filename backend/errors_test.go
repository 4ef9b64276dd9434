package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

func TestErrorStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{&rotation.Error{Kind: rotation.Invalid, Message: hint.Plain("m")}, 400},
		{&rotation.Error{Kind: rotation.NotFound, Message: hint.Plain("m")}, 400},
		{&rotation.Error{Kind: rotation.Conflict, Message: hint.Plain("m")}, 409},
		{&rotation.Error{Kind: rotation.NotReadable, Message: hint.Plain("m")}, 503},
		{&rotation.Error{Kind: rotation.Unavailable, Message: hint.Plain("m")}, 503},
		{&rotation.Error{Kind: "new kind", Message: hint.Plain("m")}, 500},
		{cloud.Errorf(cloud.NotFound, "m"), 400},
		{cloud.Errorf(cloud.Denied, "m"), 400},
		{cloud.Errorf(cloud.Refused, "m"), 400},
		{cloud.Errorf(cloud.PasswordRefused, "m"), 400},
		{cloud.Errorf(cloud.NotReady, "m"), 503},
		{cloud.Errorf(cloud.Throttled, "m"), 503},
		{cloud.Errorf(cloud.Unavailable, "m"), 503},
		{cloud.Errorf(cloud.Unknown, "m"), 502},
		{invalidf("m"), 400},
		{fmt.Errorf("wrapped: %w", conflictf("m")), 409},
		{unavailablef("m"), 503},
		{fmt.Errorf("m: %w", context.DeadlineExceeded), 503},
		{errors.New("m"), http.StatusInternalServerError},
	} {
		err := vaultError("tried", c.err)
		if got, message := statusOf(nil, err); got != c.want || !strings.Contains(message, "m") {
			t.Errorf("%T %v: %d %q, want %d", c.err, c.err, got, message, c.want)
		}
	}
	if err := vaultError("x", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	//nolint:errorlint // Vault compares it so.
	if err := vaultError("x", fmt.Errorf("y: %w", logical.ErrReadOnly)); err != logical.ErrReadOnly {
		t.Errorf("ErrReadOnly became %v", err)
	}
}

func TestGenerate(t *testing.T) {
	h := newHarness(t)
	rules := password.Rules{MinLength: 12, MaxLength: 30, MinClasses: 3}
	tries := 0
	h.system.SetPasswordPolicy("sometimes", func() (string, error) {
		if tries++; tries%5 != 0 {
			return "short", nil
		}
		return "Long-Enough-4-All", nil
	})
	h.system.SetPasswordPolicy("never", func() (string, error) { return "never-s3cret", nil })
	h.system.SetPasswordPolicy("empty", func() (string, error) { return "", nil })
	if got, err := h.generate(t.Context(), "sometimes", rules, "root"); err != nil || got != "Long-Enough-4-All" {
		t.Errorf("a policy that fits now and then: %v", err)
	}
	never := password.Rules{MinLength: 12, MaxLength: 30, MinClasses: 4}
	if _, err := h.generate(t.Context(), "never", never, "root"); err == nil || strings.Contains(err.Error(), "never-s3cret") ||
		!strings.Contains(err.Error(), "policy never") {
		t.Errorf("a policy that never fits: %v", err)
	}
	for _, policy := range []string{"empty", "missing"} {
		if _, err := h.generate(t.Context(), policy, rules, "root"); err == nil || !strings.Contains(err.Error(), policy) {
			t.Errorf("policy %s: %v", policy, err)
		}
	}
	if got, err := h.generate(t.Context(), "", rules, "root"); err != nil || rules.Check(got, "root") != nil {
		t.Errorf("the built-in generator: %v", err)
	}
}

func TestIntOf(t *testing.T) {
	for _, v := range []any{7, int64(7), float64(7), "7", json.Number("7")} {
		if n, err := intOf(v); n != 7 || err != nil {
			t.Errorf("%T: %d, %v", v, n, err)
		}
	}
	for _, v := range []any{nil, true, "x", json.Number("x")} {
		if _, err := intOf(v); err == nil {
			t.Errorf("%v is a number", v)
		}
	}
}
