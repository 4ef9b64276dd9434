package coc

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

const (
	testOrder = "SCT20260301120000010abcdef"
	doneLine  = "cloudpw: exit 0 password set\n"
	hashLine  = "hash=$6$rounds=20000$1764000000aB./09$xyz JDYkcm91bmRzPTIwMDAwJDE3NjQwMDAwMDBhQi4vMDkkeHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg6"
)

// Only our own line in the log of our own order is an outcome, whatever the status is.
func TestStatusesAndLogs(t *testing.T) {
	for name, c := range map[string]struct {
		status, log string
		state       guest.State
		code        int
		kind        cloud.Kind
		says        string
	}{
		"ready":                   {status: "READY", state: guest.Running},
		"ready, and a line":       {status: "READY", log: doneLine, state: guest.Running},
		"processing":              {status: "PROCESSING", log: "cloudpw: exit 0 password set", state: guest.Running},
		"paused":                  {status: "PAUSED", state: guest.Running},
		"a new word":              {status: "WAITING", log: doneLine, state: guest.Running},
		"no word":                 {state: guest.Running},
		"finished":                {status: "FINISHED", log: doneLine, state: guest.Exited},
		"finished, with more":     {status: "FINISHED", log: "Welcome\r\n" + doneLine + "bye\n", state: guest.Exited},
		"finished, but failed":    {status: "FINISHED", log: "cloudpw: exit 82 no such user\n", state: guest.Exited, code: 82},
		"finished without a line": {status: "FINISHED", state: guest.CutOff, kind: cloud.Unknown, says: "does not have the line"},
		"finished, cut": {status: "FINISHED", log: "cloudpw: exit", state: guest.CutOff, kind: cloud.Unknown,
			says: "the log says: cloudpw: exit"},
		"finished, two lines": {status: "FINISHED", log: doneLine + doneLine, state: guest.CutOff, kind: cloud.Unknown},
		"abnormal":            {status: "ABNORMAL", log: "cloudpw: exit 83 no chpasswd\n", state: guest.Exited, code: 83},
		"abnormal, but done":  {status: "ABNORMAL", log: doneLine, state: guest.Exited},
		"abnormal without a line": {status: "ABNORMAL", log: "agent offline", state: guest.CutOff, kind: cloud.Unknown,
			says: "; the log says: agent offline"},
		"abnormal without a log":     {status: "ABNORMAL", state: guest.CutOff, kind: cloud.Unknown, says: "UniAgent is online"},
		"canceled":                   {status: "CANCELED", state: guest.CutOff, kind: cloud.Unknown, says: "canceled"},
		"canceled, and had ended":    {status: "CANCELED", log: doneLine, state: guest.Exited},
		"rolled back":                {status: "ROLLBACKED", state: guest.CutOff, kind: cloud.Unknown, says: "rolled back"},
		"abnormal, a hash in it":     {status: "ABNORMAL", log: hashLine, state: guest.CutOff, kind: cloud.Unknown, says: "hash=[hash] [hash]"},
		"abnormal, the line quoted ": {status: "ABNORMAL", log: "echo " + doneLine, state: guest.CutOff, kind: cloud.Unknown},
	} {
		run := execInstance{Status: c.status, Message: c.log}.run()
		if run.State != c.state || run.ExitCode != c.code || run.Interpreter != guest.Shell || (run.Failure != nil) != (c.state == guest.CutOff) {
			t.Errorf("%s: %+v", name, run)
			continue
		}
		if c.state == guest.Exited && run.Output != c.log {
			t.Errorf("%s: output %q", name, run.Output)
		}
		if run.Failure != nil {
			wantKind(t, name, run.Failure, c.kind, c.says)
			if c.log == "" && strings.Contains(run.Failure.Error(), "log says") {
				t.Errorf("%s: %v", name, run.Failure)
			}
		}
	}
}

