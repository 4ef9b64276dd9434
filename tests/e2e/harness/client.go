package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// requestTimeout is above the longest answer that a test waits for (`wait` is at most 45 s).
const requestTimeout = 75 * time.Second

// direct uses no proxy of the developer's.
var direct = func() http.RoundTripper {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	return transport
}()

// newClient returns a client that retries nothing and keeps what went wrong in ErrorLog.
func (v *Vault) newClient(tb testing.TB) *api.Client {
	tb.Helper()
	config := api.DefaultConfig()
	if config.Error != nil {
		tb.Fatalf("Vault client: %v", config.Error)
	}
	config.Address = v.Address
	config.MaxRetries = 0
	config.Timeout = requestTimeout
	config.HttpClient.Transport = &errorRecorder{next: direct, path: v.ErrorLog}
	client, err := api.NewClient(config)
	if err != nil {
		tb.Fatalf("Vault client: %v", err)
	}
	client.SetAddress(v.Address) //nolint:errcheck // overrides a VAULT_ADDR of the developer; the address was just parsed
	client.ClearNamespace()
	client.SetWrappingLookupFunc(func(string, string) string { return "" }) // whatever VAULT_WRAP_TTL says
	return client
}

// errorRecorder appends the body of every answer with a status of 400 or more to a file.
type errorRecorder struct {
	next http.RoundTripper
	path string
	mu   sync.Mutex
}

func (r *errorRecorder) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err != nil || response.StatusCode < http.StatusBadRequest {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, r.record(fmt.Sprintf("%s %s %d %s\n", request.Method, request.URL.Path, response.StatusCode, bytes.TrimSpace(body)))
}

func (r *errorRecorder) record(line string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	file, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(line)
	return errors.Join(err, file.Close())
}

// As returns a client like Client with another token.
func (v *Vault) As(tb testing.TB, token string) *api.Client {
	tb.Helper()
	client := v.newClient(tb)
	client.SetToken(token)
	return client
}

// Read reads a path and fails the test when that fails or finds nothing. Query parameters come as name, value, ...
func (v *Vault) Read(tb testing.TB, path string, query ...string) *api.Secret {
	tb.Helper()
	secret, err := v.TryRead(tb.Context(), path, query...)
	if err != nil {
		tb.Fatalf("read %s: %v", path, err)
	}
	if secret == nil {
		tb.Fatalf("read %s: nothing there", path)
	}
	return secret
}

// TryRead is Read for a caller that expects errors. A path that holds nothing gives nil, nil; one that no engine serves,
// which Vault answers with 404 too, is an error.
func (v *Vault) TryRead(ctx context.Context, path string, query ...string) (*api.Secret, error) {
	values := make(map[string][]string, len(query)/2)
	for i := 0; i+1 < len(query); i += 2 {
		values[query[i]] = append(values[query[i]], query[i+1])
	}
	response, err := v.Client.Logical().ReadRawWithDataWithContext(ctx, path, values)
	if err == nil && response.StatusCode == http.StatusTemporaryRedirect {
		// The client follows one: a standby named a node as the active one that has just become a standby itself.
		_ = response.Body.Close()
		return nil, fmt.Errorf("%s is redirected a second time, to %s", path, response.Header.Get("Location"))
	}
	var answer *api.ResponseError
	if errors.As(err, &answer) && len(answer.Errors) > 0 {
		return nil, err
	}
	return v.Client.Logical().ParseRawResponseAndCloseBody(response, err)
}

// Write writes a path and fails the test when Vault refuses. The answer is nil where Vault has nothing to say.
func (v *Vault) Write(tb testing.TB, path string, data map[string]any) *api.Secret {
	tb.Helper()
	secret, err := v.Client.Logical().WriteWithContext(tb.Context(), path, data)
	if err != nil {
		tb.Fatalf("write %s: %v", path, err)
	}
	return secret
}

// List returns the keys of a path, none if it is empty.
func (v *Vault) List(tb testing.TB, path string) []string {
	tb.Helper()
	secret, err := v.Client.Logical().ListWithContext(tb.Context(), path)
	if err != nil {
		tb.Fatalf("list %s: %v", path, err)
	}
	if secret == nil {
		return nil
	}
	keys, _ := secret.Data["keys"].([]any)
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = fmt.Sprint(key)
	}
	return names
}

// Delete deletes a path and fails the test when Vault refuses.
func (v *Vault) Delete(tb testing.TB, path string) {
	tb.Helper()
	if _, err := v.Client.Logical().DeleteWithContext(tb.Context(), path); err != nil {
		tb.Fatalf("delete %s: %v", path, err)
	}
}

// Refused fails the test unless err is Vault's answer with this status, and returns the answer's error text.
func Refused(tb testing.TB, err error, status int) string {
	tb.Helper()
	var answer *api.ResponseError
	if !errors.As(err, &answer) {
		tb.Fatalf("wanted an answer with status %d, got error %v", status, err)
	}
	text := strings.Join(answer.Errors, "\n")
	if answer.StatusCode != status {
		tb.Fatalf("wanted status %d, got %d: %s", status, answer.StatusCode, text)
	}
	return text
}

// Unreached tells whether an answer says that the plugin's process is not there, which Vault has not acted on yet.
func Unreached(err error) bool {
	return Status(err) == http.StatusInternalServerError && strings.Contains(err.Error(), "connect: connection refused")
}

// Status is the HTTP status of an answer that came as an error, or 0.
func Status(err error) int {
	var answer *api.ResponseError
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// CLI runs Vault's command line against this server as its root and returns what it prints on standard output.
func (v *Vault) CLI(tb testing.TB, args ...string) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), v.bin.Vault, args...)
	cmd.Env = environment(v.Dir, "VAULT_ADDR="+v.Address, "VAULT_TOKEN="+v.token, "VAULT_MAX_RETRIES=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("vault %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// Shell runs a line as a user of this server types it: with the vault command on the PATH and the root's token, in a
// folder of his own. It returns all that is printed; err tells a line that failed.
func (v *Vault) Shell(tb testing.TB, dir, line string, env ...string) (output string, err error) {
	tb.Helper()
	programs := filepath.Join(v.Dir, "bin")
	vault := filepath.Join(programs, "vault")
	if _, err := os.Lstat(vault); err != nil {
		if err := errors.Join(os.MkdirAll(programs, 0o700), os.Symlink(v.bin.Vault, vault)); err != nil {
			tb.Fatalf("put vault on the PATH: %v", err)
		}
	}
	cmd := exec.CommandContext(tb.Context(), "/bin/sh", "-c", line)
	cmd.Dir = dir
	cmd.Env = environment(v.Dir, append(env, "PATH="+programs+":"+os.Getenv("PATH"), "VAULT_ADDR="+v.Address, "VAULT_TOKEN="+v.token,
		"VAULT_MAX_RETRIES=0")...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
