package azuresdk

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
)

// group is the resource group of the simulator's first servers.
const group = "demo"

// simulator is a running simulator.
type simulator struct {
	Admin string `json:"admin"`
	TLS   struct {
		CAPEM     string                       `json:"ca_pem"`
		Endpoints map[string]map[string]string `json:"endpoints"`
	} `json:"tls"`
	Seeded map[string]account `json:"seeded"`

	http *http.Client
	sent *recorder
}

// account is the simulator's Azure account.
type account struct {
	Tenant       string            `json:"tenant_id"`
	Client       string            `json:"client_id"`
	Secret       string            `json:"client_secret"`
	Subscription string            `json:"subscription_id"`
	Region       string            `json:"region"`
	Servers      map[string]string `json:"servers"`
}

// start runs the simulator until the test ends.
func start(t *testing.T) *simulator {
	t.Helper()
	path := os.Getenv("CLOUDSIM_BIN")
	if path == "" {
		t.Fatal("CLOUDSIM_BIN is not set: run make test-azure")
	}
	cmd := exec.Command(path, "-until-stdin-closes")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the simulator: %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the simulator's ready line: %v", err)
	}
	s := new(simulator)
	if err := json.Unmarshal(line, s); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(s.TLS.CAPEM)) {
		t.Fatal("the simulator has no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	s.sent = &recorder{next: transport}
	s.http = &http.Client{Transport: s.sent}
	return s
}

func (s *simulator) account() account { return s.Seeded["azure"] }

// client is what every client is made with: the simulator's addresses, and no repetitions, which would hide refusals.
func (s *simulator) client() policy.ClientOptions {
	at := s.TLS.Endpoints["azure"]
	return policy.ClientOptions{
		Transport: s.http, Retry: policy.RetryOptions{MaxRetries: -1},
		Cloud: cloud.Configuration{
			ActiveDirectoryAuthorityHost: at["login"],
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: at["arm"], Audience: "https://management.core.windows.net/"},
			},
		},
	}
}

// credential signs in with a secret. The library would ask login.microsoftonline.com whether the authority is one of Microsoft's.
func (s *simulator) credential(t *testing.T, tenant, client, secret string) azcore.TokenCredential {
	t.Helper()
	c, err := azidentity.NewClientSecretCredential(tenant, client, secret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: s.client(), DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// own signs in as the simulator's account.
func (s *simulator) own(t *testing.T) azcore.TokenCredential {
	t.Helper()
	a := s.account()
	return s.credential(t, a.Tenant, a.Client, a.Secret)
}

// compute makes clients of Microsoft.Compute.
func (s *simulator) compute(t *testing.T, subscription string, c azcore.TokenCredential) *armcompute.ClientFactory {
	t.Helper()
	f, err := armcompute.NewClientFactory(subscription, c, &arm.ClientOptions{ClientOptions: s.client(), DisableRPRegistration: true})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// admin asks the simulator's control API.
func (s *simulator) admin(t *testing.T, method, path string, in any) (out map[string]any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, s.Admin+"/v1/"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// later moves the clock of what goes on in the simulated cloud: operations end, and limits have their tokens again.
func (s *simulator) later(t *testing.T) {
	t.Helper()
	s.admin(t, http.MethodPost, "advance", map[string]string{"duration": "3m"})
}

// recorder keeps what was sent last.
type recorder struct {
	next http.RoundTripper

	mu   sync.Mutex
	body []byte
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.body = body
	return resp, nil
}

// last is the body of the latest answer.
func (r *recorder) last() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.body
}
