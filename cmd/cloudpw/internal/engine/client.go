package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/cliconfig"
)

// DefaultMount is where docs/operations.md mounts the engine.
const DefaultMount = "cloudpw"

// requestTime is how long a request may take beyond the time for which it asks Vault to wait.
const requestTime = 30 * time.Second

// MaxWait is the longest wait that a path of the engine accepts. A longer one takes several requests.
const MaxWait = 45 * time.Second

// Options say where the mount is. What is empty comes from the environment and the token helper, as for the vault command:
// VAULT_ADDR, VAULT_NAMESPACE, VAULT_CACERT, VAULT_TOKEN and the others that github.com/hashicorp/vault/api reads.
type Options struct {
	Address   string // URL of Vault
	Namespace string
	CACert    string // file with the certificates, PEM, of the authorities to trust
	// Mount is the path of the mount; empty: CLOUDPW_MOUNT, or DefaultMount.
	Mount      string
	SkipVerify bool // do not check Vault's certificate
}

// Client calls one mount with one token. It may be used by several goroutines.
type Client struct {
	vault *api.Client
	mount string
	// limit is VAULT_CLIENT_TIMEOUT; 0: it is not set.
	limit time.Duration
}

// New makes a client. It does not call Vault. Without a token it makes one nevertheless: a Vault Agent may add it.
func New(o Options) (*Client, error) {
	mount, err := mountOf(o.Mount)
	if err != nil {
		return nil, err
	}
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, fmt.Errorf("environment: %w", config.Error)
	}
	if o.Address != "" {
		// An agent's address would win over it otherwise.
		config.Address, config.AgentAddress = o.Address, ""
	}
	if o.CACert != "" || o.SkipVerify {
		if err := config.ConfigureTLS(&api.TLSConfig{CACert: o.CACert, Insecure: o.SkipVerify}); err != nil {
			return nil, fmt.Errorf("--ca-cert: %w", err)
		}
	}
	config.CheckRetry = checkRetry
	vault, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", o.Address, err)
	}
	if o.Namespace != "" {
		vault.SetNamespace(o.Namespace)
	}
	if vault.Token() == "" {
		token, err := storedToken()
		if err != nil {
			return nil, err
		}
		vault.SetToken(token)
	}
	// VAULT_WRAP_TTL would have Vault answer with a wrapping token in place of what was asked for.
	vault.SetWrappingLookupFunc(func(string, string) string { return "" })
	c := &Client{vault: vault, mount: mount}
	if os.Getenv(api.EnvVaultClientTimeout) != "" {
		c.limit = vault.ClientTimeout()
	}
	vault.SetClientTimeout(0) // each call has a limit of its own
	return c, nil
}

// storedToken is what `vault login` stored.
func storedToken() (string, error) {
	helper, err := cliconfig.DefaultTokenHelper()
	if err != nil {
		return "", fmt.Errorf("token helper: %w", err)
	}
	token, err := helper.Get()
	if err != nil {
		return "", fmt.Errorf("token helper: %w", err)
	}
	return strings.TrimSpace(token), nil
}

func mountOf(given string) (string, error) {
	name := "--mount"
	if given == "" {
		given, name = os.Getenv("CLOUDPW_MOUNT"), "CLOUDPW_MOUNT"
	}
	if given == "" {
		return DefaultMount, nil
	}
	mount := strings.Trim(given, "/")
	for part := range strings.SplitSeq(mount, "/") {
		if err := checkSegment(part); err != nil {
			return "", fmt.Errorf("%s: %q is no path of a mount, such as %s", name, given, DefaultMount)
		}
	}
	return mount, nil
}

// Mount is the mount's path, without slashes at its ends.
func (c *Client) Mount() string { return c.mount }

// Vault is the client below, for paths outside the mount.
func (c *Client) Vault() *api.Client { return c.vault }

// path joins segments below the mount. It refuses one that would lead to another path.
func (c *Client) path(segments ...string) (string, error) {
	for _, s := range segments {
		if err := checkSegment(s); err != nil {
			return "", err
		}
	}
	return c.mount + "/" + strings.Join(segments, "/"), nil
}

// checkSegment refuses what is no single segment of a path.
func checkSegment(s string) error {
	if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/\x00\r\n") {
		return fmt.Errorf("%q cannot be a part of a path in Vault", s)
	}
	return nil
}

// answer is what Vault answers with, without what nobody here needs.
type answer struct {
	LeaseID       string          `json:"lease_id"`
	LeaseDuration int64           `json:"lease_duration"`
	Renewable     bool            `json:"renewable"`
	Data          json.RawMessage `json:"data"`
	Warnings      []string        `json:"warnings"`
}

// onceKey marks the context of a request that must not be sent again by itself: an order, or a read that makes a lease.
type onceKey struct{}

