package coc

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

func testReset() cloud.Reset {
	return cloud.Reset{InstanceIDs: []string{"srv-1"}, Username: "root", Password: "Str0ng-Pass!word", Platform: cloud.Linux,
		Order: 1_764_000_000, NotAfter: time.Now().Add(cloud.OrderDeadline)}
}

// The names fit COC's rules, and another text or purpose has another name.
func TestNames(t *testing.T) {
	look, err := guest.Look("root")
	if err != nil {
		t.Fatal(err)
	}
	other := guest.StoredLinux()
	other.Text += "#\n"
	names := map[string]bool{}
	for _, name := range []string{setName(), nameOf(guest.LookAtPassword, look.Stored), nameOf(guest.SetPassword, other),
		nameOf(guest.LookAtPassword, guest.StoredLinux())} {
		if names[name] || !regexp.MustCompile(`^cloudpw_(set|look)_sh_[0-9a-f]{8}$`).MatchString(name) || len(name) > 64 {
			t.Errorf("%q", name)
		}
		names[name] = true
	}
	if nameOf(guest.SetPassword, guest.StoredLinux()) != setName() || !strings.HasPrefix(setName(), "cloudpw_set_sh_") {
		t.Error("the name is another one at each call")
	}
}

// A script is made where there is none, found afterwards, remembered for a while, and then looked at again.
func TestScriptIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper()
		f, center := newFake(t, k.answer)
		prepare := func(want string) {
			t.Helper()
			f.calls = nil
			id, err := center.Resetter().(cloud.ResetPreparer).PrepareReset(t.Context(), testReset())
			if err != nil || id != "SC-"+setName() || f.said() != want {
				t.Errorf("%q, %v after %q, want %q", id, err, f.said(), want)
			}
		}
		prepare("ListScripts CreateScript GetScript")
		made := f.calls[1].Body.(newScript)
		if made.Name != setName() || made.Type != "SHELL" || made.Content != guest.StoredLinux().Text || made.Properties.RiskLevel != "HIGH" ||
			made.Properties.Version != "1.0.0" || made.Description != "cloudpw: set the password of an account" {
			t.Errorf("made %+v", made)
		}
		for n, name := range []string{"user", "hash", "order", "notafter"} {
			want := scriptParameter{"cloudpw_" + name, "x", made.Params[n].Description, n + 1, name == "hash"}
			if made.Params[n] != want || want.Description == "" {
				t.Errorf("parameter %+v", made.Params[n])
			}
		}
		query, err := url.ParseQuery(strings.TrimPrefix(f.calls[0].Path, "scripts?"))
		if err != nil || query.Get("name_like") != setName() || query.Get("limit") != "100" || query.Has("marker") {
			t.Errorf("asked %s", f.calls[0].Path)
		}
		prepare("")
		time.Sleep(remembered - time.Second)
		prepare("")
		time.Sleep(time.Second)
		prepare("ListScripts GetScript")
		for _, call := range f.calls {
			if call.AtOnce || len(call.Secrets) > 0 {
				t.Errorf("%+v", call)
			}
		}
	})
}

