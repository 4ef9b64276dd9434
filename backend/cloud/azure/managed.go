package azure

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
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
	defer a.metadata.client.CloseIdleConnections()
	query := url.Values{"api-version": {metadataVersion}, "resource": {a.audience}}
	if client := cmp.Or(a.client, os.Getenv(envClientID)); client != "" {
		query.Set("client_id", client)
	}
	made, err := http.NewRequestWithContext(ctx, http.MethodGet, a.metadata.url+"?"+query.Encode(), nil)
	if err != nil {
		return "", time.Time{}, cloud.Errorf(cloud.Unavailable, "%s", noAmbient)
	}
	made.Header.Set("Metadata", "true")
	asked := time.Now()
	response, err := a.metadata.client.Do(made)
	if err != nil {
		return "", time.Time{}, noMetadata(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body) // the client bounds it
	if err != nil {
		return "", time.Time{}, noMetadata(err)
	}
	if response.StatusCode != http.StatusOK {
		return "", time.Time{}, metadataRefused(response, body)
	}
	var got grant
	if json.Unmarshal(body, &got) != nil {
		return "", time.Time{}, cloud.Errorf(cloud.Unavailable, "%s: the metadata service answered something else than a token", noAmbient)
	}
	bearer, end, ok := got.good(asked)
	if !ok {
		return "", time.Time{}, cloud.Errorf(cloud.Unavailable, "%s: the metadata service gave no token that can be used", noAmbient)
	}
	return bearer, end, nil
}

// metadataRefused translates an answer of the metadata service that is no token.
func metadataRefused(response *http.Response, body []byte) *cloud.Error {
	var told loginFailure
	code := ""
	if json.Unmarshal(body, &told) == nil && wordForm.MatchString(told.Error) {
		code = told.Error
	}
	e := &cloud.Error{Kind: cloud.Unavailable, Code: code}
	switch {
	case response.StatusCode == http.StatusTooManyRequests:
		e.Kind, e.RetryAfter = cloud.Throttled, cloud.RetryAfter(response.Header.Get("Retry-After"), time.Now())
		e.Message = noAmbient + ": too many requests to the metadata service"
	case response.StatusCode == http.StatusBadRequest || response.StatusCode == http.StatusForbidden:
		e.Kind = cloud.Denied
		e.Message = noAmbient + ": the virtual machine has no such managed identity, or several; assign one, and name a user-assigned one by " +
			"client_id"
	default:
		e.Message = cloud.Errorf(cloud.Unavailable, "%s: the metadata service answered HTTP %d", noAmbient, response.StatusCode).Message
	}
	return e
}

// noMetadata says that there is no metadata service, which mostly means that this is no virtual machine of Azure.
func noMetadata(err error) *cloud.Error {
	e := cloud.Transport(noAmbient, err)
	if e.Kind == cloud.Unknown && errors.Is(err, context.Canceled) {
		e.Message = noAmbient + ": abandoned while the metadata service was asked"
	}
	e.Kind = cloud.Unavailable
	return e
}
