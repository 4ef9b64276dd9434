package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// The exit codes.
const (
	exitDone  = 0
	exitLocal = 1 // also: not all is done
	exitVault = 2
)

// exitError ends the command with a code, after whatever was to be said has been said.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// hinted is an error with the command that helps.
type hinted struct {
	err error
	try string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }

// try adds the command that helps to an error.
func try(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// wrongUsageError is an error of flags or arguments.
type wrongUsageError struct{ error }

func (e *wrongUsageError) Unwrap() error { return e.error }

func usageError(err error) error { return &wrongUsageError{err} }

func usagef(format string, args ...any) error { return usageError(fmt.Errorf(format, args...)) }

// end says what went wrong, on stderr, and returns the exit code.
func (a *app) end(cmd *cobra.Command, err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, context.Canceled):
		a.note("cloudpw: interrupted")
		return exitLocal
	}
	what := strings.TrimSpace(output.CleanLines(err.Error()))
	_, _ = fmt.Fprintf(a.stdio.Err, "cloudpw: %s\n", what)
	if help := a.wayOut(cmd, err); help != "" {
		_, _ = fmt.Fprintf(a.stdio.Err, "  try: %s\n", output.Clean(help))
	}
	if engine.IsFailure(err) {
		return exitVault
	}
	return exitLocal
}

// wayOut is the command that helps against an error; empty: the error says enough.
func (a *app) wayOut(cmd *cobra.Command, err error) string {
	var hint *hinted
	var wrong *wrongUsageError
	var unknown *engine.UnknownError
	var failed *engine.Error
	switch {
	case errors.As(err, &hint):
		return hint.try
	case errors.As(err, &wrong):
		return cmd.CommandPath() + " --help"
	case errors.As(err, &unknown):
		return "cloudpw servers"
	case !errors.As(err, &failed):
		return ""
	}
	switch {
	case engine.IsDenied(err) && a.client != nil && (a.client.Vault().Token() == "" || slices.Contains(failed.Messages, "invalid token")):
		return "vault login"
	case engine.IsDenied(err):
		return "vault token capabilities " + output.Word(failed.Path)
	case failed.Status == 404 && noHandler(failed):
		return "vault secrets list, and --mount PATH or CLOUDPW_MOUNT for another mount than " + a.client.Mount() + "/"
	case failed.Status == 0 && a.options.Address == "" && a.client != nil && strings.Contains(err.Error(), "connection refused"):
		return "export VAULT_ADDR=https://vault.example.com:8200, or --address"
	}
	return ""
}

// noHandler reports whether Vault has no mount at the path.
func noHandler(e *engine.Error) bool {
	for _, m := range e.Messages {
		if strings.Contains(m, "no handler for route") {
			return true
		}
	}
	return false
}
