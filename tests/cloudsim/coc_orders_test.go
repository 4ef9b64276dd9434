package cloudsim_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/cocapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// startOrders is startHuawei with a script that sets root's password, and several servers.
func startOrders(t *testing.T, servers int) (e *huaweiEnv, script string, ids []string) {
	t.Helper()
	e = startHuawei(t, cloudsim.Options{
		Options: model.Options{OperationTime: time.Hour}, COC: func(o *cocapi.Options) { o.MaxScript = 100 << 10 },
	})
	command, err := guest.Linux(guest.Change{Username: "root", Secret: "Secret-1", Order: 1, NotAfter: time.Now().Add(240 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range servers {
		s, err := e.sim.World().AddServer(model.Server{
			Cloud: model.HuaweiCloud, AccountID: e.creds.AccountID, ProjectID: e.creds.ProjectID, Region: e.creds.Region,
			Name: fmt.Sprint("target-", i),
		})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.ID)
	}
	return e, e.create(t, cocScript("set", command.Text)), ids
}

// order runs the script on servers, each in a batch of its own.
func (e *huaweiEnv) order(t *testing.T, script, strategy string, rate float64, ids ...string) string {
	t.Helper()
	body := e.cocOrder(nil)
	body["execute_param"].(fields)["success_rate"] = rate
	var batches []fields
	for i, id := range ids {
		batches = append(batches, fields{"batch_index": i + 1, "rotation_strategy": strategy,
			"target_instances": []fields{{"resource_id": id, "region_id": e.creds.Region}}})
	}
	body["execute_batches"] = batches
	return e.execute(t, script, body)
}

func (e *huaweiEnv) operate(t *testing.T, order string, body fields) huaweiAnswer {
	t.Helper()
	return e.send(t, "coc", http.MethodPut, "/v1/job/script/orders/"+order+"/operation", body)
}

// statuses are those of the order and of the only instance in each batch.
func (e *huaweiEnv) statuses(t *testing.T, order string, batches int) []string {
	t.Helper()
	out := []string{e.status(t, order)}
	for i := range batches {
		out = append(out, e.batch(t, order, i+1)[0].Status)
	}
	return out
}

// Batches run one after the other; a failed one ends the order.
func TestCOCRunsBatchesInTurn(t *testing.T) {
	e, script, ids := startOrders(t, 2)
	order := e.order(t, script, "CONTINUE", 100, ids...)
	want := func(statuses ...string) {
		t.Helper()
		if got := e.statuses(t, order, len(ids)); !slices.Equal(got, statuses) {
			t.Errorf("statuses %v, want %v", got, statuses)
		}
	}
	want("READY", "READY", "READY")
	e.sim.World().Advance(time.Hour)
	want("PROCESSING", "FINISHED", "READY")
	e.sim.World().Advance(time.Hour)
	want("FINISHED", "FINISHED", "FINISHED")

	order = e.order(t, script, "CONTINUE", 100, ids...)
	if err := e.sim.World().Remove(ids[1]); err != nil {
		t.Fatal(err)
	}
	e.sim.World().Advance(time.Hour)
	for range 2 {
		want("ABNORMAL", "FINISHED", "CANCELED")
	}
	ids = ids[:1]
	if _, err := e.sim.World().AddFault(model.Fault{Kind: model.FaultFailedNotApplied, Instance: ids[0], Message: "no"}); err != nil {
		t.Fatal(err)
	}
	order = e.order(t, script, "CONTINUE", 100, ids...)
	e.sim.World().Advance(time.Hour)
	want("ABNORMAL", "ABNORMAL")
}

// A paused order starts nothing until it is to go on; a batch may be skipped.
func TestCOCPausesAndSkips(t *testing.T) {
	e, script, ids := startOrders(t, 3)
	order := e.order(t, script, "PAUSE", 100, ids...)
	e.sim.World().Advance(3 * time.Hour)
	if got := e.statuses(t, order, 3); !slices.Equal(got, []string{"PAUSED", "FINISHED", "READY", "READY"}) {
		t.Errorf("after the first batch: %v", got)
	}
	if out := e.operate(t, order, fields{"operation_type": "SKIP_BATCH", "batch_index": 2}); out.status != http.StatusOK {
		t.Errorf("skip: %s", out.body)
	}
	if out := e.operate(t, order, fields{"operation_type": "CONTINUE_ORDER"}); out.status != http.StatusOK {
		t.Errorf("continue: %s", out.body)
	}
	e.sim.World().Advance(time.Hour)
	if got := e.statuses(t, order, 3); !slices.Equal(got, []string{"FINISHED", "FINISHED", "CANCELED", "FINISHED"}) {
		t.Errorf("in the end: %v", got)
	}
	if out := e.operate(t, order, fields{"operation_type": "CANCEL_ORDER"}); out.status != http.StatusBadRequest {
		t.Errorf("cancelled an order that has ended: %s", out.body)
	}
	if out := e.operate(t, order, fields{"operation_type": "RETRY_INSTANCE"}); out.status != http.StatusBadRequest {
		t.Errorf("an operation that the simulator lacks: %s", out.body)
	}
}

// What is cancelled before the agent has it is never run; what the script has done by then stays done.
func TestCOCCancels(t *testing.T) {
	for pass, done := range map[time.Duration]bool{0: false, 45 * time.Minute: true} {
		e, script, ids := startOrders(t, 1)
		order := e.order(t, script, "CONTINUE", 100, ids...)
		e.sim.World().Advance(pass)
		if out := e.operate(t, order, fields{"operation_type": "CANCEL_ORDER"}); out.status != http.StatusOK {
			t.Errorf("cancel: %s", out.body)
		}
		e.sim.World().Advance(3 * time.Hour)
		if got := e.statuses(t, order, 1); !slices.Equal(got, []string{"CANCELED", "CANCELED"}) {
			t.Errorf("statuses %v", got)
		}
		if s, _ := e.sim.World().Server(ids[0]); s.HasPassword("root", "Secret-1") != done {
			t.Errorf("cancelled after %v: set: %v", pass, !done)
		}
	}
	e, script, ids := startOrders(t, 2)
	order := e.order(t, script, "CONTINUE", 100, ids...)
	second := e.batch(t, order, 2)[0].ID
	if out := e.operate(t, order, fields{"operation_type": "CANCEL_INSTANCE", "instance_id": second}); out.status != http.StatusOK {
		t.Errorf("cancel an instance: %s", out.body)
	}
	e.sim.World().Advance(3 * time.Hour)
	if got := e.batch(t, order, 2)[0].Status; got != "CANCELED" {
		t.Errorf("the cancelled instance: %s", got)
	}
}

// Orders are found by time, creator and status, newest first and page by page.
func TestCOCListsOrders(t *testing.T) {
	e, script, ids := startOrders(t, 1)
	var made []string
	start := e.sim.World().OperationNow()
	for range 3 {
		made = append([]string{e.order(t, script, "CONTINUE", 100, ids...)}, made...)
		e.sim.World().Advance(2 * time.Hour)
	}
	list := func(query string) (uuids []string, last int64) {
		t.Helper()
		var out struct {
			Total int
			Data  []struct {
				ID   int64  `json:"order_id"`
				UUID string `json:"execute_uuid"`
				Name string `json:"order_name"`
			}
		}
		e.send(t, "coc", http.MethodGet, "/v1/job/script/orders?"+query, nil).into(t, &out)
		for _, o := range out.Data {
			uuids, last = append(uuids, o.UUID), o.ID
		}
		return uuids, last
	}
	ms := func(d time.Duration) int64 { return start.Add(d).UnixMilli() }
	first, marker := list("limit=2")
	rest, _ := list(fmt.Sprintf("limit=2&marker=%d", marker))
	for name, tt := range map[string]struct{ got, want []string }{
		"the first page":  {first, made[:2]},
		"the second page": {rest, made[2:]},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
	for query, want := range map[string][]string{
		"": made, "status=FINISHED": made, "status=PROCESSING": nil, "creator=cloudpw": made, "creator=nobody": nil,
		fmt.Sprintf("start_time=%d&end_time=%d", ms(time.Hour), ms(3*time.Hour)): made[1:2],
	} {
		if got, _ := list(query); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "marker=-1", "start_time=yesterday"} {
		if out := e.send(t, "coc", http.MethodGet, "/v1/job/script/orders?"+query, nil); out.status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, out.status)
		}
	}
	if out := e.send(t, "coc", http.MethodGet, "/v1/job/scripts", nil); out.status != http.StatusBadRequest {
		t.Errorf("scripts without a limit: %d", out.status)
	}
}

// The order shows its parameters, the statistics its instances.
func TestCOCShowsOrders(t *testing.T) {
	e, _, ids := startOrders(t, 2)
	order := e.execute(t, e.create(t, cocScript("show", "echo ${a}", "a")), e.cocOrder(map[string]string{"a": "c2VhbGVk"}, ids...))
	var one struct {
		Properties struct {
			Name  string `json:"script_name"`
			Param struct {
				Timeout int
				Params  []struct {
					Name  string `json:"param_name"`
					Value string `json:"param_value"`
				} `json:"script_params"`
			} `json:"execute_param"`
		}
	}
	e.send(t, "coc", http.MethodGet, "/v1/job/script/orders/"+order, nil).into(t, &one)
	if p := one.Properties; p.Name != "show" || p.Param.Timeout != 120 || len(p.Param.Params) != 1 || p.Param.Params[0].Value != "c2VhbGVk" {
		t.Errorf("order: %+v", one)
	}
	var statistics struct {
		Total int `json:"total_instance"`
		List  []struct {
			Status  string `json:"instance_status"`
			Count   int    `json:"instance_count"`
			Batches []int  `json:"batch_indexes"`
		} `json:"execute_statistics"`
	}
	e.send(t, "coc", http.MethodGet, "/v1/job/script/orders/"+order+"/statistics", nil).into(t, &statistics)
	if statistics.Total != 2 || len(statistics.List) != 1 || statistics.List[0].Status != "READY" ||
		!slices.Equal(statistics.List[0].Batches, []int{1}) {
		t.Errorf("statistics: %+v", statistics)
	}
	var batches []struct {
		Total    int    `json:"total_instances"`
		Strategy string `json:"rotation_strategy"`
	}
	e.send(t, "coc", http.MethodGet, "/v1/job/script/orders/"+order+"/batches", nil).into(t, &batches)
	if len(batches) != 1 || batches[0].Total != 2 || batches[0].Strategy != "CONTINUE" {
		t.Errorf("batches: %+v", batches)
	}
}