// An order is asked for by its own id, and read for our own server.
func TestLookReadsOurServer(t *testing.T) {
	element := func(server, status, log string) object {
		return object{"target_instance": object{"resource_id": server}, "status": status, "message": log}
	}
	ref := cloud.ResetRef{InstanceID: "srv-1", RequestID: testOrder}
	missing := &cloud.Error{Kind: cloud.Refused, Code: "COC.00040401", Message: "x"}
	foreign := &cloud.Error{Kind: cloud.Refused, Code: "APIGW.0101", Message: "no such API"}
	for name, c := range map[string]struct {
		ref    cloud.ResetRef
		list   []object
		status int
		failed error
		shown  bool
		kind   cloud.Kind
		asked  int
	}{
		"one": {ref: ref, list: []object{element("srv-1", "FINISHED", doneLine)}, shown: true, asked: 1},
		"among others": {ref: ref, list: []object{element("srv-2", "ABNORMAL", ""), element("srv-1", "FINISHED", doneLine)}, shown: true,
			asked: 1},
		"another's":       {ref: ref, list: []object{element("srv-2", "FINISHED", doneLine)}, asked: 1},
		"twice":           {ref: ref, list: []object{element("srv-1", "FINISHED", doneLine), element("srv-1", "ABNORMAL", "")}, asked: 1},
		"none":            {ref: ref, asked: 1},
		"no order":        {ref: ref, status: 404, failed: missing, asked: 1},
		"no API":          {ref: ref, status: 404, failed: foreign, kind: cloud.Refused, asked: 1},
		"COC's other":     {ref: ref, status: 400, failed: missing, kind: cloud.Refused, asked: 1},
		"an outage":       {ref: ref, status: 500, failed: cloud.Errorf(cloud.Unknown, "x"), kind: cloud.Unknown, asked: 1},
		"a path for id":   {ref: cloud.ResetRef{InstanceID: "srv-1", RequestID: "../x"}},
		"no id":           {ref: cloud.ResetRef{InstanceID: "srv-1", Name: "abc"}},
		"an id too long":  {ref: cloud.ResetRef{InstanceID: "srv-1", RequestID: strings.Repeat("a", 65)}},
		"an id for a URL": {ref: cloud.ResetRef{InstanceID: "srv-1", RequestID: "a?b"}},
	} {
		f, center := newFake(t, func(r Request) (int, any, error) {
			if r.Action != ActionBatch || r.Path != "script/orders/"+testOrder+"/batches/1?limit=10" || r.Method != "GET" || r.AtOnce {
				t.Errorf("%s: asked %+v", name, r)
			}
			return c.status, object{"batch_index": 1, "execute_instances": c.list}, c.failed
		})
		runs, err := center.Look(t.Context(), []cloud.ResetRef{c.ref})
		_, shown := runs[c.ref]
		if shown != c.shown || cloud.KindOf(err) != c.kind || len(f.calls) != c.asked || err != nil && runs != nil {
			t.Errorf("%s: %+v, %v after %d requests", name, runs, err, len(f.calls))
		}
	}
}

// A server is ready if it runs. What is gone, and what is not there, are no errors.
func TestReady(t *testing.T) {
	f, center := newFake(t, nil)
	f.servers = map[string]cloud.Instance{
		"srv-1": {State: cloud.StateRunning}, "srv-2": {State: cloud.StateGone}, "srv-3": {State: cloud.StateStopped, CloudState: "SHUTOFF"},
		"srv-4": {State: cloud.StateChanging, CloudState: "REBOOT"},
	}
	got, err := center.Ready(t.Context(), []string{"srv-1", "srv-2", "srv-9"})
	if _, there := got["srv-9"]; err != nil || there || len(got) != 2 || got["srv-1"] != (cloud.ResetRecord{}) ||
		got["srv-2"] != (cloud.ResetRecord{Gone: true}) {
		t.Errorf("%+v, %v", got, err)
	}
	for id, says := range map[string]string{"srv-3": "srv-3 is SHUTOFF", "srv-4": "srv-4 is REBOOT"} {
		got, err := center.Ready(t.Context(), []string{"srv-1", id})
		wantKind(t, id, err, cloud.Refused, says)
		if got != nil {
			t.Errorf("an error and %+v", got)
		}
	}
	f.failed = cloud.Errorf(cloud.Throttled, "slow")
	_, err = center.Ready(t.Context(), []string{"srv-1"})
	wantKind(t, "throttled", err, cloud.Throttled, "slow")
}
