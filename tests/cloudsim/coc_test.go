package cloudsim_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/cocapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// A script is kept, found by its name, read and deleted.
func TestCOCKeepsScripts(t *testing.T) {
	e := startHuawei(t, cloudsim.Options{})
	uuid := e.create(t, cocScript("cloudpw_set_sh_1", `echo "${word}"`, "word"))
	if !regexp.MustCompile(`^SC[0-9]{16}[0-9a-f]{7}$`).MatchString(uuid) {
		t.Errorf("script id %q", uuid)
	}
	e.create(t, cocScript("另一个", "echo"))
	var list struct {
		Total int
		Data  []struct {
			UUID   string `json:"script_uuid"`
			Name   string
			Status string
		}
	}
	e.send(t, "coc", http.MethodGet, "/v1/job/scripts?limit=100&name_like=cloudpw_set", nil).into(t, &list)
	if list.Total != 1 || len(list.Data) != 1 || list.Data[0].UUID != uuid || list.Data[0].Status != "APPROVED" {
		t.Errorf("list: %+v", list)
	}
	var one struct {
		Name, Content, Status, Type string
		Params                      []struct {
			Name      string `json:"param_name"`
			Sensitive bool
		} `json:"script_params"`
	}
	e.send(t, "coc", http.MethodGet, "/v1/job/scripts/"+uuid, nil).into(t, &one)
	if one.Content != `echo "${word}"` || one.Type != "SHELL" || len(one.Params) != 1 || one.Params[0].Name != "word" ||
		!one.Params[0].Sensitive {
		t.Errorf("script: %+v", one)
	}
	if again := e.send(t, "coc", http.MethodPost, "/v1/job/scripts",
		cocScript("cloudpw_set_sh_1", "echo")); again.status != http.StatusBadRequest ||
		again.Code != "COC.00040601" || again.Message != "Exist script with same name: cloudpw_set_sh_1." {
		t.Errorf("the same name again: %d %s", again.status, again.body)
	}
	if gone := e.text(t, http.MethodDelete, "/v1/job/scripts/"+uuid, nil); gone != uuid {
		t.Errorf("deleted %q", gone)
	}
	if out := e.send(t, "coc", http.MethodGet, "/v1/job/scripts/"+uuid, nil); out.status != http.StatusNotFound {
		t.Errorf("a deleted script: %d %s", out.status, out.body)
	}
	e.create(t, cocScript("cloudpw_set_sh_1", "echo")) // its name is free again
}

// A search by name is no more than fuzzy, and a new script may not be shown at once, though its name is in use.
func TestCOCFindsScripts(t *testing.T) {
	e := startHuawei(t, cloudsim.Options{})
	names := func(like string) (out []string) {
		var list struct{ Data []struct{ Name string } }
		e.send(t, "coc", http.MethodGet, "/v1/job/scripts?limit=100&name_like="+like, nil).into(t, &list)
		for _, s := range list.Data {
			out = append(out, s.Name)
		}
		return out
	}
	for _, name := range []string{"a_b", "A1B", "a_bc", "other"} {
		e.create(t, cocScript(name, "echo"))
	}
	if got := names("a_b"); !slices.Equal(got, []string{"a_bc", "A1B", "a_b"}) {
		t.Errorf("found %v", got)
	}
	if _, err := e.sim.World().AddFault(model.Fault{Kind: model.FaultLagRecord, Action: "CreateScript", Delay: time.Minute,
		Count: 1}); err != nil {
		t.Fatal(err)
	}
	uuid := e.create(t, cocScript("late", "echo"))
	if got := e.send(t, "coc", http.MethodGet, "/v1/job/scripts/"+uuid, nil).status; got != http.StatusNotFound || len(names("late")) != 0 {
		t.Errorf("shown at once: %d", got)
	}
	if again := e.send(t, "coc", http.MethodPost, "/v1/job/scripts", cocScript("late", "echo")); again.Code != "COC.00040601" {
		t.Errorf("its name is free: %s", again.body)
	}
	e.sim.World().Advance(time.Minute)
	if len(names("late")) != 1 {
		t.Error("not shown later")
	}
}

// Whether a script's text is changed or variables are set, "${name}" is the value.
func TestCOCHandsParametersOver(t *testing.T) {
	for way, want := range map[string]struct {
		text        string
		environment map[string]string
	}{
		cocapi.Replace:     {`echo "YWJj+/==" $other`, map[string]string{}},
		cocapi.Environment: {`echo "${word}" $other`, map[string]string{"word": "YWJj+/=="}},
	} {
		t.Run(way, func(t *testing.T) {
			e := startHuawei(t, cloudsim.Options{COC: func(o *cocapi.Options) { o.Parameters = way }})
			order := e.execute(t, e.create(t, cocScript("hello", `echo "${word}" $other`, "word")),
				e.cocOrder(map[string]string{"word": "YWJj+/=="}, e.creds.Servers["linux-1"]))
			ran := e.sim.World().Invocations(func(i model.Invocation) bool { return strings.HasPrefix(i.CommandID, order) })
			if len(ran) != 1 || ran[0].Text != want.text || !maps.Equal(ran[0].Environment, want.environment) {
				t.Errorf("ran %+v", ran)
			}
		})
	}
}

