package guest

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Service is what a cloud has to give so that a [Resetter] can set passwords by its commands, and a [Checker] look at
// them: it sends one, it looks how far it is, and it says what its limits are.
type Service interface {
	// Limits are those of the cloud's commands, and the words for them.
	Limits() Limits
	// ValidateInstanceID is that of cloud.Provider.
	ValidateInstanceID(id string) error
	// Send has a command run and returns the id under which the cloud shows what became of it.
	Send(ctx context.Context, c Command) (id string, err error)
	// Look returns how far commands are. One that the cloud does not show (yet) is left out. Where Limits has OwnIDs it also
	// finds a command whose RequestID is empty, by its Name.
	Look(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]Run, error)
	// Ready returns an empty record of each instance to which a command can be sent, as far as can be told before
	// one is, and Gone of each that is terminated. An instance that does not exist is left out. An error says why an
	// instance cannot be sent a command now.
	Ready(ctx context.Context, ids []string) (map[string]cloud.ResetRecord, error)
}

// Limits are the constants of a cloud's commands.
type Limits struct {
	cloud.ResetTraits
	// Call is the request that sends a command, as messages name it: "ssm SendCommand".
	Call string
	// History is where an operator finds a command by its id: "Run Command's history".
	History string
	// Unavailable is why the connection cannot send commands at all; nil if it can.
	Unavailable error
	// LinuxOnly: there are no commands for Windows.
	LinuxOnly bool
	// Instead is what to do where an instance's platform has no command: the end of a sentence, or "".
	Instead string
}

// Purpose is what a command is for, in words that a cloud may show in its history.
type Purpose string

// Purposes.
const (
	// SetPassword: an attempt of the rotation core, which has waited for the limiter already.
	SetPassword Purpose = "set the password of an account"
	// ShowKey: the preparation of a Windows server.
	ShowKey Purpose = "show the public key for passwords, made unless it is there"
	// LookAtPassword: a check, which changes nothing.
	LookAtPassword Purpose = "look whether the password of an account is still right"
	// TryPassword: a check on Windows, which logs in once.
	TryPassword Purpose = "try whether the password of an account is still right"
	// TryPermission: a command that does nothing.
	TryPermission Purpose = "try the permission for commands"
)

// Command is a script for some instances.
type Command struct {
	// InstanceIDs are valid, and at most Limits.BatchSize.
	InstanceIDs []string
	Script      Script
	Purpose     Purpose
	// Name is our own id of the command, for clouds with OwnIDs: it is to be shown in the cloud's record of the command,
	// where Look finds it. Empty for other purposes than SetPassword.
	Name string
	// Prepared is what PrepareReset returned for it; empty for other purposes than SetPassword.
	Prepared string
	// Secrets are what no error may repeat, whatever the cloud says.
	Secrets []string
}

// AtOnce reports whether exactly one request is to be sent, at once. Any other command waits for the connection's
// limiter, and may be sent again where the cloud refused it as one request too many.
func (c Command) AtOnce() bool { return c.Purpose == SetPassword }

// State is how far a command is on one instance.
type State int

// States. What is not known to be final is running.
const (
	Running State = iota
	// Exited: the script has ended by itself, with an exit code.
	Exited
	// CutOff: the cloud or the agent ended the command, or never began with it.
	CutOff
)

// Run is a command on one instance.
type Run struct {
	// ID is the cloud's id of the command, where Look was asked by its name only.
	ID          string
	State       State
	Interpreter Interpreter
	// ExitCode and Output are the script's, where it has Exited. Output is standard output, with or without standard
	// error.
	ExitCode int
	Output   string
	// Failure is why the command was CutOff. Its kind is Refused where the script has certainly not begun.
	Failure *cloud.Error
}

// Outcome is that of a command that was to set a password and is not Running: nil if it was set.
func (r Run) Outcome() error {
	if r.State == Exited {
		return Outcome(r.Interpreter, r.ExitCode, r.Output)
	}
	return r.failure()
}

// looked is what a check that is not Running has seen. It changes nothing, however it ended.
func (r Run) looked() (report, error) {
	if r.State == Exited {
		return seen(r.ExitCode, r.Output)
	}
	refused := *r.failure()
	refused.Kind = cloud.Refused
	return report{}, &refused
}

// key is what a preparation that is not Running has shown. It sets no password, however it ended.
func (r Run) key() (PublicKey, error) {
	if r.State == Exited {
		return Prepared(r.ExitCode, r.Output)
	}
	refused := *r.failure()
	refused.Kind = cloud.Refused
	return PublicKey{}, &refused
}

func (r Run) failure() *cloud.Error {
	if r.Failure == nil {
		return cloud.Errorf(cloud.Unknown, "the command ended without an exit code")
	}
	return r.Failure
}
