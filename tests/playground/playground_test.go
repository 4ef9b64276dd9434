//go:build playground

// Package playground tries the playground as a new user does: it is started by one command, and what docs/playground.md says is typed.
// Run it with `make test-playground`.
package playground

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

const (
	page = "../../docs/playground.md"
	// within bounds each wait: machines may be slow, and the first start builds.
	within = 10 * time.Minute
)

// terminal is a terminal in which one program runs.
type terminal struct {
	cmd    *exec.Cmd
	master *os.File
	done   chan struct{}
	err    error // how the program ended; read it after done

	mu    sync.Mutex
	shown bytes.Buffer
}

// open runs a program in a terminal, with a folder for temporary files that it should leave empty.
func open(t *testing.T, temporary string, name string, args ...string) *terminal {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary, "SHELL=/bin/sh", "ENV=", "PS1=ready> ", "TERM=dumb",
		"VAULT_ADDR=http://127.0.0.1:1", "VAULT_NAMESPACE=another") // of the user's own Vault
	x := &terminal{cmd: cmd, done: make(chan struct{})}
	var err error
	if x.master, err = pty.Start(cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := x.master.Read(buffer)
			x.mu.Lock()
			x.shown.Write(buffer[:n])
			x.mu.Unlock()
			if err != nil {
				break
			}
		}
		x.err = cmd.Wait()
		close(x.done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = x.master.Close()
		<-x.done
	})
	return x
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.shown.String()
}

// await waits until something is shown, and returns what is shown after it so far.
func (x *terminal) await(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	eventually(t, "on the terminal: "+pattern, func() error {
		if found = re.FindStringSubmatch(x.text()); found != nil {
			return nil
		}
		select {
		case <-x.done:
			return stop{fmt.Errorf("the program has ended (%w):\n%s", orNone(x.err), x.text())}
		default:
			return fmt.Errorf("shown is\n%s", x.text())
		}
	})
	return found
}

func (x *terminal) send(t *testing.T, text string) {
	t.Helper()
	if _, err := x.master.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the program's end.
func (x *terminal) ends(t *testing.T) {
	t.Helper()
	select {
	case <-x.done:
	case <-time.After(within):
		t.Fatalf("it goes on:\n%s", x.text())
	}
}

// stop is an error that waiting does not mend.
type stop struct{ error }

func orNone(err error) error {
	if err == nil {
		return fmt.Errorf("exit status 0")
	}
	return err
}

func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		if s := (stop{}); errors.As(err, &s) {
			t.Fatalf("%s: %v", what, s.error)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}

// visitor types commands in another terminal.
type visitor struct{ folder string }

// types runs commands in a shell that has read env.sh.
func (v visitor) types(t *testing.T, commands string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "set -e\n. '"+v.folder+"/env.sh'\n"+commands)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v\n%s", commands, err, out)
	}
	return string(out)
}

// leases are those of a server, as names of their holders.
func (v visitor) holders(t *testing.T, server string) []string {
	t.Helper()
	var answer struct {
		Data struct{ Accounts []struct{ Holders []string } }
	}
	out := v.types(t, "vault read -format=json cloudpw/report server="+server)
	if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer.Data.Accounts) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	return answer.Data.Accounts[0].Holders
}

// commands are those of the page, in their order.
func commands(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../../backend/testdata/commands.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ Page, Command, Test string }
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range list {
		if c.Page == "docs/playground.md" && c.Test != "" {
			all = append(all, c.Command)
		}
	}
	return all
}