// An order goes from READY to FINISHED, and the log is what the script wrote.
func TestCOCRunsScripts(t *testing.T) {
	e := startHuawei(t, cloudsim.Options{
		Options: model.Options{OperationTime: time.Hour}, COC: func(o *cocapi.Options) { o.MaxScript = 100 << 10 },
	})
	server := e.creds.Servers["linux-1"]
	command, err := guest.Linux(guest.Change{Username: "root", Secret: "Secret-1", Order: 1, NotAfter: time.Now().Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	order := e.execute(t, e.create(t, cocScript("set", command.Text)), e.cocOrder(nil, server))
	if len(order) != 26 || !strings.HasPrefix(order, "SCT") {
		t.Errorf("order id %q", order)
	}
	for _, step := range []struct {
		pass   time.Duration
		status string
	}{{0, "READY"}, {25 * time.Minute, "PROCESSING"}, {2 * time.Hour, "FINISHED"}} {
		e.sim.World().Advance(step.pass)
		list := e.batch(t, order, 1)
		if len(list) != 1 || list[0].Target.ResourceID != server || list[0].Status != step.status || e.status(t, order) != step.status {
			t.Fatalf("want %s: %+v, order %s", step.status, list, e.status(t, order))
		}
		switch ended := step.status == "FINISHED"; {
		case ended && (!strings.Contains(list[0].Message, "cloudpw: exit 0") || list[0].Finished == nil || *list[0].Finished < list[0].Created):
			t.Errorf("at the end: %+v", list[0])
		case !ended && (list[0].Message != "" || list[0].Finished != nil):
			t.Errorf("before the end: %+v", list[0])
		}
	}
	if s, _ := e.sim.World().Server(server); !s.HasPassword("root", "Secret-1") {
		t.Error("the password was not set")
	}
}

// The project's own stored script sets the password whichever way COC hands the parameters over, within the least limit.
func TestCOCRunsTheStoredScript(t *testing.T) {
	for _, way := range []string{cocapi.Replace, cocapi.Environment} {
		t.Run(way, func(t *testing.T) {
			e := startHuawei(t, cloudsim.Options{COC: func(o *cocapi.Options) { o.Parameters = way }})
			command, err := guest.Linux(guest.Change{Username: "root", Secret: "Secret-1", Order: 1, NotAfter: time.Now().Add(24 * time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			values := map[string]string{}
			for _, p := range command.Stored.Parameters {
				names, values[p.Name] = append(names, p.Name), p.Value
			}
			server := e.creds.Servers["linux-1"]
			order := e.execute(t, e.create(t, cocScript("set", command.Stored.Text, names...)), e.cocOrder(values, server))
			e.sim.World().Advance(time.Hour)
			list := e.batch(t, order, 1)
			if len(list) != 1 || list[0].Status != "FINISHED" || !strings.Contains(list[0].Message, "cloudpw: exit 0") {
				t.Errorf("got %+v", list)
			}
			if err := e.sim.Login(t.Context(), server, "root", "Secret-1"); err != nil {
				t.Error(err)
			}
		})
	}
}

// Keys and tokens are taken, of a project and of the account; what is wrong or not allowed is refused by the gateway or by COC.
func TestCOCKnowsItsCallers(t *testing.T) {
	e := startHuawei(t, cloudsim.Options{})
	list := func(e *huaweiEnv) huaweiAnswer {
		return e.send(t, "coc", http.MethodGet, "/v1/job/scripts?limit=1", nil)
	}
	stranger := e.as(model.AccessKey{ID: e.creds.AccessKey, Secret: "wrong"})
	foreign := *e
	foreign.creds.ProjectID = strings.Repeat("0", 32)
	for _, tt := range []struct {
		name   string
		by     *huaweiEnv
		status int
		code   string
	}{
		{"a key", e, http.StatusOK, ""},
		{"a project's token", e.with(e.token(t, e.creds.ProjectID)), http.StatusOK, ""},
		{"an account's token", e.with(e.token(t, "")), http.StatusOK, ""},
		{"a wrong secret key", stranger, http.StatusUnauthorized, "APIGW.0301"},
		{"a token that is none", e.with("rubbish"), http.StatusUnauthorized, "APIGW.0301"},
		{"another's project", &foreign, http.StatusForbidden, "APIGW.0302"},
	} {
		if out := list(tt.by); out.status != tt.status || out.Code != tt.code {
			t.Errorf("%s: %d %s", tt.name, out.status, out.body)
		}
	}
	if _, err := e.sim.World().Deny(model.HuaweiCloud, e.creds.AccessKey, []string{"coc:List*"}); err != nil {
		t.Fatal(err)
	}
	if out := list(e); out.status != http.StatusForbidden || !strings.Contains(out.Message, "coc:document:list") {
		t.Errorf("denied: %d %s", out.status, out.body)
	}
	french := *e
	french.language = "fr-fr"
	if out := french.send(t, "coc", http.MethodGet, "/v1/job/script/orders", nil); out.status != http.StatusBadRequest {
		t.Errorf("an unknown language: %d %s", out.status, out.body)
	}
	if out := e.send(t, "coc", http.MethodGet, "/v1/job/nothing", nil); out.status != http.StatusNotFound || out.Code != "APIGW.0101" {
		t.Errorf("an unknown path: %d %s", out.status, out.body)
	}
}
