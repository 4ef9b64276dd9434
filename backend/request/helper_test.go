package request

import (
	"errors"
	"net/http"

	"github.com/hashicorp/vault/sdk/logical"
)

// statusOf is the HTTP status that Vault makes of an error.
func statusOf(err error) (int, string) {
	var coded logical.HTTPCodedError
	if !errors.As(err, &coded) {
		return http.StatusInternalServerError, err.Error()
	}
	if errors.Unwrap(err) != nil {
		return 0, "a wrapped coded error loses its type on the way to Vault: " + err.Error()
	}
	return coded.Code(), err.Error()
}
