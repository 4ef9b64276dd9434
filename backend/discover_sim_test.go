package backend

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Thousands of instances are found through the real SDKs, page by page of each cloud's size, and each once; further pages
// of the list, and a look at a role soon after, take few requests or none.
func TestThousandsOfSimulatedInstances(t *testing.T) {
	const all, web = 2300, 2100
	for name, pages := range map[string]int{ // of 100
		"aws": 23, "tencent": 23, "huawei": 24, "otc": 24, "application": 24,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for its cloud's limit of requests
			sim := cloudsim.Start(t, cloudsim.Options{})
			data := simulatedConnections(t, sim)[name]
			cloud := model.Cloud(data["provider"].(string))
			of := sim.Info().Seeded[cloud]
			for n := range all - len(of.Servers) {
				tags := map[string]string{"number": fmt.Sprint(n)}
				if n < web {
					tags["team"] = "web"
				}
				_, err := sim.World().AddServer(model.Server{Cloud: cloud, AccountID: of.AccountID, ProjectID: of.ProjectID, Region: of.Region,
					Tags: tags})
				if err != nil {
					t.Fatal(err)
				}
			}
			requests := func(made func()) int {
				log := sim.World().Log(0)
				before := 0
				if len(log) > 0 {
					before = log[len(log)-1].Seq
				}
				made()
				return len(sim.World().Log(before))
			}
			h := newRealHarness(t)
			h.clock = (&fakeClock{now: time.Now()}).clock() // however slow the machine is, the list that was made does not expire
			h.write(t, "config/c", data)
			var first []string
			// An agency takes two requests of its own: for the domain that assumes it, and for its keys.
			if n := requests(func() { first = h.list(t, "discover/c", "limit", 1000) }); len(first) != 1000 || n < pages || n > pages+2 {
				t.Fatalf("%d instances on the first page, for %d requests; want 1000 for about %d", len(first), n, pages)
			}
			var rest []string
			n := requests(func() {
				for after, page := first[999], 500; page == 500; after = rest[len(rest)-1] {
					listed := h.list(t, "discover/c", "after", after, "limit", page)
					rest, page = append(rest, listed...), len(listed)
				}
			})
			found := slices.Compact(slices.Sorted(slices.Values(slices.Concat(first, rest))))
			if len(found) != all || n != 0 {
				t.Errorf("%d different instances of %d, and %d requests for the further pages", len(found), all, n)
			}
			if cloud != model.TencentCloud {
				return // roles of the others would need a Windows server with a key for each account
			}
			role := map[string]any{"connection": "c", "instance_tags": "team=web", "force_stop": true}
			if n := requests(func() { h.write(t, "roles/web", role) }); n > 2*web/100+2 {
				t.Errorf("writing a role of %d instances took %d requests", web, n)
			}
			if got := h.list(t, "instances/web"); len(got) != web {
				t.Errorf("the role has %d instances, want %d", len(got), web)
			}
		})
	}
}
