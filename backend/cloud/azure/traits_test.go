package azure

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// The settle window rests on these figures (rule 10): an attempt may be taken for ended only when its request cannot be accepted any
// more, and what it began has ended. Nothing bounds when the cloud carries a command out, so the script's own refusal of what is late does,
// by a clock that may be behind.
func TestTraitsHoldWhatTheCloudSays(t *testing.T) {
	traits := newTestProvider(t, testConfig(t, "")).Resetter(cloud.MethodCommand).ResetTraits()
	if !traits.KeepsOrder || !traits.OwnIDs || traits.Serial || traits.BatchSize != 1 || traits.LongestOperation < cloud.ClockTolerance {
		t.Errorf("%+v", traits)
	}
	if traits.SignatureLifetime < 15*time.Minute || traits.VisibilityGrace < 30*time.Second || traits.Action != "runCommandsUpdate" {
		t.Errorf("%+v", traits)
	}
	if commandTimeout > cloud.OrderDeadline {
		t.Errorf("a script may run for %v, and is to begin with nothing after %v", commandTimeout, cloud.OrderDeadline)
	}
	// A machine gives 12 reads a minute back. Each look at a command is one.
	if pollInterval < time.Minute/12 {
		t.Errorf("a look each %v is more than the cloud gives for a machine", pollInterval)
	}
}

func TestDescriptorTellsWhatTheProviderDoes(t *testing.T) {
	d := Descriptor()
	var p any = newTestProvider(t, testConfig(t, ""))
	_, initial := p.(cloud.InitialPasswordReader)
	_, clears := p.(cloud.InitialPasswordClearer)
	_, resets := p.(cloud.PasswordResetters)
	_, checks := p.(cloud.PasswordCheckers)
	_, rotates := p.(cloud.CredentialRotator)
	if initial || clears || rotates || d.HasInitialPassword || d.CanClearInitial || resets != d.CanReset() ||
		checks != d.HasCheckMethod(cloud.CheckCommand) {
		t.Errorf("descriptor %+v does not fit %T", d, p)
	}
	if d.Name != "azure" || d.Title != "Microsoft Azure virtual machines" || d.RateSource == "" || d.ResetMethods[0].MayStop ||
		len(d.ResetMethods) != 1 {
		t.Errorf("%+v", d)
	}
	// 500 changes of machines a minute in a subscription and region are 8.33 a second.
	if d.DefaultRequestsPerSecond*60 > 500 {
		t.Errorf("%v requests a second are more than the cloud takes", d.DefaultRequestsPerSecond)
	}
	if err := (cloud.Registry{d.Name: d}).Check(nil); err != nil {
		t.Error(err)
	}
}

// PUT and DELETE share one of the cloud's buckets, so they share a name of the limiter.
func TestActions(t *testing.T) {
	if runCommandsUpdate.name != runCommandsDelete.name {
		t.Error("PUT and DELETE are counted apart")
	}
	for _, a := range []action{runCommandsUpdate, runCommandsDelete, runCommandsGet, virtualMachinesGet, instanceViewGet, virtualMachinesList,
		networkInterfacesList} {
		if a.version == "" || a.permission == "" || a.name == "" || a.reads != (a.outcomeOpen() == "") {
			t.Errorf("%+v", a)
		}
	}
}
