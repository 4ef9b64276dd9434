package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/clipboard"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/session"
)

func newTakeCommand(a *app) *cobra.Command {
	var f holdFlags
	var clip bool
	cmd := &cobra.Command{
		Use:   "take SERVER",
		Short: "Take a server's password: show it, put it into the clipboard, or print it for a program",
		Long: `take takes a lease of a server's password.

On a terminal it shows the password on the terminal's second screen, which leaves nothing behind, until Enter or Ctrl-C; then the lease is
given back. With --clip it puts the password into the clipboard instead, and clears that at the end, if it still holds the password.
Meanwhile the lease is renewed.

If standard output is no terminal, or with -o json, it prints the password and ends. The lease stays until its ttl then: give it back by
cloudpw give as soon as the password is not needed any more.`,
		Example: `  cloudpw take web-1
  cloudpw take --clip prod/web-1
  password=$(cloudpw take web-1)
  cloudpw take web-1 -o json`,
		Args:    one("SERVER"),
		GroupID: groupUse,
		RunE:    func(cmd *cobra.Command, args []string) error { return a.take(cmd, &f, args[0], clip) },
	}
	f.add(a, cmd)
	cmd.Flags().BoolVar(&clip, "clip", false, "put the password into the clipboard, and clear it at the end")
	return cmd
}

func (a *app) take(cmd *cobra.Command, f *holdFlags, server string, clip bool) error {
	format, err := a.format(output.Table, output.JSON)
	if err != nil {
		return err
	}
	if clip && format == output.JSON {
		return usagef("--clip and -o json exclude each other")
	}
	var board *clipboard.Clipboard
	if clip {
		if board, err = clipboard.Find(); err != nil {
			return err
		}
	}
	show := !clip && format == output.Table && isTerminal(a.stdio.Out)
	if show {
		if err := session.CanShow(file(a.stdio.In), file(a.stdio.Out)); err != nil {
			return try(err, "cloudpw take --clip %s, or -o json", output.Word(server))
		}
	}
	signals := session.Catch()
	defer signals.Stop()
	h, err := a.hold(cmd, f, server, signals)
	if err != nil {
		return err
	}
	switch {
	case clip:
		err = a.offer(h, board, signals, fmt.Sprintf("the password of %s at %s is in the clipboard", h.user(), h.name()))
	case show:
		err = a.show(h, signals)
	default:
		if err = a.hand(h, format); err == nil {
			return nil // the lease stays
		}
	}
	return a.closed(h, f, signals, exitDone, err)
}

// show has the password on the screen until somebody has seen it.
func (a *app) show(h *held, signals *session.Signals) error {
	password := h.password.Value.Reveal()
	if !session.Showable(password) {
		return try(errors.New("this password has characters that a terminal does not show"), "--clip, or -o json")
	}
	lines := []string{
		"Server    " + output.Clean(h.name()) + "  " + output.Clean(h.password.PrivateIP),
		"User      " + output.Clean(h.user()),
		"Password  " + password,
		"",
		"Enter or Ctrl-C hides it" + map[bool]string{true: ".", false: ", and gives the lease back."}[h.Lease().ID == ""],
	}
	return session.Show(file(a.stdio.In), file(a.stdio.Out), lines, signals.Ends(), h.Ended())
}

// taken is a password for a program.
type taken struct {
	Server     string    `json:"instance_id"`
	Name       string    `json:"instance_name"`
	Connection string    `json:"connection"`
	Role       string    `json:"role"`
	PrivateIP  string    `json:"private_ip"`
	PublicIP   string    `json:"public_ip"`
	Username   string    `json:"username"`
	Password   string    `json:"password"`
	Version    int       `json:"version"`
	Lease      string    `json:"lease_id"`
	Until      time.Time `json:"lease_until,omitzero"`
}

// hand prints the password, and leaves the lease as it is.
func (a *app) hand(h *held, format output.Format) error {
	h.Keep()
	p := h.password
	if format == output.JSON {
		t := taken{
			Server: p.InstanceID, Name: p.Name, Connection: p.Connection, Role: h.place.Role, PrivateIP: p.PrivateIP, PublicIP: p.PublicIP,
			Username: p.Username, Password: p.Value.Reveal(), Version: p.Version, Lease: p.LeaseID,
		}
		if t.Lease != "" {
			t.Until = h.Until().UTC().Truncate(time.Second)
		}
		encoder := json.NewEncoder(a.stdio.Out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(t); err != nil { //nolint:gosec // to print the password is what -o json asks for
			return fmt.Errorf("standard output: %w", err)
		}
	} else if _, err := fmt.Fprintln(a.stdio.Out, p.Value.Reveal()); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if p.LeaseID != "" {
		a.note("The lease lasts until %s. Give it back by: cloudpw give %s", h.Until().Local().Format("15:04:05"), p.LeaseID)
	}
	return nil
}
