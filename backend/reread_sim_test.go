package backend

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// TestWhatCloudsShowOfARebuild: a server that was stopped and started is as it was, and one that was rebuilt with another image is
// noticed through each cloud's real SDK.
func TestWhatCloudsShowOfARebuild(t *testing.T) {
	sim := cloudsim.Start(t, cloudsim.Options{})
	connections := simulatedConnections(t, sim)
	for name, want := range map[string]string{
		"aws": "another system disk", "tencent": "another image and has another system disk", "alibaba": "another image",
		"huawei": "another image", "otc": "another image", "application": "another image and was launched again",
	} {
		t.Run(name, func(t *testing.T) {
			data := connections[name]
			id := sim.Info().Seeded[model.Cloud(data["provider"].(string))].Servers["linux-1"]
			h := newRealHarness(t)
			clock := &fakeClock{now: time.Now()}
			h.clock = clock.clock()
			look := func() map[string]any {
				clock.advance(11 * time.Minute)
				if err := h.round(t.Context()); err != nil {
					t.Fatal(err)
				}
				return h.read(t, "accounts/c/"+id+"/root")
			}
			h.write(t, "config/c", data)
			h.write(t, "roles/people", map[string]any{"connection": "c", "instance_ids": id, "source": "import", "username": "root"})
			h.write(t, "import/c/"+id+"/root", map[string]any{"password": "By-hand-2000"})
			look()
			for _, step := range []struct {
				do func(string) error
				to cloud.State
			}{{sim.World().Stop, cloud.StateStopped}, {sim.World().Start, cloud.StateRunning}} {
				if err := step.do(id); err != nil {
					t.Fatal(err)
				}
				h.becomes(t, id, step.to)
			}
			if got := look(); got["rebuilt_time"] != nil {
				t.Errorf("after a start: %v", got["rebuilt_reason"])
			}
			if err := sim.World().Rebuild(id, model.RebuildOptions{Image: "5d1c9e0e-0000-4000-8000-00000000beef"}); err != nil {
				t.Fatal(err)
			}
			if got := textOf(look()["rebuilt_reason"]); !strings.Contains(got, want) {
				t.Errorf("after a rebuild: %q lacks %q", got, want)
			}
		})
	}
}

// becomes waits until the cloud of connection c shows a server in a state.
func (h *harness) becomes(t *testing.T, id string, state cloud.State) {
	t.Helper()
	provider, err := h.core.Provider(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for range 600 {
		found, err := provider.DescribeInstances(t.Context(), []string{id})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 1 && found[0].State == state {
			return
		}
		<-again.C
	}
	t.Fatalf("%s does not become %s", id, state)
}
