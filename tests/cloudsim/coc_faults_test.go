package cloudsim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// What the record says, and whether the password was set, for each fault of a command.
func TestCOCFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  model.Fault
		status string
		log    string // what it begins with
		set    bool
	}{
		"it goes well":          {model.Fault{Kind: model.FaultDelay, Delay: time.Nanosecond}, "FINISHED", "cloudpw:", true},
		"failed, but applied":   {model.Fault{Kind: model.FaultFailedApplied, Message: "broken"}, "ABNORMAL", "broken", true},
		"failed":                {model.Fault{Kind: model.FaultFailedNotApplied, Message: "broken"}, "ABNORMAL", "broken", false},
		"the agent cannot":      {model.Fault{Kind: model.FaultNotRun, ExitCode: 127, Message: "no shell"}, "ABNORMAL", "no shell", false},
		"the status is lost":    {model.Fault{Kind: model.FaultStatusLost}, "ABNORMAL", "", true},
		"cancelled, but run":    {model.Fault{Kind: model.FaultPreempted}, "CANCELED", "", true},
		"the agent is silent":   {model.Fault{Kind: model.FaultAgentSilent}, "ABNORMAL", "", true},
		"the log is cut":        {model.Fault{Kind: model.FaultOutputCut, Bytes: 7}, "FINISHED", "cloudpw", true},
		"the server is stopped": {model.Fault{Kind: model.FaultStopServer}, "ABNORMAL", "", false},
		"it comes late":         {model.Fault{Kind: model.FaultLate, Delay: 3 * time.Hour}, "ABNORMAL", "", true},
		"it is run again":       {model.Fault{Kind: model.FaultAgain, Delay: time.Minute}, "FINISHED", "cloudpw:", true},
		"it is applied late":    {model.Fault{Kind: model.FaultLateApply, Delay: time.Minute}, "FINISHED", "cloudpw:", true},
	} {
		t.Run(name, func(t *testing.T) {
			e, script, ids := startOrders(t, 1)
			tt.fault.Service, tt.fault.Action = "coc", "ExecuteScript"
			if _, err := e.sim.World().AddFault(tt.fault); err != nil {
				t.Fatal(err)
			}
			order := e.execute(t, script, e.cocOrder(nil, ids...))
			for range 6 {
				e.sim.World().Advance(time.Hour)
			}
			list := e.batch(t, order, 1)
			if len(list) != 1 || list[0].Status != tt.status || !strings.HasPrefix(list[0].Message, tt.log) || tt.log == "" &&
				list[0].Message != "" {
				t.Errorf("got %+v", list)
			}
			if got := e.status(t, order); got != tt.status {
				t.Errorf("order %s", got)
			}
			if s, _ := e.sim.World().Server(ids[0]); s.HasPassword("root", "Secret-1") != tt.set {
				t.Errorf("set: %v", !tt.set)
			}
			ran := e.sim.World().Invocations(nil)
			if again := tt.fault.Kind == model.FaultAgain || tt.fault.Kind == model.FaultLate; len(ran) != 1 || len(ran[0].Unreported) > 0 != again {
				t.Errorf("ran %+v", ran)
			}
		})
	}
}

// An order that is not shown yet, or no more, is not found.
func TestCOCHidesOrders(t *testing.T) {
	for kind, shownLater := range map[model.FaultKind]bool{model.FaultLagRecord: true, model.FaultRecordLost: false} {
		e, script, ids := startOrders(t, 1)
		f := model.Fault{Kind: kind, Service: "coc", Action: "ExecuteScript"}
		if shownLater {
			f.Delay = time.Minute
		}
		if _, err := e.sim.World().AddFault(f); err != nil {
			t.Fatal(err)
		}
		order := e.execute(t, script, e.cocOrder(nil, ids...))
		look := func() int {
			return e.send(t, "coc", http.MethodGet, "/v1/job/script/orders/"+order+"/batches/1?limit=10", nil).status
		}
		if got := look(); got != http.StatusNotFound {
			t.Errorf("%s: at once: %d", kind, got)
		}
		e.sim.World().Advance(2 * time.Hour)
		if got := look(); (got == http.StatusOK) != shownLater {
			t.Errorf("%s: later: %d", kind, got)
		}
		if s, _ := e.sim.World().Server(ids[0]); !s.HasPassword("root", "Secret-1") {
			t.Errorf("%s: it was not run", kind)
		}
	}
}

// The agent that does not answer is waited for a while, and so is a server that is off; then there is no log.
func TestCOCGivesUpOnAgents(t *testing.T) {
	for name, spoil := range map[string]func(*model.World, string) error{
		"offline": func(w *model.World, id string) error { return w.SetGuest(id, model.Guest{Agent: model.AgentOffline}) },
		"absent":  func(w *model.World, id string) error { return w.SetGuest(id, model.Guest{Agent: model.AgentAbsent}) },
		"stopped": func(w *model.World, id string) error { return w.SetState(id, model.StateStopped) },
	} {
		e, script, ids := startOrders(t, 1)
		if err := spoil(e.sim.World(), ids[0]); err != nil {
			t.Fatal(err)
		}
		order := e.execute(t, script, e.cocOrder(nil, ids...))
		if got := e.status(t, order); got != "READY" {
			t.Errorf("%s: at once: %s", name, got)
		}
		e.sim.World().Advance(time.Hour)
		if list := e.batch(t, order, 1); list[0].Status != "ABNORMAL" || list[0].Message != "" {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// The faults of requests are the gateway's and the connection's.
func TestCOCRequestFaults(t *testing.T) {
	e, script, ids := startOrders(t, 1)
	for kind, want := range map[model.FaultKind]struct {
		status int
		code   string
	}{
		model.FaultThrottle: {http.StatusTooManyRequests, "APIGW.0308"}, model.FaultServerError: {http.StatusInternalServerError, "COC.00040701"},
		model.FaultRefuse: {http.StatusBadRequest, "COC.1"},
	} {
		if _, err := e.sim.World().AddFault(model.Fault{Kind: kind, Service: "coc", Code: "COC.1", Count: 1}); err != nil {
			t.Fatal(err)
		}
		if out := e.send(t, "coc", http.MethodGet, "/v1/job/scripts/"+script, nil); out.status != want.status || out.Code != want.code {
			t.Errorf("%s: %d %s", kind, out.status, out.body)
		}
	}
	ran := func() int { return len(e.sim.World().Invocations(nil)) }
	for kind, more := range map[model.FaultKind]int{model.FaultDropBefore: 0, model.FaultDropAfter: 1} {
		before := ran()
		if _, err := e.sim.World().AddFault(model.Fault{Kind: kind, Action: "ExecuteScript", Instance: ids[0], Count: 1}); err != nil {
			t.Fatal(err)
		}
		if out, err := e.try(t, "coc", http.MethodPost, "/v1/job/scripts/"+script, e.cocOrder(nil, ids...)); err == nil {
			t.Errorf("%s: answered %s", kind, out.body)
		}
		if got := ran() - before; got != more {
			t.Errorf("%s: %d orders were made", kind, got)
		}
	}
}
