//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// TestScriptForCI: the script of examples/ci gives the password back however the command ends, and hands it to the command alone.
func TestScriptForCI(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs("../../examples/ci/with-password.sh")
	if err != nil {
		t.Fatal(err)
	}
	e := start(t)
	e.connect(t, model.TencentCloud)
	e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"checkout": "exclusive", "min_reset_interval": 0})
	for _, c := range []struct{ name, line, want string }{
		{"success", `"$SCRIPT" cloudpw/creds/web sh -c 'echo "$SERVER_USER $((${#SSHPASS} > 11)) [$VAULT_TOKEN]"'; echo "code $?"`,
			"ubuntu 1 []\ncode 0\n"},
		{"failure", `"$SCRIPT" cloudpw/creds/web sh -c 'exit 7'; echo "code $?"`, "code 7\n"},
		{"unknown command", `"$SCRIPT" cloudpw/creds/web no-such-command 2>/dev/null; echo "code $?"`, "code 127\n"},
		{"input", `echo word | "$SCRIPT" cloudpw/creds/web cat; echo "code $?"`, "word\ncode 0\n"},
		{"SIGTERM", cancelled("TERM"), "code 143\n"},
		{"SIGHUP", cancelled("HUP"), "code 129\n"},
		{"no path", `"$SCRIPT" cloudpw/creds/none true 2>/dev/null; echo "code $?"`, "code 2\n"},
		{"no command", `"$SCRIPT" cloudpw/creds/web 2>&1 | head -c 6; echo`, "usage:\n"},
	} {
		// The role is exclusive: a lease that was not given back refuses the next read.
		output, err := e.Shell(t, t.TempDir(), c.line, "SCRIPT="+script)
		if err != nil || output != c.want {
			t.Errorf("%s: printed %q (%v), want %q", c.name, output, err, c.want)
		}
		harness.Eventually(t, time.Minute, "no lease is left", func() error {
			left, err := e.Client.Logical().ListWithContext(t.Context(), "sys/leases/lookup/cloudpw/creds/web")
			if err == nil && left != nil {
				err = fmt.Errorf("leases: %v", left.Data["keys"])
			}
			return err
		})
	}
	token := e.CLI(t, "token", "create", "-policy=root", "-field=token")
	output, err := e.Shell(t, t.TempDir(), `"$SCRIPT" --end-token cloudpw/creds/web true && vault token lookup`, "SCRIPT="+script,
		"VAULT_TOKEN="+strings.TrimSpace(token))
	if err == nil || !strings.Contains(output, "permission denied") {
		t.Errorf("the token lives on: %q, %v", output, err)
	}
}

// cancelled ends the script by a signal while its command runs, with a process that the command has started.
func cancelled(signal string) string {
	return `"$SCRIPT" cloudpw/creds/web sh -c 'sleep 600 & echo $! >started.new; mv started.new started; wait' & pid=$!
until [ -e started ]; do sleep 0.1; done
kill -` + signal + ` $pid; wait $pid; code=$?
while kill -0 "$(cat started)" 2>/dev/null; do sleep 0.1; done
echo "code $code"`
}
