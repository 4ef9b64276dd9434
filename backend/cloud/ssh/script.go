package ssh

import (
	"context"
	"fmt"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// paths come before each Linux script. sshd gives a user's session a PATH without the directories of administrators.
const paths = "PATH=$PATH:/usr/sbin:/sbin\n"

// shellRun runs text by a shell of a host's root.
func (p *provider) shellRun(ctx context.Context, client *sshclient.Client, h cloud.Host, script string) (sshclient.Result, error) {
	input := []byte(paths + script)
	switch p.sudo(h) {
	case sudoNever:
		return client.Run(ctx, shell, input)
	case sudoTTY:
		return client.RunTTY(ctx, fmt.Sprintf(sudoTerminal, len(input)), ready, input)
	}
	return client.Run(ctx, sudoShell, input)
}

// rootProbe is a script that changes nothing, and rootSeen what it prints as root.
const (
	rootProbe = "echo \"cloudpw: user $(id -u)\"\nexit 0\n"
	rootSeen  = "cloudpw: user 0"
)

// checkRoot looks whether a shell of root can be had, before a script is sent that must have one. So the refusal of sudo, which may come
// from anything that its configuration names, is certain.
func (p *provider) checkRoot(ctx context.Context, client *sshclient.Client, h cloud.Host) error {
	if h.Platform == cloud.Windows {
		return nil // the script looks for itself, and no sudo is in between
	}
	got, err := p.shellRun(ctx, client, h, rootProbe)
	if err != nil {
		return changedNothing(err)
	}
	if got.ExitCode == 0 && hasLine(got.Output, rootSeen) {
		return nil
	}
	return p.notRoot(h, got)
}

// changedNothing is the error of a script that changes nothing, whatever became of it.
func changedNothing(err error) error {
	if e := cloud.AsError(err); e != nil && e.Kind == cloud.Unknown {
		refused := *e
		refused.Kind = cloud.Refused
		return &refused
	}
	return err
}

// notRoot says what a host answered instead of giving a shell of root.
func (p *provider) notRoot(h cloud.Host, got sshclient.Result) error {
	user := p.loginUser(h)
	said := saying(got)
	var what string
	switch how := p.sudo(h); {
	case strings.Contains(got.Output, "must have a tty"):
		what = fmt.Sprintf("its sudo wants a terminal (requiretty)%s; write sudo=tty to the host or the connection, or take requiretty away for "+
			"%s: Defaults:%s !requiretty", said, user, user)
	case how == sudoNever && strings.Contains(got.Output, "cloudpw: user"):
		what = fmt.Sprintf("%s is not root, and sudo=never says not to become it; write sudo=auto, or let root log in", user)
	case how == sudoNever:
		what = fmt.Sprintf("its shell did not run a command of %s as it should%s; see that authorized_keys has no command= for the key and that "+
			"the login shell is one", user, said)
	case how == sudoTTY:
		what = fmt.Sprintf("sudo did not give %s a shell%s; allow it there, by a file below /etc/sudoers.d: %s ALL=(root) NOPASSWD: /bin/sh",
			user, said, user)
	default:
		what = fmt.Sprintf("sudo did not give %s a shell%s; allow it there, by a file below /etc/sudoers.d: %s ALL=(root) NOPASSWD: %s", user,
			said, user, shell)
	}
	return cloud.Errorf(cloud.Refused, "ssh to %s: nothing was changed: %s", h.Name, what)
}

// maxSaid bounds what a message repeats of a host's output, in characters.
const maxSaid = 200

// saying is what a host said, for a message: its exit code, and its output without anything like a hash.
func saying(got sshclient.Result) string {
	said := text.Line(guest.WithoutHashes(got.Output), maxSaid)
	if said == "" {
		return fmt.Sprintf(" (exit code %d)", got.ExitCode)
	}
	return fmt.Sprintf(" (exit code %d: %s)", got.ExitCode, said)
}

func hasLine(output, line string) bool {
	for l := range strings.Lines(output) {
		if strings.TrimRight(l, " \r\n") == line {
			return true
		}
	}
	return false
}

// script runs one of guest's scripts. It has ended by itself only if its own last line has the exit code of the session: a shell that ends
// with a code of its own, or a login that prints something, tells nothing of the script.
func (p *provider) script(ctx context.Context, client *sshclient.Client, h cloud.Host, s guest.Script) (guest.Run, error) {
	var got sshclient.Result
	var err error
	if s.Interpreter == guest.PowerShell {
		got, err = client.Run(ctx, powerShell, []byte(s.Text))
	} else {
		got, err = p.shellRun(ctx, client, h, s.Text)
	}
	if err != nil {
		return guest.Run{}, err
	}
	run := guest.Run{State: guest.Exited, Interpreter: s.Interpreter, ExitCode: got.ExitCode, Output: got.Output}
	if code, ok := guest.ExitCode(got.Output); !ok || code != got.ExitCode {
		said := fmt.Sprintf(" (exit code %d)", got.ExitCode)
		if s.Interpreter == guest.Shell {
			said = saying(got)
		}
		run.State, run.Failure = guest.CutOff, cloud.Errorf(cloud.Unknown, "the session ended without the script's own last line%s", said)
	}
	return run, nil
}