// A script that is another than ours, or not approved, is never run.
func TestScriptsThatAreNotRun(t *testing.T) {
	for name, c := range map[string]struct {
		change func(object)
		says   string
	}{
		"as it is":          {},
		"no line's end":     {func(o object) { o["content"] = strings.TrimSuffix(o["content"].(string), "\n") }, ""},
		"shuffled":          {func(o object) { p := o["script_params"].([]any); p[0], p[3] = p[3], p[0] }, ""},
		"another text":      {func(o object) { o["content"] = "rm -rf /\n" + o["content"].(string) }, "is not as cloudpw made it"},
		"no text":           {func(o object) { o["content"] = "" }, "is not as cloudpw made it"},
		"another type":      {func(o object) { o["type"] = "PYTHON" }, "is not as cloudpw made it"},
		"another name":      {func(o object) { o["name"] = "other" }, "is not as cloudpw made it"},
		"fewer parameters":  {func(o object) { o["script_params"] = o["script_params"].([]any)[1:] }, "is not as cloudpw made it"},
		"another parameter": {func(o object) { o["script_params"].([]any)[1].(map[string]any)["param_name"] = "x" }, "is not as cloudpw made it"},
		"more parameters": {func(o object) {
			o["script_params"] = append(o["script_params"].([]any), map[string]any{"param_name": "x", "param_order": 5})
		}, "is not as cloudpw made it"},
		"other places": {func(o object) {
			p := o["script_params"].([]any)
			p[1].(map[string]any)["param_order"], p[2].(map[string]any)["param_order"] = 3, 2
		}, "is not as cloudpw made it"},
		"pending":           {func(o object) { o["status"] = "PENDING_APPROVE" }, "is not approved yet; approve it"},
		"rejected":          {func(o object) { o["status"] = "REJECTED" }, "was rejected; to have it reviewed again"},
		"an unknown status": {func(o object) { o["status"] = "FROZEN\n" }, "has the status FROZEN"},
		"pending, with who": {func(o object) {
			o["status"] = "PENDING_APPROVE"
			o["properties"].(map[string]any)["reviewers"] = []object{{"reviewer_name": "ann"}, {"reviewer_name": "bob"}}
		}, "is not approved yet (its reviewers: ann, bob); approve it"},
	} {
		k := newKeeper()
		_, center := newFake(t, k.answer)
		k.change = c.change
		for range 2 { // a refusal is not remembered
			id, err := center.Resetter().(cloud.ResetPreparer).PrepareReset(t.Context(), testReset())
			kind := cloud.Refused
			if c.says == "" {
				kind = ""
			}
			wantKind(t, name, err, kind, c.says)
			if (id == "") != (err != nil) {
				t.Errorf("%s: %q, %v", name, id, err)
			}
		}
	}
}

// Where another Vault has just made the script, that one's is taken; every other refusal is told.
func TestAnotherVaultMakesTheScript(t *testing.T) {
	taken := &cloud.Error{Kind: cloud.Refused, Code: "COC.00040601", Message: "Exist script with same name"}
	k := newKeeper()
	f, center := newFake(t, nil)
	f.answers = func(r Request) (int, any, error) {
		if r.Action == ActionCreate {
			k.put(setName(), r.Body.(newScript))
			return 400, nil, taken
		}
		return k.answer(r)
	}
	id, err := center.script(t.Context(), guest.SetPassword, guest.StoredLinux())
	if err != nil || id != "SC-"+setName() || f.said() != "ListScripts CreateScript ListScripts GetScript" {
		t.Errorf("%q, %v after %s", id, err, f.said())
	}
	for kind, calls := range map[cloud.Kind]string{
		cloud.Refused: "ListScripts CreateScript ListScripts", cloud.Denied: "ListScripts CreateScript",
		cloud.Unknown: "ListScripts CreateScript",
	} {
		k := newKeeper()
		f, center := newFake(t, k.answer)
		k.refuses[ActionCreate] = cloud.Errorf(kind, "no")
		_, err := center.script(t.Context(), guest.SetPassword, guest.StoredLinux())
		wantKind(t, "create", err, kind, "no")
		if f.said() != calls {
			t.Errorf("%s: %s", kind, f.said())
		}
	}
	// The second look may fail as well.
	k = newKeeper()
	f, center = newFake(t, nil)
	f.answers = func(r Request) (int, any, error) {
		if r.Action == ActionList && len(f.calls) > 1 {
			return 429, nil, cloud.Errorf(cloud.Throttled, "slow")
		}
		if r.Action == ActionCreate {
			return 400, nil, taken
		}
		return k.answer(r)
	}
	_, err = center.script(t.Context(), guest.SetPassword, guest.StoredLinux())
	wantKind(t, "the second look", err, cloud.Throttled, "slow")
}

// What fails on the way to a script is told as it is.
func TestScriptErrors(t *testing.T) {
	for _, action := range []string{ActionList, ActionGet} {
		k := newKeeper()
		k.refuses[action] = cloud.Errorf(cloud.Denied, "no permission")
		_, center := newFake(t, k.answer)
		id, err := center.script(t.Context(), guest.SetPassword, guest.StoredLinux())
		wantKind(t, action, err, cloud.Denied, "no permission")
		if id != "" {
			t.Errorf("%s: %q", action, id)
		}
	}
	_, center := newFake(t, func(r Request) (int, any, error) {
		if r.Action == ActionCreate {
			return 200, "../x", nil
		}
		return 200, object{"data": []object{}}, nil
	})
	_, err := center.script(t.Context(), guest.SetPassword, guest.StoredLinux())
	wantKind(t, "an id that is none", err, cloud.Unknown, "names no script")
	_, center = newFake(t, func(Request) (int, any, error) {
		return 200, object{"data": []object{{"id": 1, "script_uuid": "../x", "name": setName()}}}, nil
	})
	if id, err := center.find(t.Context(), setName()); id != "" || err != nil {
		t.Errorf("a listed id that is none: %q, %v", id, err)
	}
}

