package backend

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/role"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// fleet is a mount in virtual time with a role by tags, whose servers come and go.
type fleet struct{ *harness }

func newFleet(t *testing.T, config map[string]any) fleet {
	t.Helper()
	f := fleet{newHarness(t)}
	f.write(t, "config/c", merged(connectionData(resetCloud), config))
	for _, id := range []string{"srv-1", "srv-2"} {
		f.launch(id)
	}
	f.write(t, "roles/r", taggedRole)
	return f
}

func (f fleet) launch(id string) {
	f.cloud.launch(cloud.Instance{ID: id, Platform: cloud.Linux, Tags: map[string]string{"env": "prod"}})
}

// rounds lets virtual time pass, with the regular work every now and then.
func (f fleet) rounds(t *testing.T, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		<-time.After(min(6*time.Hour, time.Until(end)))
		if err := f.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// has reports whether there is an account of a server.
func (f fleet) has(t *testing.T, instance string) bool {
	t.Helper()
	return f.ok(t, logical.ReadOperation, "accounts/c/"+instance+"/root", nil) != nil
}

// terminated lets a server go, and waits until it is known to be gone.
func (f fleet) terminated(t *testing.T, instance string) time.Time {
	t.Helper()
	f.cloud.terminate(instance)
	f.rounds(t, 24*time.Hour)
	gone, err := time.Parse(time.RFC3339, fmt.Sprint(f.read(t, "accounts/c/"+instance+"/root")["gone_time"]))
	if err != nil {
		t.Fatal(err)
	}
	return gone
}

func TestAccountsOfTerminatedServersAreForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		config map[string]any
		after  time.Duration // 0: never
	}{
		"by default":     {nil, 720 * time.Hour},
		"after two days": {map[string]any{"forget_gone_after": "48h"}, 48 * time.Hour},
		"never":          {map[string]any{"forget_gone_after": 0}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, c.config)
				f.revoke(t, f.lease(t, "creds/r/srv-1"))
				f.rounds(t, time.Hour)
				if shown := f.read(t, "accounts/c/srv-1/root")["forgotten_time"]; shown != nil {
					t.Errorf("an account whose server exists is to be forgotten at %v", shown)
				}
				gone := f.terminated(t, "srv-1")
				shown := f.read(t, "accounts/c/srv-1/root")["forgotten_time"]
				if c.after == 0 {
					f.rounds(t, 5000*time.Hour)
					if shown != nil || !f.has(t, "srv-1") {
						t.Errorf("forgotten_time %v, and the account exists: %v", shown, f.has(t, "srv-1"))
					}
					return
				}
				if at := request.Timestamp(gone.Add(c.after)); shown != at {
					t.Errorf("forgotten_time %v, want %s", shown, at)
				}
				f.rounds(t, time.Until(gone.Add(c.after))-time.Minute)
				if !f.has(t, "srv-1") {
					t.Fatal("the account was forgotten before its time")
				}
				f.rounds(t, 13*time.Hour)
				if f.has(t, "srv-1") || !f.has(t, "srv-2") {
					t.Fatal("the account of the terminated server is still there, or the other is not")
				}
				if got := f.list(t, "accounts/c"); fmt.Sprint(got) != "[srv-2]" {
					t.Errorf("accounts/ lists %v", got)
				}
				f.launch("srv-1") // which no real cloud does
				f.rounds(t, time.Hour)
				if f.read(t, "accounts/c/srv-1/root")["initial_overwritten"] != true {
					t.Error("it is not known any more that the first password was overwritten")
				}
			})
		})
	}
}

// TestAServerThatExistsAgainIsNotForgotten: the cloud is asked once more, whatever was recorded; if it does not answer,
// nothing is forgotten.
func TestAServerThatExistsAgainIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, nil)
		gone := f.terminated(t, "srv-1")
		f.cloud.fail("DescribeInstances", cloud.Errorf(cloud.Unavailable, "no answer"))
		f.rounds(t, time.Until(gone.Add(800*time.Hour)))
		if !f.has(t, "srv-1") {
			t.Fatal("the account was forgotten though the cloud could not be asked")
		}
		f.cloud.launch(cloud.Instance{ID: "srv-1", Platform: cloud.Linux}) // without the role's tags
		f.cloud.fail("DescribeInstances", nil)
		f.rounds(t, 800*time.Hour)
		if got := f.read(t, "accounts/c/srv-1/root"); got["state"] == "gone" || got["forgotten_time"] != nil {
			t.Errorf("the account of a server that exists again is %v, to be forgotten at %v", got["state"], got["forgotten_time"])
		}
	})
}

// TestWhatARoleOrAClientHasIsNotForgotten: a role that lists a terminated server keeps its account, and so does a lease.
func TestWhatARoleOrAClientHasIsNotForgotten(t *testing.T) {
	for name, keep := range map[string]func(t *testing.T, f fleet){
		"a role lists it": func(t *testing.T, f fleet) {
			f.delete(t, "roles/r")
			f.write(t, "roles/l", map[string]any{"connection": "c", "instance_ids": "srv-1,srv-2", "force_stop": true})
		},
		"a client has a lease": func(t *testing.T, f fleet) {
			f.write(t, "roles/r", map[string]any{"max_ttl": "5000h", "ttl": "5000h"})
			f.lease(t, "creds/r/srv-1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, nil)
				f.system.MaxLeaseTTLVal = 9000 * time.Hour
				keep(t, f)
				gone := f.terminated(t, "srv-1")
				f.rounds(t, time.Until(gone.Add(800*time.Hour)))
				got := f.read(t, "accounts/c/srv-1/root")
				if got["state"] != "gone" || got["forgotten_time"] != nil {
					t.Errorf("the account is %v, to be forgotten at %v", got["state"], got["forgotten_time"])
				}
			})
		})
	}
}

// TestAnAccountThatItsRoleLeftBehindIsForgotten: a write that was cut short has bound it, and the role does not list it.
func TestAnAccountThatItsRoleLeftBehindIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, nil)
		f.write(t, "roles/l", map[string]any{"connection": "c", "instance_ids": "srv-1", "username": "deploy", "force_stop": true})
		live, err := f.core.Connected(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.core.Retire(t.Context(), rotation.ID{Connection: "c", InstanceID: "srv-1", Username: "deploy"}, live.Place); err != nil {
			t.Fatal(err)
		}
		if err := f.storage.Delete(t.Context(), role.Prefix+"l"); err != nil {
			t.Fatal(err)
		}
		f.InvalidateKey(t.Context(), role.Prefix+"l")
		f.cloud.terminate("srv-1")
		f.rounds(t, 800*time.Hour)
		f.absent(t, "accounts/c/srv-1/deploy")
	})
}
