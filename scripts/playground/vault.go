package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// pluginName is the name under which the plugin is registered: that of its binary.
const pluginName = "vault-plugin-secrets-cloudpw"

const (
	startWithin = 60 * time.Second // the start of a server on a busy machine
	// startAttempts: a free port is found, closed and then given to Vault, so another program may take it in between.
	startAttempts = 3
)

// server is a Vault in dev mode: it keeps nothing, and is unsealed.
type server struct {
	address string
	root    *api.Client
	process *process
}

// startVault runs Vault on a free port of loopback, with the plugins of a folder. Its token and its log are in dir.
func startVault(ctx context.Context, bin, plugins, dir string) (*server, error) {
	config := filepath.Join(dir, "vault.hcl")
	if err := os.WriteFile(config, fmt.Appendf(nil, "plugin_directory = %q\n", plugins), 0o600); err != nil {
		return nil, fmt.Errorf("configuration of Vault: %w", err)
	}
	for attempt := 1; ; attempt++ {
		s, err := tryVault(ctx, bin, config, dir)
		if err == nil || attempt == startAttempts || !strings.Contains(tail(filepath.Join(dir, "vault.log")), "address already in use") {
			return s, err
		}
	}
}

func tryVault(ctx context.Context, bin, config, dir string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s, token := &server{address: "http://" + port}, "root-"+rand.Text()
	// The simulated clouds listen on loopback, without TLS: the plugin takes that only where its environment says so.
	env := append(bareEnvironment(), "HOME="+dir, "CLOUDPW_ALLOW_LOOPBACK_HTTP=true", "VAULT_DEV_ROOT_TOKEN_ID="+token)
	s.process, err = startProcess("vault", filepath.Join(dir, "vault.log"), env, bin,
		"server", "-dev", "-dev-no-store-token", "-dev-listen-address="+port, "-config="+config)
	if err != nil {
		return nil, err
	}
	if s.root, err = client(s.address, token); err == nil {
		err = poll(ctx, startWithin, "Vault", func() error {
			if err := s.process.ended(); err != nil {
				return permanent{err}
			}
			health, err := s.root.Sys().HealthWithContext(ctx)
			if err == nil && (health.Sealed || !health.Initialized) {
				err = errors.New("it is sealed")
			}
			return err
		})
	}
	if err != nil {
		s.process.stop()
		return nil, err
	}
	return s, nil
}

// forgetVault takes away what the environment says of another Vault or OpenBao: it must not lead there, nor change what this one
// answers. OpenBao's command takes a BAO_ variable before the VAULT_ variable of that name.
func forgetVault() {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		ofVault := strings.HasPrefix(name, "VAULT_") && name != "VAULT_BIN" && !strings.HasPrefix(name, "VAULT_LICENSE")
		if ofVault || strings.HasPrefix(name, "BAO_") {
			_ = os.Unsetenv(name)
		}
	}
}

// client is one of a Vault, with a token.
func client(address, token string) (*api.Client, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, fmt.Errorf("client of Vault: %w", config.Error)
	}
	config.Address = address
	config.MaxRetries = 0 // what is repeated is repeated here
	c, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("client of Vault: %w", err)
	}
	c.SetToken(token)
	return c, nil
}

// register adds the plugin to Vault's catalog and enables it at cloudpw/.
func (s *server) register(ctx context.Context, plugin, version string) error {
	program, err := os.ReadFile(plugin)
	if err != nil {
		return fmt.Errorf("the plugin: %w; run: make build", err)
	}
	sum := sha256.Sum256(program)
	err = s.root.Sys().RegisterPluginWithContext(ctx, &api.RegisterPluginInput{
		Name: pluginName, Type: api.PluginTypeSecrets, Command: filepath.Base(plugin), SHA256: hex.EncodeToString(sum[:]), Version: version,
	})
	if err != nil {
		return fmt.Errorf("register the plugin: %w", err)
	}
	err = s.root.Sys().MountWithContext(ctx, mount, &api.MountInput{Type: pluginName, Config: api.MountConfigInput{PluginVersion: version}})
	if err != nil {
		return fmt.Errorf("enable the plugin: %w", err)
	}
	return nil
}

// freePort returns host:port of loopback where nobody listens.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// permanent is an error that waiting does not mend.
type permanent struct{ error }

// poll calls f until it returns nil.
func poll(ctx context.Context, within time.Duration, what string, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		if stop := (permanent{}); errors.As(err, &stop) {
			return stop.error
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: waited too long, or was interrupted: %w", what, err)
		case <-tick.C:
		}
	}
}

// bareEnvironment is what every program needs; nothing of the user's own Vault or clouds.
func bareEnvironment() []string {
	var env []string
	for _, name := range []string{"PATH", "TMPDIR", "SYSTEMROOT"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	for _, entry := range os.Environ() {
		if strings.HasPrefix(entry, "VAULT_LICENSE") { // Vault Enterprise does not start without
			env = append(env, entry)
		}
	}
	return env
}
