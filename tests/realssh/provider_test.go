//go:build realssh

package realssh

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	sshprovider "github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/ssh"
)

// inventory is a cloud.Hosts in memory.
type inventory struct {
	mu    sync.Mutex
	hosts map[string]cloud.Host
}

var _ cloud.Hosts = (*inventory)(nil)

func (i *inventory) Host(_ context.Context, name string) (*cloud.Host, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	h, known := i.hosts[name]
	if !known {
		return nil, nil
	}
	return &h, nil
}

func (i *inventory) Hosts(context.Context) ([]cloud.Host, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []cloud.Host
	for _, h := range i.hosts {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b cloud.Host) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (i *inventory) PinHostKey(_ context.Context, name, key string) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	h := i.hosts[name]
	if h.HostKey == "" {
		h.HostKey = key
		i.hosts[name] = h
	}
	return h.HostKey, nil
}

// fleet is a connection of the provider ssh, and its hosts.
type fleet struct {
	inventory
	values   cloud.Values
	timeout  time.Duration
	provider cloud.Provider
}

// usualTimeout is a connection's request_timeout in most tests.
const usualTimeout = 20 * time.Second

// newFleet makes a connection that logs in with a key; more are further fields of it.
func newFleet(tb testing.TB, key Key, more cloud.Values, timeout time.Duration) *fleet {
	tb.Helper()
	f := &fleet{inventory: inventory{hosts: map[string]cloud.Host{}}, timeout: timeout}
	f.values = cloud.Values{"login_user": "admin", "private_key": key.Private}.With(more)
	f.connect(tb)
	return f
}

// connect makes the provider of the values.
func (f *fleet) connect(tb testing.TB) {
	tb.Helper()
	client, err := cloud.NewHTTPClient("", 30*time.Second)
	if err != nil {
		tb.Fatal(err)
	}
	cfg := cloud.Config{
		Connection: "c", Provider: "ssh", Values: f.values, RequestTimeout: f.timeout, HTTPClient: client, Limiter: cloud.Unlimited{},
		Hosts: &f.inventory,
	}
	descriptor := sshprovider.Descriptor()
	if err := descriptor.Check(cfg); err != nil {
		tb.Fatal(err)
	}
	if f.provider, err = descriptor.New(cfg); err != nil {
		tb.Fatal(err)
	}
}

// add puts a server into the inventory.
func (f *fleet) add(tb testing.TB, name string, s *Server) {
	tb.Helper()
	f.put(cloud.Host{Name: name, Address: s.Address, Port: s.Port, HostKey: s.HostKey(tb, "ed25519")})
}

func (f *fleet) put(h cloud.Host) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h.Connection, h.Platform, h.Serial, h.Created = "c", cloud.Linux, h.Name+"-serial", time.Now()
	f.hosts[h.Name] = h
}

// reset sets a password. Its error is the method's, or says that the answer proves nothing.
func (f *fleet) reset(ctx context.Context, host, user, password string, order int64) error {
	started, err := f.provider.(cloud.PasswordResetters).Resetter(cloud.MethodCommand).StartReset(ctx, cloud.Reset{
		InstanceIDs: []string{host}, Username: user, Password: password, Platform: cloud.Linux, Order: order,
		NotAfter: time.Now().Add(cloud.OrderDeadline),
	})
	if err == nil && !started.Done {
		err = fmt.Errorf("accepted, without proof: %+v", started)
	}
	return err
}

// kindOf is the kind of a failure, Unknown if it has none; "" of success.
func kindOf(err error) cloud.Kind {
	switch e := cloud.AsError(err); {
	case err == nil:
		return ""
	case e == nil:
		return cloud.Unknown
	default:
		return e.Kind
	}
}

// has reports whether the server has the value with that order.
func (s *Server) has(tb testing.TB, user string, order int64) bool {
	tb.Helper()
	return strings.Contains(s.ShadowOf(tb, user), fmt.Sprintf("$%010d", order))
}
