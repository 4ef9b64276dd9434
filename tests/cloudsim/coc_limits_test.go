package cloudsim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Scripts that break a limit of the page are refused, and nothing is kept.
func TestCOCRefusesScripts(t *testing.T) {
	e := startHuawei(t, cloudsim.Options{})
	param := func(name string, value any) func(fields) {
		return func(f fields) { f["script_params"].([]fields)[0][name] = value }
	}
	for name, spoil := range map[string]func(fields){
		"no name":               func(f fields) { f["name"] = "" },
		"a long name":           func(f fields) { f["name"] = strings.Repeat("n", 65) },
		"a name with a hyphen":  func(f fields) { f["name"] = "set-sh" },
		"no description":        func(f fields) { delete(f, "description") },
		"a long description":    func(f fields) { f["description"] = strings.Repeat("d", 257) },
		"another type":          func(f fields) { f["type"] = "POWERSHELL" },
		"no content":            func(f fields) { f["content"] = "" },
		"a long content":        func(f fields) { f["content"] = strings.Repeat("é", 4097) },
		"no properties":         func(f fields) { delete(f, "properties") },
		"an unknown risk":       func(f fields) { f["properties"] = fields{"risk_level": "NONE", "version": "1.0.0"} },
		"a long version":        func(f fields) { f["properties"] = fields{"risk_level": "LOW", "version": "1.0.0.0.0.0"} },
		"an unknown field":      func(f fields) { f["contents"] = "echo" },
		"too many parameters":   func(f fields) { f["script_params"] = many(21) },
		"parameters of a name":  func(f fields) { f["script_params"] = slices.Repeat(many(1), 2) },
		"a gap in the order":    param("param_order", 2),
		"an order from 0":       param("param_order", 0),
		"a name with a dollar":  param("param_name", "$a"),
		"a value with a dollar": param("param_value", "$6$x"),
		"a value with a quote":  param("param_value", "it's"),
		"a value with dots":     param("param_value", "a..b"),
		"an empty value":        param("param_value", ""),
		"a long value":          param("param_value", strings.Repeat("v", 1025)),
		"no word on secrecy":    param("sensitive", nil),
	} {
		body := cocScript("name", "echo", "a")
		spoil(body)
		out := e.send(t, "coc", http.MethodPost, "/v1/job/scripts", body)
		if out.status != http.StatusBadRequest || out.Code != "COC.00040601" {
			t.Errorf("%s: %d %s", name, out.status, out.body)
		}
	}
	body := cocScript("name", strings.Repeat("é", 4096), "a")
	body["script_params"].([]fields)[0]["param_value"] = `aZ09_-/.* ?:",=+@#\[{]}`
	e.create(t, body)
	body = cocScript("other", "echo")
	body["script_params"] = many(20)
	e.create(t, body)
}

func many(n int) []fields {
	var out []fields
	for i := range n {
		out = append(out, fields{"param_name": fmt.Sprintf("p%d", i+1), "param_value": "x", "param_description": "", "param_order": i + 1,
			"sensitive": false})
	}
	return out
}

// Orders that break a limit, or whose parameters or servers are not there, are refused, and nothing is run.
func TestCOCRefusesOrders(t *testing.T) {
	e := startHuawei(t, cloudsim.Options{})
	server := e.creds.Servers["linux-1"]
	uuid := e.create(t, cocScript("run", "echo ${a}", "a"))
	set := func(name string, value any) func(fields) {
		return func(f fields) { f["execute_param"].(fields)[name] = value }
	}
	batch := func(name string, value any) func(fields) {
		return func(f fields) { f["execute_batches"].([]fields)[0][name] = value }
	}
	instance := func(name, value string) func(fields) {
		return func(f fields) { f["execute_batches"].([]fields)[0]["target_instances"].([]fields)[0][name] = value }
	}
	targets := func(n int) []fields {
		var out []fields
		for i := range n {
			out = append(out, fields{"resource_id": fmt.Sprint("s", i), "region_id": e.creds.Region})
		}
		return out
	}
	for name, spoil := range map[string]func(fields){
		"a timeout of 5":         set("timeout", 5),
		"a timeout of 1800":      set("timeout", 1800),
		"a rate of 0":            set("success_rate", 0),
		"a rate over 100":        set("success_rate", 100.1),
		"a rate with two places": set("success_rate", 99.55),
		"another user":           set("execute_user", "ubuntu"),
		"no parameters":          set("script_params", []fields{}),
		"a parameter it lacks": set("script_params", []fields{{"param_name": "a", "param_value": "x"},
			{"param_name": "b", "param_value": "x"}}),
		"a parameter twice":       set("script_params", slices.Repeat([]fields{{"param_name": "a", "param_value": "x"}}, 2)),
		"a dollar":                set("script_params", []fields{{"param_name": "a", "param_value": "$6$x"}}),
		"no batch":                func(f fields) { f["execute_batches"] = []fields{} },
		"a batch 0":               batch("batch_index", 0),
		"another strategy":        batch("rotation_strategy", "STOP"),
		"an empty batch":          batch("target_instances", []fields{}),
		"eleven in a batch":       batch("target_instances", targets(11)),
		"a server that is none":   instance("resource_id", "nobody"),
		"another region":          instance("region_id", "cn-north-4"),
		"a Windows server":        instance("resource_id", e.creds.Servers["windows-1"]),
		"another kind of machine": instance("type", "CCE"),
		"one server twice": func(f fields) {
			first := f["execute_batches"].([]fields)[0]["target_instances"].([]fields)
			f["execute_batches"].([]fields)[0]["target_instances"] = slices.Repeat(first, 2)
		},
		"twenty-one batches": func(f fields) {
			var list []fields
			for i := range 21 {
				list = append(list, fields{"batch_index": i + 1, "rotation_strategy": "CONTINUE", "target_instances": targets(1)})
			}
			f["execute_batches"] = list
		},
	} {
		body := e.cocOrder(map[string]string{"a": "x"}, server)
		spoil(body)
		out := e.send(t, "coc", http.MethodPost, "/v1/job/scripts/"+uuid, body)
		if out.status != http.StatusBadRequest || out.Code != "COC.00040601" {
			t.Errorf("%s: %d %s", name, out.status, out.body)
		}
	}
	if out := e.send(t, "coc", http.MethodPost, "/v1/job/scripts/SC0", e.cocOrder(nil, server)); out.status != http.StatusNotFound {
		t.Errorf("a script that is none: %d %s", out.status, out.body)
	}
	if ran := e.sim.World().Invocations(nil); len(ran) != 0 {
		t.Errorf("ran %+v", ran)
	}
}

