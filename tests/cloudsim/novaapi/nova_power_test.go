package novaapi

import (
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// TestStatesThatRefuseAPassword holds what the Nova 26 of Debian answered.
func TestStatesThatRefuseAPassword(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	s := f.windows(t)
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	act := func(id, body string) reply {
		t.Helper()
		return send(t, nil, "POST", f.compute+"/v2.1/servers/"+id+"/action", body, headerToken, client.Token(), "Content-Type",
			"application/json")
	}
	const change = `{"changePassword":{"adminPass":"Changed-Pa55word"}}`
	refused := func(body, text string) {
		t.Helper()
		act(s.ID, body).want(t, 409, "conflictingRequest/message", text)
	}
	refused(`{"os-start":null}`, "Cannot 'start' instance "+s.ID+" while it is in vm_state active")
	act(s.ID, `{"os-stop":null}`).want(t, 202, "", "")
	refused(`{"os-stop":null}`, "Cannot 'stop' instance "+s.ID+" while it is in vm_state stopped")
	refused(change, "Cannot 'changePassword' instance "+s.ID+" while it is in vm_state stopped")
	act(s.ID, `{"os-start":null}`).want(t, 202, "", "")
	act(s.ID, change).want(t, 202, "", "")
	act(s.ID, `{"lock":null}`).want(t, 202, "", "")
	refused(change, "Instance "+s.ID+" is in an invalid state for 'changePassword'")
	refused(`{"os-stop":null}`, "Instance "+s.ID+" is locked")
	act(s.ID, `{"unlock":null}`).want(t, 202, "", "")
	act(s.ID, change).want(t, 202, "", "")
	for _, body := range []string{`{"os-stop":null}`, `{"lock":null}`} {
		act("none", body).want(t, 404, "itemNotFound/message", "Instance none could not be found.")
	}
}
