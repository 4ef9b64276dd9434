package backend

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// A rotation is struck at every step, by a crash or by one failure, and finished by the background or
// by another request. At every moment the stored credential works, and no credential goes unreported.
func TestRotateRootAtEveryStep(t *testing.T) {
	for _, crash := range []bool{true, false} {
		for _, background := range []bool{true, false} {
			struck := map[string]bool{}
			for n := 1; ; n++ {
				where := ""
				t.Run(fmt.Sprintf("crash=%t background=%t step %d", crash, background, n), func(t *testing.T) {
					where = strike(t, n, crash, background)
				})
				if where == "" || t.Failed() {
					break
				}
				struck[where] = true
			}
			for _, step := range []string{
				"OwnCredentials", "before Put config/prod", "after Put config/prod", "before CreateCredential", "after CreateCredential",
				"Verify", "before DeleteCredential", "after DeleteCredential",
			} {
				if !struck[step] && !t.Failed() {
					t.Errorf("no mishap struck at: %s", step)
				}
			}
		}
	}
}

// strike returns where the mishap struck, "" if the rotation has fewer steps.
func strike(t *testing.T, n int, crash, background bool) string {
	m := newRootMount(t)
	m.keys.slow = 1
	m.keys.mishap.arm(n, crash)
	resp, err := m.request(t, logical.UpdateOperation, "rotate-root/prod", nil)
	status, message := statusOf(resp, err)
	where := m.keys.mishap.end()
	if where == "" {
		if status != http.StatusOK {
			t.Fatalf("the rotation failed by itself: %s", message)
		}
		return ""
	}
	if crash && status == http.StatusOK {
		t.Fatalf("the rotation succeeded in spite of a crash at %s", where)
	}
	m.checkSound(t, "after a mishap at "+where)
	if crash {
		m.restart(t)
	}
	m.time.advance(time.Hour)
	if background {
		m.finish(t)
		m.time.advance(2 * time.Hour)
		m.finish(t)
		m.checkSound(t, "after the background's work")
		if r := m.storedConnection(t).RootRotation; r != nil {
			t.Fatalf("struck at %s, the background did not finish the rotation, which is in step %s: %s", where, r.Step, r.LastError)
		}
	}
	m.removeLeftovers(t)
	if _, err := m.request(t, logical.UpdateOperation, "rotate-root/prod", nil); err != nil {
		m.checkSound(t, "after a failed further rotation")
		m.removeLeftovers(t) // it found one, which takes the room of another credential
		m.write(t, "rotate-root/prod", nil)
	}
	m.checkSound(t, "after another rotation")
	m.removeLeftovers(t)
	final := m.storedConnection(t)
	if ids := m.keys.ids(); len(ids) != 1 || ids[0] != final.Own["access_key"] || final.Own["access_key"] == "AK" ||
		final.RootRotation != nil {
		t.Fatalf("struck at %s: in the end there are the credentials %v, and the connection uses %s", where, ids, final.Own["access_key"])
	}
	return where
}

// finish is what Vault calls every minute.
func (m *rootMount) finish(t *testing.T) {
	t.Helper()
	if err := m.root.FinishAll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// removeLeftovers does what the report asks an operator for.
func (m *rootMount) removeLeftovers(t *testing.T) {
	t.Helper()
	left, _ := m.read(t, "config/prod")["leftover_credentials"].([]map[string]any)
	for _, l := range left {
		id := l["credential_id"].(string)
		if l["reason"] == "" || l["since"] == "" || id == m.storedConnection(t).Own["access_key"] {
			t.Fatalf("the report of a leftover says %v", l)
		}
		m.keys.forget(id)
	}
}

// A leftover is listed until the cloud does not list it any more, and makes room only then.
func TestLeftoverCredential(t *testing.T) {
	m := newRootMount(t)
	m.keys.mishap.arm(5, false) // the answer of CreateCredential is lost
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadGateway, "keeps its credential", "may have made one",
		"rotate-root/prod again")
	if where := m.keys.mishap.end(); where != "after CreateCredential" {
		t.Fatalf("the mishap struck at %s", where)
	}
	state := m.read(t, "config/prod")["root_rotation"].(map[string]any)
	if state["step"] != "creating" || state["old_credential_id"] != "AK" {
		t.Errorf("root_rotation %v", state)
	}
	// The next one finds it, and has no room beside it.
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadRequest, "as many as the cloud allows", "left behind AK-1")
	left := m.read(t, "config/prod")["leftover_credentials"].([]map[string]any)
	if len(left) != 1 || left[0]["credential_id"] != "AK-1" {
		t.Errorf("leftover_credentials %v", left)
	}
	m.keys.limit = 3
	resp := m.write(t, "rotate-root/prod", nil)
	if len(resp.Warnings) != 1 || resp.Data["credential_id"] != "AK-2" {
		t.Errorf("answer %v, warnings %v", resp.Data, resp.Warnings)
	}
	m.keys.forget("AK-1")
	if resp := m.write(t, "rotate-root/prod", nil); len(resp.Warnings) != 0 {
		t.Errorf("warnings %v", resp.Warnings)
	}
	if left, ok := m.read(t, "config/prod")["leftover_credentials"]; ok {
		t.Errorf("leftover_credentials %v", left)
	}
}

// A lost answer whose credential shows up late is not taken for one that was never made.
func TestLateCredential(t *testing.T) {
	m := newRootMount(t)
	m.keys.mishap.arm(4, false) // CreateCredential fails before it does anything
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusBadGateway)
	if where := m.keys.mishap.end(); where != "before CreateCredential" {
		t.Fatalf("the mishap struck at %s", where)
	}
	m.refused(t, logical.UpdateOperation, "rotate-root/prod", nil, http.StatusServiceUnavailable, "does not list yet", "write again in 90 s")
	if _, err := m.keys.create(); err != nil { // the request arrives late
		t.Fatal(err)
	}
	m.time.advance(5 * time.Minute)
	m.finish(t)
	if ids := m.storedConnection(t).LeftoverIDs(); !slices.Equal(ids, []string{"AK-1"}) {
		t.Errorf("leftovers %v", ids)
	}
}
