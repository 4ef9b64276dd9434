package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/session"
)

const (
	// sessionTTL is how long a lease lives that nobody renews, unless --ttl says otherwise.
	sessionTTL = 10 * time.Minute
	// shortestTTL is the least that the field ttl of creds/ takes.
	shortestTTL = time.Minute
	// sessionWait is how long to wait for a password that is just being replaced.
	sessionWait = 5 * time.Minute
)

// holdFlags are the flags of the commands that hold a password.
type holdFlags struct {
	target    engine.Target
	ttl, wait time.Duration
	verbose   bool
}

func (f *holdFlags) add(a *app, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.target.Connection, "connection", "", "only a server of this connection")
	flags.StringVar(&f.target.Role, "role", "", "only a server of this role")
	flags.StringVar(&f.target.User, "user", "", "only the account of this user of the server")
	flags.DurationVar(&f.ttl, "ttl", sessionTTL, "how long the lease lives if it is not renewed, as after a crash; at least 1m")
	flags.DurationVar(&f.wait, "wait", sessionWait, "how long to wait for a password that is being replaced")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say what happens to the lease")
	_ = cmd.RegisterFlagCompletionFunc("connection", a.completeNames("config"))
	_ = cmd.RegisterFlagCompletionFunc("role", a.completeNames("roles"))
	cmd.ValidArgsFunction = a.completeServer(1)
}

func (f *holdFlags) check() error {
	switch {
	case f.ttl < shortestTTL:
		return usagef("--ttl: %s is too short: at least %s", f.ttl, shortestTTL)
	case f.wait < 0:
		return usagef("--wait: must not be negative")
	}
	return nil
}

// held is a password that somebody holds.
type held struct {
	*session.Held
	place    engine.Place
	password *engine.Password
}

// hold takes the password of a server and keeps its lease alive. From here on the caller has to end it.
func (a *app) hold(cmd *cobra.Command, f *holdFlags, server string, signals *session.Signals) (*held, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	c, err := a.engine()
	if err != nil {
		return nil, err
	}
	place, err := a.resolve(c, f, server, signals)
	if err != nil {
		return nil, err
	}
	reader := session.Reader{
		Read: func(ctx context.Context, wait time.Duration) (*engine.Password, error) {
			return c.Read(ctx, place, engine.ReadOptions{TTL: f.ttl.Truncate(time.Second), Wait: wait})
		},
		Leases: c, Wait: f.wait, Say: a.say1,
	}
	p, err := reader.Password(signals.Ends())
	if place.Guessed && engine.IsDenied(err) {
		return nil, try(err, "%s ROLE/SERVER: this token may not look up servers without their role (read on %s/report)", cmd.CommandPath(),
			c.Mount())
	}
	if err != nil {
		return nil, err
	}
	for _, w := range p.Warnings {
		// The ttl is ours, unless the person has given it: what Vault thinks of it is no news then.
		if f.verbose || cmd.Flags().Changed("ttl") || !strings.HasPrefix(w, "ttl:") {
			a.note("warning: %s", w)
		}
	}
	h := &held{Held: session.Hold(c, session.LeaseOf(p), a.sayRaw), place: place, password: p}
	if f.verbose {
		if p.LeaseID == "" {
			a.note("the role is static: its password has no lease that could be given back")
		} else {
			a.note("lease %s until %s", p.LeaseID, h.Until().Local().Format("15:04:05"))
		}
	}
	return h, nil
}

// resolve finds the server, unless a signal comes.
func (a *app) resolve(c *engine.Client, f *holdFlags, server string, signals *session.Signals) (engine.Place, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-signals.Ends():
			cancel()
		case <-over:
		}
	}()
	t := f.target
	t.Text = server
	place, err := c.Resolve(ctx, t)
	if ctx.Err() != nil {
		return place, session.ErrInterrupted
	}
	return place, err
}

// giveBack ends a lease, and says so with -v.
func (a *app) giveBack(h *held, f *holdFlags, signals *session.Signals) error {
	err := session.GiveBack(h.Held, signals.Ends(), a.say1)
	if err == nil && f.verbose && h.Lease().ID != "" {
		a.note("the lease is given back")
	}
	return err
}

// say1 says one thing to the person.
func (a *app) say1(text string) { a.note("%s", text) }

// sayRaw says something while a program has the terminal, which may not return the carriage by itself.
func (a *app) sayRaw(text string) {
	before, after := "", "\n"
	if isTerminal(a.stdio.Err) {
		before, after = "\r\n", "\r\n"
	}
	_, _ = fmt.Fprint(a.stdio.Err, before+"cloudpw: "+output.Clean(text)+after)
}

// file is a stream as a program gets it.
func file(stream any) *os.File {
	f, _ := stream.(*os.File)
	return f
}

// user is who logs in.
func (h *held) user() string { return h.password.Username }

// name is the server for a person.
func (h *held) name() string {
	for _, name := range []string{h.password.Name, h.place.Name, h.password.InstanceID, h.place.InstanceID} {
		if name != "" {
			return name
		}
	}
	return h.place.Role
}

// host is where to connect to: as asked, else the private address, else the public one, else the server's name if it is one of a network.
func (h *held) host(asked string, public bool) (string, error) {
	p := h.password
	switch {
	case asked != "":
		return asked, nil
	case public && p.PublicIP == "":
		return "", errors.New("--public: Vault knows no public address of this server: name a host by --host")
	case public:
		return p.PublicIP, nil
	}
	for _, address := range []string{h.place.Address, p.PrivateIP, p.PublicIP} {
		if address != "" {
			return address, nil
		}
	}
	if p.InstanceID == "" {
		return "", errors.New("this password is that of several servers: name one of them by --host")
	}
	return "", errors.New("no address of this server is known: name its host by --host")
}

// exitWith ends the command with a program's exit code.
func exitWith(code int) error {
	if code == exitDone {
		return nil
	}
	return &exitError{code}
}

// hostPort splits HOST, HOST:PORT and [ADDRESS]:PORT. Without a port it is 0.
func hostPort(s string) (host string, port int, err error) {
	if net.ParseIP(s) != nil || !strings.Contains(s, ":") {
		return s, 0, nil
	}
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, usagef("--host: %q is not of the form HOST or HOST:PORT", s)
	}
	if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 || host == "" {
		return "", 0, usagef("--host: %q is not of the form HOST or HOST:PORT", s)
	}
	return host, port, nil
}