func TestPlayground(t *testing.T) {
	temporary, beside := t.TempDir(), t.TempDir()
	first := open(t, temporary, "make", "--no-print-directory", "playground", "CONSOLE=0")
	folder := first.await(t, `In another terminal: +\. '([^']+)/env\.sh'`)[1]
	address := first.await(t, `Vault is at (http://\S+)\.`)[1]
	second := open(t, beside, "make", "--no-print-directory", "playground", "CONSOLE=0", "SHELL_AT_END=0")
	v := visitor{folder}
	if !strings.HasPrefix(folder, temporary) {
		t.Fatalf("its folder is %s", folder)
	}

	// One takes a password by ssh, and gives it back by leaving the shell.
	first.send(t, "cloudpw ssh web-1\r")
	first.await(t, `ubuntu@web-1:~\$ `)
	if got := v.holders(t, "web-1"); !slices.Contains(got, "userpass-you") {
		t.Errorf("web-1 is with %v", got)
	}
	first.send(t, "whoami\r")
	first.await(t, `\nubuntu\r`)
	first.send(t, "exit\r")
	eventually(t, "the lease is given back", func() error {
		if got := v.holders(t, "web-1"); slices.Contains(got, "userpass-you") {
			return fmt.Errorf("web-1 is with %v", got)
		}
		return nil
	})

	t.Run("page", func(t *testing.T) { typePage(t, v) })
	t.Run("faults", func(t *testing.T) { everyFault(t, v) })

	// The campaign is followed to its end.
	follow := first.await(t, `(cloudpw campaigns \w+ --follow) `)[1]
	if out := v.types(t, follow); !strings.Contains(out, "8 done of 8") {
		t.Errorf("%s prints %s", follow, out)
	}

	// Leaving the shell ends all, as Ctrl-C does without a shell.
	first.send(t, "exit\r")
	first.ends(t)
	second.await(t, "Ctrl-C ends it all")
	other := second.await(t, `Vault is at (http://\S+)\.`)[1]
	second.send(t, "\x03")
	second.ends(t)
	for _, dir := range []string{temporary, beside} {
		if left, err := filepath.Glob(filepath.Join(dir, "cloudpw-*")); err != nil || len(left) > 0 {
			t.Errorf("it leaves %v behind: %v", left, err)
		}
	}
	for _, at := range []string{address, other} {
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", u.Host); err == nil {
			c.Close()
			t.Errorf("the Vault at %s goes on", at)
		}
	}
}

// typePage types the page; what prints something that says whether it worked is looked at.
func typePage(t *testing.T, v visitor) {
	want := map[string]string{
		"cloudpw ssh web-1":                   "",
		"cloudpw servers":                     "erp-2",
		"vault read -field=summary":           "prod-tencent",
		"cloudpw servers --drifted":           "erp-2",
		"cloudpw who":                         "userpass-bob",
		"cloudpw show":                        "revoked",
		"cloudpw why":                         "not running",
		"cloudpw campaigns":                   "batch",
		"vault write cloudpw/verify/web":      "differs",
		"vault write cloudpw/rotate-role/web": "ready",
		"curl --silent \"$SIM_ADMIN/v1/log":   "tencentcloud ",
	}
	var script strings.Builder
	all := commands(t)
	if len(all) < 20 {
		t.Fatalf("the page has %d commands", len(all))
	}
	script.WriteString("cd '" + v.folder + "'\n")
	for i, command := range all {
		if command == "make playground" { // it runs
			continue
		}
		if command == "cloudpw ssh web-1" {
			command = "printf 'hostname\\nexit\\n' | " + command
		}
		fmt.Fprintf(&script, "echo '== %d'\n%s\n", i, command)
	}
	printed := v.types(t, script.String())
	for i, command := range all {
		_, part, _ := strings.Cut(printed, fmt.Sprintf("== %d\n", i))
		part, _, _ = strings.Cut(part, "\n== ")
		for begins, holds := range want {
			if strings.HasPrefix(command, begins) && !strings.Contains(part, holds) {
				t.Errorf("%s\nhas no %q in\n%s", command, holds, part)
			}
		}
		if strings.Contains(part, `"error"`) {
			t.Errorf("%s\n%s", command, part)
		}
	}
}

// everyFault adds each fault of the page's table; the table has all kinds that there are.
func everyFault(t *testing.T, v visitor) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	unknown := v.types(t, `curl --silent --data '{"kind": "none"}' "$SIM_ADMIN/v1/faults"`)
	_, list, _ := strings.Cut(unknown, "use one of [")
	list, _, _ = strings.Cut(list, "]")
	kinds := strings.Fields(list)
	for _, m := range regexp.MustCompile("(?m)^\\| .* \\| `(\\{.*\\})` \\|$").FindAllStringSubmatch(string(raw), -1) {
		var fault struct{ Kind string }
		if err := json.Unmarshal([]byte(m[1]), &fault); err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		out := v.types(t, `curl --silent --data '`+m[1]+`' "$SIM_ADMIN/v1/faults"`)
		if !strings.Contains(out, `"id"`) {
			t.Errorf("%s: %s", m[1], out)
		}
		kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == fault.Kind })
	}
	if list == "" || len(kinds) > 0 {
		t.Errorf("the page's table lacks the faults %q; the simulator says %s", kinds, unknown)
	}
	v.types(t, `curl --silent --request DELETE "$SIM_ADMIN/v1/faults"`)
}
