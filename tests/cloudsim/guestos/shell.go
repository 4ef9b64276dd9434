package guestos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// shellTime bounds a script; one takes some milliseconds.
	shellTime = 30 * time.Second
	// maxOutput bounds what is kept of its output, in bytes.
	maxOutput = 64 << 10
)

// idStub plays "id -u" and "id -u NAME". It knows the user it runs as from its own text and the accounts
// from a file beside it.
const idStub = `#!@SH@
[ "$1" = -u ] || exit 1
if [ $# -eq 1 ]; then
	echo @UID@
	exit
fi
while read -r name; do
	[ "$name" = "$2" ] && echo 1000 && exit
done <'@DIR@/accounts'
echo "id: '$2': no such user" >&2
exit 1
`

// chpasswdStub plays "chpasswd -e" with one line on standard input. It writes its arguments down, for tests.
const chpasswdStub = `#!@SH@
printf '%s\n' "$*" >'@DIR@/arguments'
[ "$*" = -e ] || exit 2
if [ @FAILS@ = true ]; then
	echo 'chpasswd: cannot lock /etc/passwd; try again later.' >&2
	exit 1
fi
IFS= read -r line || exit 1
while read -r name; do
	[ "$name" = "${line%%:*}" ] && printf '%s\n' "$line" >'@DIR@/set' && exit
done <'@DIR@/accounts'
echo "chpasswd: line 1: user '${line%%:*}' does not exist" >&2
exit 1
`

// dateStub plays "date +%s".
const dateStub = `#!@SH@
[ "$*" = +%%s ] && %s
`

// dateFile is a date that tells the system's time, or fails.
func (s System) dateFile() file {
	tell := "exit 1"
	if !s.NoClock {
		tell = fmt.Sprintf("echo %d", s.date().Unix())
	}
	return file{"bin/date", fmt.Sprintf(dateStub, tell)}
}

// flockStub plays "flock -n 9", for a descriptor that is open.
const flockStub = `#!@SH@
[ "$*" = '-n 9' ] && exec 8>&9 && [ %t = false ]
`

// ownStub lets a command of the machine act on the script's own file and on nothing else.
const ownStub = `#!@SH@
[ "$*" = '%s @DIR@/_script.sh' ] && exec '%s' "$@"
`

// here stands for the scratch directory in a script.
const here = "@DIR@"

// hashForm is what newer shadow-utils check a SHA-512 hash against before they store it.
var hashForm = regexp.MustCompile(`^\$6\$(rounds=[1-9][0-9]{3,8}\$)?[^$:\n]{1,16}\$[./0-9A-Za-z]{86}$`)

// runSet really runs the script that sets a password, on a shadow file, a passwd and a /run of its own: the paths are all
// that is changed in it. Beside id and chpasswd it finds a date that tells the system's time, a flock that says whether the
// lock is taken, a sleep that returns at once, and a chmod and a rm for its own file.
func (s System) runSet(text string) (Result, error) {
	text, err := moved(text, "shadow=/etc/shadow", "passwd=/etc/passwd", "run=/run")
	if err != nil {
		return Result{}, err
	}
	var passwd strings.Builder
	for _, name := range s.Accounts {
		fmt.Fprintf(&passwd, "%s:x:1000:1000::/:/bin/sh\n", name)
	}
	more := []file{{"shadow", s.shadow()}, {"passwd", passwd.String()}, {"run/", ""}, s.dateFile(), {"bin/sleep", "#!@SH@\n"}}
	for tool, option := range map[string]string{"chmod": "600", "rm": "-f"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			return Result{}, fmt.Errorf("the simulated server needs a %s on this machine: %w", tool, err)
		}
		more = append(more, file{"bin/" + tool, fmt.Sprintf(ownStub, option, path)})
	}
	if !s.NoFlock {
		more = append(more, file{"bin/flock", fmt.Sprintf(flockStub, s.LockTaken)})
	}
	r, err := s.runShell(text, more...)
	r.Key = s.Key
	return r, err
}

// runShell really runs one of cloudpw's Linux scripts, with more files around it.
func (s System) runShell(text string, more ...file) (Result, error) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		return Result{}, fmt.Errorf("the simulated server needs a sh on this machine: %w", err)
	}
	dir, err := os.MkdirTemp("", "cloudsim-guest-")
	if err != nil {
		return Result{}, fmt.Errorf("a scratch directory for the simulated server: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := s.furnish(dir, sh, text, more); err != nil {
		return Result{}, fmt.Errorf("a scratch directory for the simulated server: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), shellTime)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, sh, filepath.Join(dir, "_script.sh"))
	// The PATH is what keeps the machine's own chpasswd out. Without one, a shell would take its default.
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append([]string{"PATH=" + filepath.Join(dir, "bin")}, s.variables()...), &out, &out
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return Result{}, fmt.Errorf("the simulated server's shell: %w", err)
	}
	r := Result{ExitCode: cmd.ProcessState.ExitCode(), Output: string(out.Bytes()[:min(out.Len(), maxOutput)])}
	line, err := os.ReadFile(filepath.Join(dir, "set"))
	if err != nil {
		return r, nil // nothing was set
	}
	user, hash, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":")
	if !hashForm.MatchString(hash) {
		return Result{}, fmt.Errorf("the script gave chpasswd something that is no SHA-512 hash, for user %q", user)
	}
	r.User, r.Hash = user, hash
	return r, nil
}

// variables are those of the environment that a script gets. Like the handler of Azure, nobody sets an empty one.
func (s System) variables() []string {
	var out []string
	for name, value := range s.Environment {
		if variable.MatchString(name) && value != "" && !strings.Contains(value, "\x00") {
			out = append(out, name+"="+value)
		}
	}
	return out
}

// variable is the name of one of cloudpw's.
var variable = regexp.MustCompile(`^(?:CLOUDPW_[A-Z]{1,32}|cloudpw_[a-z]{1,32})$`)

// file is one that a script finds, or a directory whose name ends in a slash: its text may name the
// directory and the shell as the stand-ins do.
type file struct{ name, text string }

// furnish writes what the script finds around it.
func (s System) furnish(dir, sh, text string, more []file) error {
	if strings.Contains(dir, "'") {
		return fmt.Errorf("%q: quotes in the path", dir)
	}
	uid := "0"
	if s.NotRoot {
		uid = "1000"
	}
	fill := strings.NewReplacer("@SH@", sh, "@DIR@", dir, "@UID@", uid, "@FAILS@", fmt.Sprint(s.ChpasswdFails)).Replace
	files := map[string]string{
		"_script.sh": strings.ReplaceAll(text, here, dir),
		"accounts":   strings.Join(append(slices.Concat(s.Accounts, s.Directory), ""), "\n"),
		"bin/id":     fill(idStub), "bin/chpasswd": fill(chpasswdStub),
	}
	if path, err := exec.LookPath("base64"); err == nil && !s.NoBase64 {
		files["bin/base64"] = fill("#!@SH@\n[ \"$*\" = -d ] && exec '" + path + "' -d\n")
	}
	if s.NoChpasswd {
		delete(files, "bin/chpasswd")
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		return err
	}
	for _, f := range more {
		if name, isDir := strings.CutSuffix(f.name, "/"); isDir {
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				return err
			}
			continue
		}
		files[f.name] = fill(f.text)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			return err
		}
	}
	return nil
}
