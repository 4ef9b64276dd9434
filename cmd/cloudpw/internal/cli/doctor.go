package cli

import (
	"context"
	"os"

	"github.com/hashicorp/vault/api"
	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/doctor"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

func newDoctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Find out what does not work, and what to do about it",
		Long: `doctor looks at all that this command needs: the address of Vault, TLS, the state of the server, clocks, the token and how long it
lasts, the mount and the version of its plugin, what the token may do, by the personas of docs/vault-policies.md, connections and accounts
that fail, and the programs that ssh, rdp and take --clip start. It changes nothing, and reads no password.

Each finding that needs something has the command that is next. The exit code is 1 if something is wrong; a note is not wrong.`,
		Example: `  cloudpw doctor
  cloudpw doctor -o json`,
		Args:    cobra.NoArgs,
		GroupID: groupKeep,
		RunE: a.interruptible(func(ctx context.Context, _ *cobra.Command, _ []string) error {
			return a.doctor(ctx)
		}),
	}
}

func (a *app) doctor(ctx context.Context) error {
	format, err := a.format(output.Table, output.JSON, output.CSV)
	if err != nil {
		return err
	}
	c, err := a.engine()
	if err != nil {
		return err
	}
	d := doctor.Doctor{Client: c, Version: Version, SkipVerify: a.options.SkipVerify || isSet(os.Getenv(api.EnvVaultSkipVerify)), Now: a.now,
		Tools: doctor.LocalTools()}
	findings := d.Run(ctx)
	if err := a.printFindings(format, findings); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if doctor.AnyWrong(findings) {
		return &exitError{exitLocal}
	}
	return nil
}

// isSet reads a flag of Vault's environment, where what cannot be read is reported elsewhere.
func isSet(value string) bool {
	switch value {
	case "", "0", "f", "F", "false", "FALSE", "False":
		return false
	}
	return true
}

func (a *app) printFindings(format output.Format, findings []doctor.Finding) error {
	switch format {
	case output.JSON:
		return output.WriteJSON(a.stdio.Out, map[string]any{"findings": findings, "wrong": doctor.AnyWrong(findings)})
	case output.CSV:
		rows := &output.Rows{Headings: []string{"part", "level", "text", "next"}}
		for _, f := range findings {
			rows.Add(f.Part, string(f.Level), f.Text, f.Next)
		}
		return rows.WriteCSV(a.stdio.Out)
	}
	part := ""
	for _, f := range findings {
		if f.Part != part {
			part = f.Part
			a.say("%s", part)
		}
		a.say("  %-5s  %s", f.Level, f.Text)
		if f.Next != "" {
			a.say("         try: %s", f.Next)
		}
	}
	return nil
}
