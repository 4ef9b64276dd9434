//go:build e2e

package command

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// written is what a running command has printed so far.
type written struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.String()
}

// awaits waits until a running command has printed a text.
func (w *written) awaits(t *testing.T, text string) {
	t.Helper()
	harness.Eventually(t, time.Minute, "the words "+text, func() error {
		if !strings.Contains(w.String(), text) {
			return errors.New("so far: " + w.String())
		}
		return nil
	})
}

// TestRotateFollowsThroughARestart: Vault is killed and starts again while a role is rotated. The command goes on, and ends with 0 when
// each server has its new password.
func TestRotateFollowsThroughARestart(t *testing.T) {
	t.Parallel()
	e := startRaft(t)
	ids := e.role(t, "web", nil, "ubuntu-1", "linux-1")
	operator := e.token(t, "olivia", "Operator")
	e.done(t, operator, "rotate", "--role", "web")
	e.sim.Fault(t, model.Fault{Cloud: model.TencentCloud, Action: "ResetInstancesPassword", Kind: model.FaultHoldBefore})

	cmd := exec.CommandContext(t.Context(), e.command, "rotate", "--role", "web", "--timeout", "4m")
	cmd.Env = e.environment(operator)
	var out, progress written
	cmd.Stdout, cmd.Stderr = &out, &progress
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	progress.awaits(t, "2 waiting of 2")
	e.sim.AwaitHeld(t, 1, time.Minute)
	e.Kill()
	progress.awaits(t, "Vault cannot be asked now, trying again")
	if err := e.sim.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.sim.ReleaseHolds(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Restart(t)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), progress.String())
	}
	wants(t, "the end", out.String(), "2 done of 2")
	for _, id := range ids {
		list := decoded[[]struct {
			Version int `json:"version"`
		}](t, e.done(t, operator, "servers", "--server", id, "-o", "json"))
		if len(list) != 1 || list[0].Version != 2 {
			t.Errorf("server %s: %+v", id, list)
		}
	}
}

// TestAnInterruptLeavesTheCampaign: Ctrl-C ends the waiting with 1, and says how to go on; Vault goes on.
func TestAnInterruptLeavesTheCampaign(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.role(t, "web", nil, "ubuntu-1", "linux-1")
	operator := e.token(t, "olivia", "Operator")
	e.sim.Fault(t, model.Fault{Cloud: model.TencentCloud, Action: "ResetInstancesPassword", Kind: model.FaultHoldBefore})
	cmd := exec.CommandContext(t.Context(), e.command, "rotate", "--role", "web")
	cmd.Env = e.environment(operator)
	var out, progress written
	cmd.Stdout, cmd.Stderr = &out, &progress
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	progress.awaits(t, "waiting of 2")
	if err := interrupt(cmd.Process); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("an interrupt: %v", err)
	}
	wants(t, "stderr", progress.String(), "not all is done yet; Vault goes on", "try: cloudpw campaigns ")
	if err := e.sim.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.sim.ReleaseHolds(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, id, _ := strings.Cut(progress.String(), "try: cloudpw campaigns ")
	id, _, _ = strings.Cut(id, " ")
	wants(t, "the campaign", e.done(t, operator, "campaigns", id, "--follow"), "2 done of 2")
}
