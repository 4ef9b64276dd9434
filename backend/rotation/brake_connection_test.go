package rotation

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// TestShownInstead: people are told what the cloud shows, without the password and on one line.
func TestShownInstead(t *testing.T) {
	for _, c := range []struct {
		record cloud.ResetRecord
		says   string
	}{
		{cloud.ResetRecord{}, "shows no operation"},
		{cloud.ResetRecord{OperationID: "op-9", State: cloud.OperationFailed}, "operation op-9 (failed)"},
		{cloud.ResetRecord{OperationID: "own"}, "had shown before"},
		{cloud.ResetRecord{OperationID: "a\x1b[2J\nb" + strings.Repeat("x", 1000), State: "odd\n"}, "operation a"},
		{cloud.ResetRecord{OperationID: "it was secret-1 all along"}, "operation it was"},
	} {
		got := shownInstead(c.record, "own", "secret-1")
		if !strings.Contains(got, c.says) || strings.ContainsAny(got, "\x1b\n") || strings.Contains(got, "secret-1") || len(got) > 500 {
			t.Errorf("%+v: %q", c.record, got)
		}
	}
}

// TestConnectionBrake: when several accounts of a connection are braked it begins no new rotation, until one ends well or an
// operator says so.
func TestConnectionBrake(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world){
		"one ends well": func(_ *testing.T, w *world) {
			w.cloud.locked(func() { w.cloud.lies = lies{} })
			pass(4 * time.Hour)
		},
		"an operator's word for a braked one": func(t *testing.T, w *world) {
			if err := w.rotate(t.Context(), w.specs[0].ID, 0); err != nil {
				t.Error(err)
			}
		},
		"an operator's word for the one that waits": func(t *testing.T, w *world) {
			if err := w.rotate(t.Context(), w.specs[maxBraked].ID, 0); err != nil {
				t.Error(err)
			}
		},
		"a braked one is deleted": func(t *testing.T, w *world) {
			if err := w.delete(t.Context(), w.specs[0].ID, true); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				w := newWorld(t, 1, overlappingMethod, odds{})
				w.faulty.Store(true)
				w.start()
				for range maxBraked + 1 {
					w.bind(leasedSettings())
				}
				w.ensureBound(ctx)
				w.cloud.locked(func() { w.cloud.lies = lies{otherID: true} })
				for _, b := range w.specs[:maxBraked] {
					w.read(ctx, b.ID, 0)
				}
				pass(10 * time.Minute)
				last := w.specs[maxBraked].ID
				status := w.node.core.Status().Connections["conn"]
				is(t, "braked accounts", status.Braked, maxBraked)
				is(t, "the connection begins nothing", status.Stopped, true)
				w.node.die("", "", "") // the next node knows as much
				w.recoverNode()
				pass(time.Minute)
				w.read(ctx, last, 0)
				pass(10 * time.Minute)
				is(t, "resets of an account that is due since", len(w.cloud.values(last.InstanceID)), 0)
				v, err := w.node.core.Inspect(ctx, last)
				if err != nil {
					t.Fatal(err)
				}
				is(t, "it waits for", v.WaitingFor, protocol.ForConnectionBrake)
				_, err = w.node.core.Read(ctx, last, Reader{}, 0)
				if err == nil || !strings.Contains(err.Error(), "does not show what became of the resets of several accounts") {
					t.Errorf("a reader is told %v", err)
				}
				end(t, w)
				pass(time.Minute)
				if len(w.cloud.values(last.InstanceID)) == 0 {
					t.Error("it was not rotated")
				}
				w.node.core.Stop()
				if len(w.violations()) > 0 {
					w.fail(t, name)
				}
			})
		})
	}
}
