package request

import (
	"context"
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
		{Invalidf("m"), 400},
		{fmt.Errorf("wrapped: %w", Conflictf("m")), 409},
		{Unavailablef("m"), 503},
		{fmt.Errorf("m: %w", context.DeadlineExceeded), 503},
		{errors.New("m"), http.StatusInternalServerError},
	} {
		err := VaultError("tried", c.err)
		if got, message := statusOf(err); got != c.want || !strings.Contains(message, "m") {
			t.Errorf("%T %v: %d %q, want %d", c.err, c.err, got, message, c.want)
		}
	}
	if err := VaultError("x", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	//nolint:errorlint // Vault compares it so.
	if err := VaultError("x", fmt.Errorf("y: %w", logical.ErrReadOnly)); err != logical.ErrReadOnly {
		t.Errorf("ErrReadOnly became %v", err)
	}
}

func TestErrReadOnlyKeepsItsType(t *testing.T) {
	//nolint:errorlint // Vault compares it so.
	if err := StorageError("write", "x", errors.Join(errors.New("other"), logical.ErrReadOnly)); err != logical.ErrReadOnly {
		t.Errorf("%v", err)
	}
}
