package rotation

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// TestCausesAreSummedUp: failures of one cause are one, whatever they say of the account and of the request.
func TestCausesAreSummedUp(t *testing.T) {
	view := func(instance, name string) *View {
		return &View{ID: ID{Connection: "prod", InstanceID: instance, Username: "root"}, Facts: Facts{Name: name, PrivateIP: "10.0.0." +
			name[1:]}}
	}
	summed := Causes{}
	for instance, name := range map[string]string{"i-0001": "a1", "i-0002": "b2", "i-0003": "c3"} {
		v := view(instance, name)
		denied := cloud.Errorf(cloud.Denied, "%s may not be reset at %s", instance, v.Facts.PrivateIP)
		denied.RequestID = "4f1c-" + instance + "-x"
		summed.Add(v, hint.Textf("sent to %s: %v", v.ID, denied))
	}
	summed.Add(view("i-0004", "d4"), hint.Plain("throttled at 2026-11-25T09:37:42Z (request id: 77)"))
	summed.Add(view("i-0005", "e5"), hint.Plain("throttled at 2026-11-26T10:37:42Z (request id: 78)"))
	got := summed.Sorted()
	if len(got) != 2 {
		t.Fatalf("the causes are %+v", got)
	}
	is(t, "accounts", got[0].Accounts, 3)
	is(t, "example", got[0].Example.InstanceID, "i-0001")
	is(t, "words", got[0].Words("cloudpw/"), "sent to ...: ... may not be reset at ...")
	is(t, "accounts", got[1].Accounts, 2)
	is(t, "words", strings.TrimSpace(got[1].Words("cloudpw/")), "throttled at ...")
}

// A name that may be a word of the message is left where it stands.
func TestShortNamesAreWords(t *testing.T) {
	is(t, "words", withoutNames("the app is down on app-server-1", []string{"app", "app-server-1", ""}), "the app is down on ...")
}
