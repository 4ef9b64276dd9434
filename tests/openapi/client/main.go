// Command client uses a client that was generated from the mount's OpenAPI document: it configures a connection to Tencent
// Cloud and a role, and reads what it has written, an account and a password. It takes its job from standard input, and prints
// what it read, as JSON. Package generated is made when the tests run.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/openapi/client/generated"
)

type job struct {
	Address   string         `json:"address"`
	Token     string         `json:"token"`
	Region    string         `json:"region"`
	AccessKey string         `json:"access_key"`
	SecretKey string         `json:"secret_key"`
	Endpoints map[string]any `json:"endpoints"`
	Instance  string         `json:"instance"`
}

type answers struct {
	Provider, Region, Username, Password string
	TTL, Version                         int
	Roles                                []string
	Created                              time.Time // of the version that the account has
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		return err
	}
	client, err := generated.NewClientWithResponses(j.Address+"/v1",
		generated.WithHTTPClient(&http.Client{Transport: unwrap{}}),
		generated.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("X-Vault-Token", j.Token)
			return nil
		}))
	if err != nil {
		return err
	}
	if err := setUp(ctx, client, j); err != nil {
		return err
	}
	found, err := read(ctx, client, j)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func setUp(ctx context.Context, client *generated.ClientWithResponses, j job) error {
	connection, err := client.CloudpwConfigureConnectionWithResponse(ctx, "prod", generated.CloudpwConfigureConnectionRequest{
		Provider: "tencentcloud", Region: &j.Region, AccessKey: &j.AccessKey, SecretKey: &j.SecretKey, Endpoints: &j.Endpoints,
	})
	if err != nil {
		return err
	}
	if connection.StatusCode() != http.StatusNoContent {
		return fmt.Errorf("configuring the connection: %s %s", connection.Status(), connection.Body)
	}
	role, err := client.CloudpwWriteRoleWithResponse(ctx, "web", generated.CloudpwWriteRoleRequest{
		Connection: "prod", InstanceIds: &[]string{j.Instance}, ForceStop: new(true), Ttl: new("20m"), MinResetInterval: new("0s"),
	})
	if err != nil {
		return err
	}
	if role.StatusCode() != http.StatusNoContent {
		return fmt.Errorf("writing the role: %s %s", role.Status(), role.Body)
	}
	return nil
}

func read(ctx context.Context, client *generated.ClientWithResponses, j job) (*answers, error) {
	connection, err := client.CloudpwReadConnectionWithResponse(ctx, "prod")
	if err != nil {
		return nil, err
	}
	roles, err := client.CloudpwListRolesWithResponse(ctx, &generated.CloudpwListRolesParams{List: "true"})
	if err != nil {
		return nil, err
	}
	role, err := client.CloudpwReadRoleWithResponse(ctx, "web")
	if err != nil {
		return nil, err
	}
	creds, err := client.CloudpwReadCredentialsWithResponse(ctx, "web", &generated.CloudpwReadCredentialsParams{Wait: new("45s")})
	if err != nil {
		return nil, err
	}
	if creds.JSON200 == nil {
		return nil, fmt.Errorf("reading the password: %s %s", creds.Status(), creds.Body)
	}
	account, err := client.CloudpwReadAccountWithResponse(ctx, "prod", j.Instance, *creds.JSON200.Username, nil)
	if err != nil {
		return nil, err
	}
	if connection.JSON200 == nil || roles.JSON200 == nil || role.JSON200 == nil || account.JSON200 == nil {
		return nil, errors.New("a read gave no data")
	}
	return &answers{
		Provider: string(*connection.JSON200.Provider),
		Region:   *connection.JSON200.Region,
		Roles:    *roles.JSON200.Keys,
		TTL:      *role.JSON200.Ttl,
		Username: *creds.JSON200.Username,
		Password: *creds.JSON200.Password,
		Version:  *account.JSON200.CurrentVersion,
		Created:  *creds.JSON200.CreatedTime,
	}, nil
}

// unwrap takes Vault's envelope off: the document describes the data in it.
type unwrap struct{}

func (unwrap) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	err = json.NewDecoder(resp.Body).Decode(&envelope)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(envelope.Data))
	resp.ContentLength = int64(len(envelope.Data))
	return resp, nil
}
