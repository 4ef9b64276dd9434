//go:build e2e

package command

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shells are the ways to ask a shell what it completes a command line to: a program that prints the words, given the line as $LINE.
var shells = map[string]struct {
	program string
	needs   string // a file without which it is skipped
	script  string
}{
	"bash": {"bash", "/usr/share/bash-completion/bash_completion", `
source /usr/share/bash-completion/bash_completion
compopt() { :; } # works only below the line editor
source <(cloudpw completion bash)
COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=9
read -ra COMP_WORDS <<<"$LINE"
case $LINE in *' ') COMP_WORDS+=('') ;; esac
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
complete -p cloudpw >/dev/null || exit 1
__start_cloudpw
printf '%s\n' "${COMPREPLY[@]}"
`},
	"zsh": {"zsh", "", `
autoload -Uz compinit && compinit -u -d "$HOME/.zcompdump"
compdef() { :; }
source <(cloudpw completion zsh)
unfunction compdef
# What the script hands to zsh, without its line editor.
_describe() {
	local -a given
	given=("${(@P)@[-1]}")
	for arg; do [[ $arg = completions ]] && given=("${completions[@]}"); done
	print -rl -- "${given[@]%%:*}"
}
compadd() { print -rl -- "${@[-1]}"; }
_arguments() { :; }
words=(${(z)LINE})
[[ $LINE = *' ' ]] && words+=('')
CURRENT=${#words}
_cloudpw
`},
	"fish": {"fish", "", `
cloudpw completion fish | source
complete -C "$LINE"
`},
}

// TestCompletion tries the completion scripts in the shells themselves: commands, names of servers, and quiet where Vault is away.
func TestCompletion(t *testing.T) {
	t.Parallel()
	e := start(t)
	ids := e.role(t, "web", nil, "ubuntu-1", "linux-1")
	operator := e.token(t, "olivia", "Operator")
	for name, shell := range shells {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(shell.program)
			if err == nil && shell.needs != "" {
				_, err = os.Stat(shell.needs)
			}
			if err != nil {
				t.Skipf("completion in %s was not tried: %v", name, err)
			}
			// ask is what the shell offers for a line; env comes after the usual environment.
			ask := func(line string, env ...string) string {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), commandTime)
				defer cancel()
				args := []string{"-c", shell.script}
				if name == "zsh" {
					args = append([]string{"-f"}, args...)
				}
				cmd := exec.CommandContext(ctx, path, args...)
				cmd.Env = append(e.environment(operator, "LINE="+line), env...)
				cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(e.command)+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
				var errs strings.Builder
				cmd.Stderr = &errs
				out, err := cmd.Output()
				if ctx.Err() != nil || errs.Len() > 0 {
					t.Fatalf("%s: %v\n%s%s", line, err, out, errs.String())
				}
				return string(out)
			}
			wants(t, "commands", ask("cloudpw s"), "servers", "show", "ssh")
			wants(t, "servers", ask("cloudpw show "), "ubuntu-1", "linux-1")
			if got := ask("cloudpw show ub"); !strings.Contains(got, "ubuntu-1") || strings.Contains(got, "linux-1") {
				t.Errorf("of ub: %q", got)
			}
			wants(t, "servers of a role", ask("cloudpw why web/li"), "web/linux-1")
			wants(t, "ids", ask("cloudpw who "+ids[0][:6]), ids[0])
			wants(t, "roles", ask("cloudpw servers --role "), "web")
			wants(t, "formats", ask("cloudpw servers -o "), "table", "json", "csv")
			if got := ask("cloudpw show none"); strings.TrimSpace(got) != "" {
				t.Errorf("of a name that no server has: %q", got)
			}
			// Nobody answers there: no words, no error, and soon.
			began := time.Now()
			if got := ask("cloudpw show ub", "VAULT_ADDR=http://192.0.2.1:8200"); strings.TrimSpace(got) != "" {
				t.Errorf("without Vault: %q", got)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("without Vault it took %v", took)
			}
		})
	}
}
