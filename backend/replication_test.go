package backend

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// askedView counts the questions that reach Vault.
type askedView struct {
	logical.StaticSystemView
	asked int
}

func (v *askedView) ReplicationState() consts.ReplicationState {
	v.asked++
	return v.ReplicationStateVal
}

func (v *askedView) LocalMount() bool {
	v.asked++
	return v.LocalMountVal
}

func TestReadsAskVaultNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := &askedView{}
		view := &mountView{SystemView: asked, now: time.Now}
		for range 100 {
			if view.ReplicationState() != 0 || view.LocalMount() {
				t.Fatal("wrong answers")
			}
		}
		if asked.asked != 2 {
			t.Errorf("Vault was asked %d times, want once for each answer", asked.asked)
		}
	})
}

func TestAnswersAboutTheNodeGrowOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := &askedView{}
		view := &mountView{SystemView: asked, now: time.Now}
		view.ReplicationState()
		view.LocalMount()
		asked.ReplicationStateVal, asked.LocalMountVal = consts.ReplicationPerformanceStandby, true
		<-time.After(viewAge - time.Nanosecond)
		if view.ReplicationState() != 0 || view.LocalMount() {
			t.Error("Vault was asked again too early")
		}
		<-time.After(time.Nanosecond)
		if !view.ReplicationState().HasState(consts.ReplicationPerformanceStandby) || !view.LocalMount() {
			t.Error("the old answers are still used after viewAge")
		}
	})
}

// Background work must not begin on a node that may no longer write, however fresh an answer is remembered.
func TestBackgroundWorkAsksVault(t *testing.T) {
	h := newHarness(t)
	if !h.WriteSafeReplicationState() {
		t.Error("an active node may not write")
	}
	h.system.ReplicationStateVal = consts.ReplicationPerformanceStandby
	if h.WriteSafeReplicationState() {
		t.Error("a standby may write")
	}
}

// The framework asks the mount's view before each operation: the backend must have put its own there.
func TestBackendUsesItsView(t *testing.T) {
	if _, ok := newHarness(t).System().(*mountView); !ok {
		t.Error("the backend asks Vault before every operation")
	}
}