// A list is read page by page, for the very name, and not for ever.
func TestFindReadsPages(t *testing.T) {
	for name, c := range map[string]struct {
		scripts, ours, pages int
		kind                 cloud.Kind
	}{
		"none":          {0, -1, 1, ""},
		"one page":      {99, 98, 1, ""},
		"a full page":   {100, -1, 2, ""},
		"a second page": {150, 149, 2, ""},
		"the tenth":     {1000, 999, 10, ""},
		"too many":      {1100, 1050, 10, cloud.Refused},
	} {
		f, center := newFake(t, nil)
		f.answers = func(r Request) (int, any, error) {
			query, err := url.ParseQuery(strings.TrimPrefix(r.Path, "scripts?"))
			if err != nil {
				t.Fatal(err)
			}
			from := 0
			if marker := query.Get("marker"); marker != "" {
				if _, err := fmt.Sscan(marker, &from); err != nil {
					t.Fatal(err)
				}
			}
			list := []object{}
			for n := from; n < min(from+100, c.scripts); n++ {
				s := object{"id": n + 1, "script_uuid": fmt.Sprint("SC", n), "name": setName() + "_copy"}
				if n == c.ours {
					s["name"] = setName()
				}
				list = append(list, s)
			}
			return 200, object{"data": list}, nil
		}
		id, err := center.find(t.Context(), setName())
		want := ""
		if c.ours >= 0 && c.kind == "" {
			want = fmt.Sprint("SC", c.ours)
		}
		if id != want || cloud.KindOf(err) != c.kind || len(f.calls) != c.pages {
			t.Errorf("%s: %q, %v after %d pages", name, id, err, len(f.calls))
		}
	}
}

// A script is looked at again after an execution of it was refused, and not after other errors.
func TestARefusedExecutionForgetsTheScript(t *testing.T) {
	for kind, calls := range map[cloud.Kind]string{
		cloud.Refused: "ListScripts GetScript", cloud.Unknown: "", cloud.Denied: "", cloud.Throttled: "", cloud.Unavailable: "",
	} {
		k := newKeeper()
		f, center := newFake(t, k.answer)
		method := center.Resetter()
		reset := testReset()
		var err error
		if reset.Prepared, err = method.(cloud.ResetPreparer).PrepareReset(t.Context(), reset); err != nil {
			t.Fatal(err)
		}
		center.scripts.put("another", "SC-another")
		k.refuses[ActionExecute] = cloud.Errorf(kind, "no")
		started, err := method.StartReset(t.Context(), reset)
		if wantKind(t, "execution", err, kind, "no"); started != (cloud.ResetStarted{}) {
			t.Errorf("%+v", started)
		}
		f.calls = nil
		if _, err := method.(cloud.ResetPreparer).PrepareReset(t.Context(), reset); err != nil || f.said() != calls {
			t.Errorf("%s: %s, %v", kind, f.said(), err)
		}
		if center.scripts.get("another") == "" {
			t.Error("another script is forgotten")
		}
	}
}

// What cannot be prepared sends nothing.
func TestPrepareRefuses(t *testing.T) {
	f, center := newFake(t, newKeeper().answer)
	p := center.Resetter().(cloud.ResetPreparer)
	for name, change := range map[string]func(*cloud.Reset){
		"Windows":      func(r *cloud.Reset) { r.Platform = cloud.Windows },
		"unknown":      func(r *cloud.Reset) { r.Platform = "" },
		"two servers":  func(r *cloud.Reset) { r.InstanceIDs = []string{"srv-1", "srv-2"} },
		"no server":    func(r *cloud.Reset) { r.InstanceIDs = nil },
		"no id":        func(r *cloud.Reset) { r.InstanceIDs = []string{"x"} },
		"a bad name":   func(r *cloud.Reset) { r.Username = "-e" },
		"no user":      func(r *cloud.Reset) { r.Username = "" },
		"all of Linux": func(r *cloud.Reset) { center.Unavailable = errors.New("no endpoint") },
	} {
		r := testReset()
		change(&r)
		if id, err := p.PrepareReset(t.Context(), r); err == nil || id != "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
		center.Unavailable = nil
	}
	if !p.Prepares(cloud.Linux) || len(f.calls) != 0 {
		t.Errorf("%d requests", len(f.calls))
	}
}
