package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/clipboard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/session"
)

func newRDPCommand(a *app) *cobra.Command {
	var f holdFlags
	var host, path string
	var public bool
	cmd := &cobra.Command{
		Use:   "rdp SERVER [-- FREERDP-ARGUMENT...]",
		Short: "Open a server's desktop by RDP, with a password that is leased for as long as it is open",
		Long: `rdp takes a lease of the server's password, starts FreeRDP (xfreerdp3 or xfreerdp), and gives the lease back when it has ended, as
cloudpw ssh does. FreeRDP 3 asks cloudpw for the password; FreeRDP 2 reads it from a pipe, and then refuses certificates that it does not
know: accept them by -- /cert:tofu, or name them by -- /cert:fingerprint:sha256:...

With --file it writes a file for another client (Windows' Remote Desktop, macOS' Windows App), which has no password in it, puts the
password into the clipboard, and holds the lease until Enter or Ctrl-C. Then the clipboard is cleared, if it still holds the password.`,
		Example: `  cloudpw rdp win-1
  cloudpw rdp win-1 -- /size:1920x1080 /cert:tofu
  cloudpw rdp win-1 --file win-1.rdp`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name the server")
			}
			return nil
		},
		GroupID: groupUse,
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			switch {
			case dash > 1 || dash < 0 && len(args) > 1 || dash == 0:
				return usagef("name one server; what is for FreeRDP goes behind --")
			case path != "" && len(args) > 1:
				return usagef("--file starts no FreeRDP that could have arguments")
			case path != "":
				return a.rdpFile(cmd, &f, args[0], path, host, public)
			}
			return a.rdp(cmd, &f, args[0], args[1:], host, public)
		},
	}
	f.add(a, cmd)
	cmd.Flags().StringVar(&host, "host", "", "connect to this HOST or HOST:PORT (default: the server's private address, else its public one)")
	cmd.Flags().BoolVar(&public, "public", false, "connect to the server's public address")
	cmd.Flags().StringVar(&path, "file", "", "write this .rdp file for another client, and put the password into the clipboard")
	cmd.MarkFlagsMutuallyExclusive("host", "public")
	_ = cmd.MarkFlagFilename("file", "rdp")
	return cmd
}

func (a *app) rdp(cmd *cobra.Command, f *holdFlags, server string, args []string, host string, public bool) error {
	at, port, err := hostPort(host)
	if err != nil {
		return err
	}
	client, err := session.FindRDP(cmd.Context())
	if errors.Is(err, session.ErrNoRDPClient) {
		return try(err, "cloudpw rdp %s --file server.rdp", output.Word(server))
	}
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
		d, err := h.desktop(at, port, public)
		if err != nil {
			return 0, err
		}
		d.More, d.Stdin, d.Stdout, d.Stderr = args, file(a.stdio.In), file(a.stdio.Out), file(a.stdio.Err)
		return client.Run(d, signals.Ends())
	}()
	return a.closed(h, f, signals, code, err)
}

func (h *held) desktop(at string, port int, public bool) (session.Desktop, error) {
	to, err := h.host(at, public)
	return session.Desktop{User: h.user(), Host: to, Port: port, Password: h.password.Value}, err
}

// rdpFile is for clients that take no password from us.
func (a *app) rdpFile(cmd *cobra.Command, f *holdFlags, server, path, host string, public bool) error {
	at, port, err := hostPort(host)
	if err != nil {
		return err
	}
	board, err := clipboard.Find()
	if err != nil {
		return err
	}
	signals := session.Catch()
	defer signals.Stop()
	h, err := a.hold(cmd, f, server, signals)
	if err != nil {
		return err
	}
	err = func() error {
		d, err := h.desktop(at, port, public)
		if err != nil {
			return err
		}
		if err := session.WriteRDPFile(path, d); err != nil {
			return err
		}
		return a.offer(h, board, signals, fmt.Sprintf("%s is for %s at %s; the password is in the clipboard", path, d.User, h.name()))
	}()
	return a.closed(h, f, signals, exitDone, err)
}

// clipTime bounds what is done with the clipboard at the end.
const clipTime = 10 * time.Second

// offer has the password in the clipboard until a key, a signal or the end of the lease ends it.
func (a *app) offer(h *held, board *clipboard.Clipboard, signals *session.Signals, says string) error {
	password := h.password.Value.Reveal()
	ctx, cancel := context.WithTimeout(context.Background(), clipTime)
	defer cancel()
	if err := board.Put(ctx, password); err != nil {
		return err
	}
	if isTerminal(a.stdio.In) {
		a.note("%s until Enter or Ctrl-C", says)
		if err := session.Show(file(a.stdio.In), nil, nil, signals.Ends(), h.Ended()); err != nil {
			return errors.Join(err, board.Clear(ctx, password))
		}
	} else {
		a.note("%s until Ctrl-C or SIGTERM", says)
		select {
		case <-signals.Ends():
		case <-h.Ended():
		}
	}
	ctx, cancel = context.WithTimeout(context.Background(), clipTime)
	defer cancel()
	return board.Clear(ctx, password)
}
