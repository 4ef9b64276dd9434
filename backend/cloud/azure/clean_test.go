package azure

import (
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// A record is deleted only when it is final, under either of its names. Whatever the cloud answers, what it has deleted is no error.
func TestCleanReset(t *testing.T) {
	const name = namePrefix + ownID
	final := ended("Failed", 82, "cloudpw: exit 82 no such user", time.Now())
	gone := object{"error": object{"code": "ResourceNotFound", "message": "x"}}
	for title, c := range map[string]struct {
		view    object // nil: no such command
		deletes fakeAnswer
		kind    cloud.Kind
		calls   string
	}{
		"never there":       {nil, fakeAnswer{}, "", "GET runCommands"},
		"no view":           {object{}, fakeAnswer{}, cloud.NotReady, "GET runCommands"},
		"running":           {object{"executionState": "Running", "output": doneLine}, fakeAnswer{}, cloud.NotReady, "GET runCommands"},
		"canceled, no end":  {object{"executionState": "Canceled"}, fakeAnswer{}, cloud.NotReady, "GET runCommands"},
		"ended":             {final, fakeAnswer{}, "", "GET runCommands, DELETE runCommands"},
		"running, with end": {ended("Running", 0, "", time.Now()), fakeAnswer{}, "", "GET runCommands, DELETE runCommands"},
		"deleted at once":   {final, fakeAnswer{status: 200, body: object{}}, "", "GET runCommands, DELETE runCommands"},
		"deleted before":    {final, fakeAnswer{status: 204}, "", "GET runCommands, DELETE runCommands"},
		"gone meanwhile":    {final, fakeAnswer{status: 404, body: gone}, "", "GET runCommands, DELETE runCommands"},
		"stopped": {final, fakeAnswer{status: 409, body: object{"error": object{"code": "OperationNotAllowed"}}}, cloud.Refused,
			"GET runCommands, DELETE runCommands"},
		"broken": {final, fakeAnswer{status: 500, body: object{"error": object{"code": "InternalServerError"}}}, cloud.Unknown,
			"GET runCommands, DELETE runCommands"},
	} {
		for _, ref := range []cloud.ResetRef{{InstanceID: fakeVM, RequestID: name, Name: ownID}, {InstanceID: fakeVM, Name: ownID}} {
			f := newFakeARM(t)
			cleaner := connected(t, f).Resetter(cloud.MethodCommand).(cloud.ResetCleaner)
			f.put("another", final)
			if c.view != nil {
				f.put(name, c.view)
			}
			if c.deletes.status != 0 {
				f.answer("DELETE runCommands", c.deletes)
			}
			if err := cleaner.CleanReset(t.Context(), ref); cloud.KindOf(err) != c.kind || f.said() != c.calls {
				t.Errorf("%s: %v; %s", title, err, f.said())
			}
			if n := len(f.names()); n == 0 || n == 1 && f.names()[0] != "another" {
				t.Errorf("%s: %v is left", title, f.names())
			}
		}
	}
}

// What names no command of ours, and what was on a virtual machine that is gone, needs no removal.
func TestCleanResetOfNothing(t *testing.T) {
	f := newFakeARM(t)
	cleaner := connected(t, f).Resetter(cloud.MethodCommand).(cloud.ResetCleaner)
	for _, ref := range []cloud.ResetRef{{InstanceID: fakeVM}, {InstanceID: fakeVM, RequestID: "theirs"},
		{InstanceID: fakeSubscription, Name: ownID}} {
		if err := cleaner.CleanReset(t.Context(), ref); err != nil {
			t.Errorf("%+v: %v", ref, err)
		}
	}
	for _, call := range f.calls() {
		if call.what == "runCommands" {
			t.Errorf("%+v", call)
		}
	}
}
