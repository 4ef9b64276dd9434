package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

const (
	// closeTime bounds the end of the console: requests that run, and leases that are given back.
	closeTime = 30 * time.Second
	// MinTTL is the shortest lease that the engine makes.
	MinTTL = time.Minute
)

// Options say how a console runs.
type Options struct {
	// Port of 127.0.0.1; 0: one that is free.
	Port int
	// TTL of the leases that are taken in the page, which are not renewed unless the user does; 0: the role's.
	TTL time.Duration
}

// Console is a local page for one user.
type Console struct {
	vault     vault
	address   string // of Vault, for the header
	namespace string
	now       func() time.Time
	gate      *gate
	fleet     *fleet
	held      *held
	listener  net.Listener
}

// Listen opens the port of a console. Nothing is served before [Console.Run].
func Listen(ctx context.Context, c *engine.Client, o Options) (*Console, error) {
	vault := c.Vault()
	return listen(ctx, client{c}, vault.Address(), vault.Namespace(), o)
}

func listen(ctx context.Context, v vault, address, namespace string, o Options) (*Console, error) {
	if o.Port < 0 || o.Port > 65535 {
		return nil, fmt.Errorf("--port: %d is no port; use 0 to 65535", o.Port)
	}
	if o.TTL != 0 && o.TTL < MinTTL {
		return nil, fmt.Errorf("--ttl: %s is shorter than the shortest lease, %s", o.TTL, MinTTL)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", o.Port))
	if err != nil {
		return nil, fmt.Errorf("--port: %w", err)
	}
	now := time.Now
	return &Console{vault: v, address: address, namespace: namespace, now: now, gate: newGate(listener.Addr().String(), now),
		fleet: newFleet(v, now), held: newHeld(v, o.TTL, now), listener: listener}, nil
}

// Link makes a link that opens the console once, within a minute.
func (c *Console) Link() string { return c.gate.link() }

// Left is a lease that could not be given back at the end.
type Left struct {
	Lease string
	Until time.Time
	Err   error
}

// Run serves the console until the context ends, and then gives back all that was taken, until hurry ends at the latest. It returns the
// leases for which that failed; an error means that the console could not go on.
func (c *Console) Run(ctx, hurry context.Context) ([]Left, error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	go c.fleet.run(reading)
	server := &http.Server{Handler: c.routes(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10}
	served := make(chan error, 1)
	go func() { served <- server.Serve(c.listener) }()
	var failed error
	select {
	case failed = <-served:
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(hurry, closeTime)
	defer cancel()
	left := c.held.close(closing)
	// Requests that run still get their answer; a browser keeps its connection open otherwise.
	brief, end := context.WithTimeout(closing, time.Second)
	defer end()
	if err := server.Shutdown(brief); err != nil {
		_ = server.Close()
	}
	if errors.Is(failed, http.ErrServerClosed) {
		failed = nil
	}
	out := make([]Left, len(left))
	for i, one := range left {
		out[i] = Left{one.lease, one.until, one.err}
	}
	return out, failed
}