// Only an approved script runs; of those with a reviewer, he decides.
func TestCOCNeedsApproval(t *testing.T) {
	e := startHuawei(t, cloudsim.Options{})
	order := e.cocOrder(nil, e.creds.Servers["linux-1"])
	reviewed := func(name, reviewer string) string {
		body := cocScript(name, "echo")
		body["properties"].(fields)["reviewers"] = []fields{{"reviewer_name": "somebody", "reviewer_id": reviewer}}
		return e.create(t, body)
	}
	decide := func(uuid, status string) huaweiAnswer {
		return e.send(t, "coc", http.MethodPost, "/v1/job/scripts/"+uuid+"/action", fields{"status": status})
	}
	refused := func(uuid, status string) {
		t.Helper()
		out := e.send(t, "coc", http.MethodPost, "/v1/job/scripts/"+uuid, order)
		if out.status != http.StatusBadRequest || !strings.Contains(out.Message, status) {
			t.Errorf("%s: %d %s", status, out.status, out.body)
		}
	}
	mine, other := reviewed("mine", e.creds.UserID), reviewed("other", "0")
	refused(mine, "PENDING_APPROVE")
	if out := decide(other, "APPROVED"); out.status != http.StatusForbidden {
		t.Errorf("somebody else decided: %d %s", out.status, out.body)
	}
	if out := decide(mine, "APPROVED"); out.status != http.StatusOK {
		t.Errorf("the reviewer: %d %s", out.status, out.body)
	}
	e.execute(t, mine, order)
	e.sim.COC().SetNewScripts("REJECTED")
	refused(e.create(t, cocScript("third", "echo")), "REJECTED")
	if n := e.sim.COC().SetScript("third", "APPROVED", "echo changed"); n != 1 {
		t.Errorf("changed %d scripts", n)
	}
}

// Another tenant sees neither scripts nor orders, and may use the names again.
func TestCOCKeepsTenantsApart(t *testing.T) {
	e := startHuawei(t, cloudsim.Options{})
	server := e.creds.Servers["linux-1"]
	uuid := e.create(t, cocScript("same", "echo"))
	order := e.execute(t, uuid, e.cocOrder(nil, server))
	w := e.sim.World()
	account := w.AddAccount(model.Account{Cloud: model.HuaweiCloud, Name: "other", Regions: []string{e.creds.Region}})
	user := w.AddUser(model.User{Cloud: model.HuaweiCloud, AccountID: account.ID, Name: "other"})
	other := e.as(w.AddAccessKey(model.AccessKey{Cloud: model.HuaweiCloud, AccountID: account.ID, UserID: user.ID}))
	other.creds.ProjectID = ""
	for _, path := range []string{"/v1/job/scripts/" + uuid, "/v1/job/script/orders/" + order, "/v1/job/script/orders/" + order +
		"/batches/1?limit=1"} {
		if out := other.send(t, "coc", http.MethodGet, path, nil); out.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, out.status, out.body)
		}
	}
	own := other.create(t, cocScript("same", "echo"))
	if out := other.send(t, "coc", http.MethodPost, "/v1/job/scripts/"+own, e.cocOrder(nil, server)); out.status != http.StatusBadRequest {
		t.Errorf("a server of another tenant: %d %s", out.status, out.body)
	}
}
