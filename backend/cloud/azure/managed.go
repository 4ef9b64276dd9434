package azure

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// metadataVersion is that of the metadata service's API.
const metadataVersion = "2018-02-01"

// managed gets a token of the virtual machine's managed identity: the one with the connection's client id, else the variable's,
// else the only one.
func (a ambient) managed(ctx context.Context) (string, time.Time, error) {
	defer a.metadata.Client.CloseIdleConnections()
	query := url.Values{"api-version": {metadataVersion}, "resource": {a.audience}}
	if client := cmp.Or(a.client, os.Getenv(envClientID)); client != "" {
		query.Set("client_id", client)
	}
	made, err := http.NewRequestWithContext(ctx, http.MethodGet, a.metadata.url+"?"+query.Encode(), nil)
	if err != nil {
		return "", time.Time{}, a.metadata.Errorf("no request could be made")
	}
	made.Header.Set("Metadata", "true")
	asked := time.Now()
	status, body, err := a.metadata.Send(made)
	if err != nil {
		return "", time.Time{}, err
	}
	if status != http.StatusOK {
		return "", time.Time{}, a.metadata.refused(status, body)
	}
	var got grant
	if json.Unmarshal(body, &got) != nil {
		return "", time.Time{}, a.metadata.Errorf("the metadata service answered something else than a token")
	}
	bearer, end, ok := got.good(asked)
	if !ok {
		return "", time.Time{}, a.metadata.Errorf("the metadata service gave no token that can be used")
	}
	return bearer, end, nil
}

// refused translates an answer of the metadata service that is no token. Its description is not repeated.
func (m metadata) refused(status int, body []byte) *cloud.Error {
	var told loginFailure
	code := ""
	if json.Unmarshal(body, &told) == nil && wordForm.MatchString(told.Error) {
		code = told.Error
	}
	e := m.Errorf("the metadata service answered HTTP %d", status)
	switch status {
	case http.StatusTooManyRequests:
		e = m.Errorf("too many requests to the metadata service")
		e.Kind = cloud.Throttled
	case http.StatusBadRequest, http.StatusForbidden:
		e = m.Errorf("the virtual machine has no such managed identity, or several; assign one, and name a user-assigned one by client_id")
		e.Kind = cloud.Denied
	}
	e.Code = code
	return e
}
