package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// shell is a shell of the user's own with everything set. What it exits with says nothing of the playground.
func (p *playground) shell(ctx context.Context) error {
	name := os.Getenv("SHELL")
	if name == "" {
		name = "/bin/sh"
	}
	args := []string{"-i"}
	if filepath.Base(name) == "bash" { // the user's own file may set PATH and variables of Vault: ours come after it
		rc := filepath.Join(p.dir, "bashrc")
		text := "[ ! -r ~/.bashrc ] || . ~/.bashrc\n. " + quote(filepath.Join(p.dir, "env.sh")) + "\nPS1=\"(playground) $PS1\"\n"
		if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
			return fmt.Errorf("the shell: %w", err)
		}
		args = []string{"--rcfile", rc, "-i"}
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = p.environment(os.Environ())
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGHUP) } // an interactive shell ignores SIGTERM
	cmd.WaitDelay = stopGrace
	err := cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil
	}
	return err
}

// environment is the user's own, without what leads to another Vault, and with the playground's.
func (p *playground) environment(own []string) []string {
	var env []string
	for _, entry := range own {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case strings.HasPrefix(name, "VAULT_"), strings.HasPrefix(name, "BAO_"), name == "CLOUDPW_MOUNT":
		case name == "PATH":
			env = append(env, "PATH="+filepath.Join(p.dir, "bin")+string(os.PathListSeparator)+value)
		default:
			env = append(env, entry)
		}
	}
	for _, v := range p.variables() {
		env = append(env, v[0]+"="+v[1])
	}
	return env
}
