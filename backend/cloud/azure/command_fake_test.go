package azure

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// What the fake ARM has: a subscription with one virtual machine.
const (
	fakeSubscription = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
	fakeVM           = "5c0d8a3e-1b7f-4a52-9f0e-6d2b8c4a1e93"
	fakePath         = "/subscriptions/" + fakeSubscription + "/resourceGroups/demo/providers/Microsoft.Compute/virtualMachines/linux-1"
	fakeSecret       = "abc8Q~example-example-example"
	fakePassword     = `Str0ng<&>"pass\word+`
)

// object is a JSON object.
type object map[string]any

// fakeARM answers for tests of single answers. It gives tokens, and lists its virtual machine.
type fakeARM struct {
	*httptest.Server
	// machine is how the virtual machine is shown, and commands what it has, by name.
	mu       sync.Mutex
	machine  object
	commands map[string]object
	// answers come in place of its own, by method and what is asked for: "PUT runCommands". Each is used once, and an error is
	// given before anything is done.
	answers map[string][]fakeAnswer
	log     []fakeCall
}

// fakeCall is a request for a run command or for the virtual machine, and fakeAnswer the answer to one.
type (
	fakeCall struct {
		method, name string // of a run command; empty: all, or the virtual machine
		what         string // "runCommands", "vm" or "list"
		query, body  string
	}
	fakeAnswer struct {
		status int // 0: the connection is cut after the request has been carried out
		header map[string]string
		body   any
	}
)

func newFakeARM(t *testing.T) *fakeARM {
	t.Helper()
	f := &fakeARM{commands: map[string]object{}, answers: map[string][]fakeAnswer{}, machine: object{
		"id": fakePath, "name": "linux-1", "location": "westeurope", "properties": object{
			"vmId": strings.ToUpper(fakeVM), "osProfile": object{"adminUsername": "azureuser"},
			"storageProfile": object{"osDisk": object{"osType": "Linux"}},
			"instanceView": object{
				"statuses": []object{{"code": "PowerState/running"}},
				"vmAgent":  object{"statuses": []object{{"displayStatus": "Ready", "message": "Guest Agent is running"}}},
			},
		},
	}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// ServeHTTP implements http.Handler.
func (f *fakeARM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		reply(w, http.StatusOK, object{"token_type": "Bearer", "expires_in": 3599, "access_token": "token"})
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	call := fakeCall{method: r.Method, query: r.URL.RawQuery, body: string(body)}
	switch rest, ours := strings.CutPrefix(r.URL.Path, fakePath); {
	case !ours:
		call.what = "list"
	case rest == "":
		call.what = "vm"
	default:
		call.what = "runCommands"
		call.name = strings.TrimPrefix(strings.TrimPrefix(rest, "/runCommands"), "/")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, call)
	kind := call.method + " " + call.what
	var other *fakeAnswer
	if queue := f.answers[kind]; len(queue) > 0 {
		other, f.answers[kind] = &queue[0], queue[1:]
	}
	if other != nil && other.status >= http.StatusBadRequest {
		other.write(w)
		return
	}
	status, answer := f.serve(call)
	switch {
	case other == nil:
		reply(w, status, answer)
	case other.status == 0:
		panic(http.ErrAbortHandler)
	default:
		other.write(w)
	}
}

// serve is what the fake ARM answers by itself. The caller holds f.mu.
func (f *fakeARM) serve(call fakeCall) (int, any) {
	known := f.commands[call.name]
	switch {
	case call.what == "list":
		return http.StatusOK, object{"value": []object{f.machine}}
	case call.what == "vm":
		return http.StatusOK, f.machine
	case call.method == http.MethodGet && call.name == "":
		all := []object{}
		for _, c := range f.commands {
			all = append(all, c)
		}
		return http.StatusOK, object{"value": all}
	case call.method == http.MethodPut:
		f.commands[call.name] = object{"name": call.name, "properties": object{"provisioningState": "Creating"}}
		return http.StatusCreated, f.commands[call.name]
	case known == nil:
		return http.StatusNotFound, object{"error": object{"code": "ResourceNotFound", "message": "not found"}}
	case call.method == http.MethodDelete:
		delete(f.commands, call.name)
		return http.StatusAccepted, nil
	}
	return http.StatusOK, known
}

func (a fakeAnswer) write(w http.ResponseWriter) {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	reply(w, a.status, a.body)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

// answer has the next request of a kind answered otherwise.
func (f *fakeARM) answer(kind string, a fakeAnswer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[kind] = append(f.answers[kind], a)
}

// put gives the virtual machine a command with a view.
func (f *fakeARM) put(name string, view object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commands[name] = object{"name": name, "properties": object{"source": object{"script": "#!/bin/sh\n"}, "instanceView": view}}
}

// names are those of the commands that are there.
func (f *fakeARM) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for name := range f.commands {
		names = append(names, name)
	}
	return names
}

// calls are the requests so far, without those for tokens.
func (f *fakeARM) calls() []fakeCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]fakeCall(nil), f.log...)
}

// said is what was asked, in short.
func (f *fakeARM) said() string {
	var words []string
	for _, c := range f.calls() {
		words = append(words, c.method+" "+c.what)
	}
	return strings.Join(words, ", ")
}

// forget empties the log.
func (f *fakeARM) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = nil
}

// connected is a provider of the fake ARM that knows where its virtual machine is.
func connected(t *testing.T, f *fakeARM) *provider {
	t.Helper()
	client, err := cloud.NewHTTPClient("", 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	p, err := newProvider(cloud.Config{
		Provider: Name, RequestTimeout: 10 * time.Second, HTTPClient: client, Limiter: cloud.Unlimited{},
		Values: cloud.Values{"tenant_id": "contoso.onmicrosoft.com", "client_id": fakeSubscription, "client_secret": fakeSecret,
			"subscription_id": fakeSubscription},
		Endpoints: map[string]string{"arm": f.URL, "login": f.URL},
	}, newMetadata())
	if err != nil {
		t.Fatal(err)
	}
	p.poll = time.Millisecond
	if _, known, err := p.find(t.Context(), fakeVM); err != nil || !known {
		t.Fatalf("%t, %v", known, err)
	}
	f.forget()
	return p
}
