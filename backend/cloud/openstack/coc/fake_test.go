package coc

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// fakeAPI answers by a function, and keeps what it was asked.
type fakeAPI struct {
	t       *testing.T
	calls   []Request
	answers func(r Request) (status int, data any, err error)
	servers map[string]cloud.Instance
	failed  error // of Show
}

func (f *fakeAPI) Send(_ context.Context, r Request) (int, error) {
	f.calls = append(f.calls, r)
	status, data, err := f.answers(r)
	if err != nil || r.Data == nil {
		return status, err
	}
	raw, err := json.Marshal(data)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := json.Unmarshal(raw, r.Data); err != nil {
		f.t.Fatal(err)
	}
	return status, nil
}

func (f *fakeAPI) Show(_ context.Context, id string) (cloud.Instance, error) {
	i, known := f.servers[id]
	switch {
	case f.failed != nil:
		return cloud.Instance{}, f.failed
	case !known:
		return cloud.Instance{}, cloud.Errorf(cloud.NotFound, "no such server")
	}
	return i, nil
}

func (*fakeAPI) ValidateInstanceID(id string) error {
	if !strings.HasPrefix(id, "srv-") {
		return cloud.Errorf(cloud.Refused, "%q is no id", id)
	}
	return nil
}

// said is what was asked, in short.
func (f *fakeAPI) said() string {
	var words []string
	for _, c := range f.calls {
		words = append(words, c.Action)
	}
	return strings.Join(words, " ")
}

func newFake(t *testing.T, answers func(Request) (int, any, error)) (*fakeAPI, *Center) {
	t.Helper()
	f := &fakeAPI{t: t, answers: answers, servers: map[string]cloud.Instance{}}
	return f, New(Options{API: f, Region: "eu-west-101"})
}

type object map[string]any

// keeper plays COC with scripts, by name. change is done to what it shows of one.
type keeper struct {
	scripts map[string]object
	change  func(object)
	refuses map[string]error // by action, once
}

func (k *keeper) answer(r Request) (int, any, error) {
	if err := k.refuses[r.Action]; err != nil {
		delete(k.refuses, r.Action)
		return 400, nil, err
	}
	switch r.Action {
	case ActionList:
		list := []object{}
		for name := range k.scripts {
			list = append(list, object{"id": 7, "script_uuid": "SC-" + name, "name": name})
		}
		return 200, object{"total": len(list), "data": list}, nil
	case ActionCreate:
		made := r.Body.(newScript)
		k.put(made.Name, made)
		return 200, "SC-" + made.Name, nil
	case ActionGet:
		shown := k.scripts[strings.TrimPrefix(r.Path, "scripts/SC-")]
		if k.change != nil {
			k.change(shown)
		}
		return 200, shown, nil
	case ActionExecute:
		return 200, "SCT20260301120000010abcdef", nil
	}
	return 404, nil, cloud.Errorf(cloud.Refused, "unknown %s", r.Action)
}

func (k *keeper) put(name string, made newScript) {
	raw, err := json.Marshal(made)
	if err != nil {
		panic(err)
	}
	shown := object{}
	if err := json.Unmarshal(raw, &shown); err != nil {
		panic(err)
	}
	shown["status"] = "APPROVED"
	k.scripts[name] = shown
}

func newKeeper() *keeper { return &keeper{scripts: map[string]object{}, refuses: map[string]error{}} }

// setName is the name of the script that sets passwords.
func setName() string { return nameOf(guest.SetPassword, guest.StoredLinux()) }

func wantKind(t *testing.T, what string, err error, kind cloud.Kind, says string) {
	t.Helper()
	if cloud.KindOf(err) != kind || err != nil && !strings.Contains(err.Error(), says) {
		t.Errorf("%s: kind %q: %v; want %q: %q", what, cloud.KindOf(err), err, kind, says)
	}
}