func once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Value(onceKey{}) != nil {
		return false, nil
	}
	return api.DefaultRetryPolicy(ctx, resp, err)
}

// bounded limits the time of a request that asks Vault to wait, and returns for how long it may ask.
func (c *Client) bounded(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc, time.Duration) {
	wait = max(min(wait, MaxWait), 0).Truncate(time.Second)
	if c.limit > 0 {
		wait = min(wait, max(c.limit-2*time.Second, 0).Truncate(time.Second))
		ctx, cancel := context.WithTimeout(ctx, c.limit)
		return ctx, cancel, wait
	}
	ctx, cancel := context.WithTimeout(ctx, wait+requestTime)
	return ctx, cancel, wait
}

// get reads a path and decodes its data into out, if that is not nil. A wait above 0 is sent as the field `wait`.
func (c *Client) get(ctx context.Context, path string, query url.Values, wait time.Duration, out any) (*answer, error) {
	ctx, cancel, wait := c.bounded(ctx, wait)
	defer cancel()
	if wait > 0 {
		if query == nil {
			query = url.Values{}
		}
		query.Set("wait", fmt.Sprintf("%ds", int(wait.Seconds())))
	}
	resp, err := c.vault.Logical().ReadRawWithDataWithContext(ctx, path, query)
	if resp != nil && resp.Body != nil {
		defer func() { _ = resp.Body.Close() }()
	}
	if err != nil {
		return nil, c.failed(path, err)
	}
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		if ctx.Err() != nil || isNetwork(err) {
			return nil, c.failed(path, err)
		}
		// The body is not repeated: it may hold a password.
		return nil, &Error{Path: path, Err: errors.New("the answer of Vault is no JSON as expected")}
	}
	return &a, c.decode(path, &a, out)
}

// put writes a path, once.
func (c *Client) put(ctx context.Context, path string, fields map[string]any, wait time.Duration, out any) (*answer, error) {
	ctx, cancel, wait := c.bounded(once(ctx), wait)
	defer cancel()
	body := map[string]any{}
	for k, v := range fields {
		body[k] = v
	}
	if wait > 0 {
		body["wait"] = fmt.Sprintf("%ds", int(wait.Seconds()))
	}
	secret, err := c.vault.Logical().WriteWithContext(ctx, path, body)
	if err != nil {
		return nil, c.failed(path, err)
	}
	a := &answer{}
	if secret == nil {
		return a, nil
	}
	a.LeaseID, a.LeaseDuration, a.Renewable, a.Warnings = secret.LeaseID, int64(secret.LeaseDuration), secret.Renewable, secret.Warnings
	if a.Data, err = json.Marshal(secret.Data); err != nil {
		return nil, &Error{Path: path, Err: errors.New("the answer of Vault is no JSON as expected")}
	}
	return a, c.decode(path, a, out)
}

func (c *Client) decode(path string, a *answer, out any) error {
	if out == nil || len(a.Data) == 0 {
		return nil
	}
	if err := json.Unmarshal(a.Data, out); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			// Only the field's name: the value may be a password.
			return &Error{Path: path, Err: fmt.Errorf("field %s of Vault's answer has another type than expected; is %s/ a mount of cloudpw?",
				wrong.Field, c.mount)}
		}
		return &Error{Path: path, Err: errors.New("the answer of Vault has another form than expected")}
	}
	return nil
}

// Get reads a path below the mount, such as "hosts", "web-1", and decodes its data into out.
func (c *Client) Get(ctx context.Context, out any, segments ...string) error {
	path, err := c.path(segments...)
	if err != nil {
		return err
	}
	_, err = c.get(ctx, path, nil, 0, out)
	return err
}

// List lists a path below the mount. An empty list is no error. keyInfo, if not nil, gets the field key_info.
func (c *Client) List(ctx context.Context, keyInfo any, segments ...string) ([]string, error) {
	path, err := c.path(segments...)
	if err != nil {
		return nil, err
	}
	var data struct {
		Keys    []string        `json:"keys"`
		KeyInfo json.RawMessage `json:"key_info"`
	}
	if _, err := c.get(ctx, path, url.Values{"list": {"true"}}, 0, &data); err != nil {
		if IsGone(err) {
			return nil, nil
		}
		return nil, err
	}
	if keyInfo != nil && len(data.KeyInfo) > 0 {
		return data.Keys, c.decode(path, &answer{Data: data.KeyInfo}, keyInfo)
	}
	return data.Keys, nil
}

// Put writes a path below the mount, once: it does not try again, since Vault may have taken the order whose answer was lost. It
// returns Vault's warnings.
func (c *Client) Put(ctx context.Context, fields map[string]any, out any, segments ...string) ([]string, error) {
	path, err := c.path(segments...)
	if err != nil {
		return nil, err
	}
	a, err := c.put(ctx, path, fields, 0, out)
	if err != nil {
		return nil, err
	}
	return a.Warnings, nil
}
