package cli

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/session"
)

// sshArguments is the environment variable with further arguments of every ssh.
const sshArguments = "CLOUDPW_SSH_ARGS"

func newSSHCommand(a *app) *cobra.Command {
	var f holdFlags
	var host string
	var public bool
	cmd := &cobra.Command{
		Use:   "ssh SERVER [-- SSH-ARGUMENT...]",
		Short: "Log in to a server by SSH, with a password that is leased for as long as the session lasts",
		Long: `ssh takes a lease of the server's password, starts OpenSSH's client, and gives the lease back when the client has ended: also on
Ctrl-C, SIGTERM, SIGHUP and a lost terminal. While the session lasts the lease is renewed. If cloudpw is killed, or Vault cannot be
reached, the lease ends by itself within --ttl.

The client asks cloudpw for the password through its askpass program: the password is in no argument, no environment variable, no file,
and not on the terminal. Only the prompt of this user at this server is answered, once. Whatever else the client asks (an unknown host
key, the password of a jump host, a code) is asked at the terminal.

What follows -- goes to the client: its options, and the command to run. ` + sshArguments + ` adds arguments to each call,
divided by blanks. The exit code is the client's; 128 and the signal's number if a signal has ended it.`,
		Example: `  cloudpw ssh web-1
  cloudpw ssh prod/web-1 -- -L 8080:localhost:80
  cloudpw ssh web-1 -- uptime
  cloudpw ssh web-1 -- -J bastion.example.com`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name the server")
			}
			return nil
		},
		GroupID: groupUse,
		RunE: func(cmd *cobra.Command, args []string) error {
			if dash := cmd.ArgsLenAtDash(); dash > 1 || dash < 0 && len(args) > 1 || dash == 0 {
				return usagef("name one server; what is for ssh goes behind --")
			}
			return a.ssh(cmd, &f, args[0], args[1:], host, public)
		},
	}
	f.add(a, cmd)
	cmd.Flags().StringVar(&host, "host", "", "connect to this HOST or HOST:PORT (default: the server's private address, else its public one)")
	cmd.Flags().BoolVar(&public, "public", false, "connect to the server's public address")
	cmd.MarkFlagsMutuallyExclusive("host", "public")
	return cmd
}

func (a *app) ssh(cmd *cobra.Command, f *holdFlags, server string, args []string, host string, public bool) error {
	at, port, err := hostPort(host)
	if err != nil {
		return err
	}
	client, err := session.FindSSH(cmd.Context())
	if err != nil {
		return err
	}
	signals := session.Catch()
	defer signals.Stop()
	h, err := a.hold(cmd, f, server, signals)
	if err != nil {
		return err
	}
	code, err := func() (int, error) {
		to, err := h.host(at, public)
		if err != nil {
			return 0, err
		}
		before := strings.Fields(os.Getenv(sshArguments))
		if port != 0 {
			before = append([]string{"-p", strconv.Itoa(port)}, before...)
		}
		return client.Run(session.Login{
			User: h.user(), Host: to, Before: before, After: args, Password: h.password.Value,
			Stdin: file(a.stdio.In), Stdout: file(a.stdio.Out), Stderr: file(a.stdio.Err),
		}, signals.Ends())
	}()
	return a.closed(h, f, signals, code, err)
}

// closed ends a session: it gives the lease back, and says why a program has failed. A program's exit code counts more than a lease that
// could not be given back, which has been said.
func (a *app) closed(h *held, f *holdFlags, signals *session.Signals, code int, err error) error {
	back := a.giveBack(h, f, signals)
	var refused *session.RefusedError
	switch {
	case errors.As(err, &refused):
		a.note("cloudpw: %v (version %d of the password)", err, h.password.Version)
		a.note("  try: cloudpw verify %s", output.Word(h.place.Argument()))
		return &exitError{max(code, exitLocal)}
	case err != nil:
		return err
	case code == exitDone && back != nil:
		return &exitError{exitVault}
	}
	return exitWith(code)
}
