// Package adminapi serves the control API of the cloud simulator: it makes
// and changes servers, injects faults, moves the operation clock and shows
// what happened. Client is its Go client. A server's name stands for its id, if only one has it.
//
// Whoever can reach it owns the simulated clouds; it shows passwords.
package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Options are what the API needs beside the world.
type Options struct {
	World *model.World
	// SSHAddr returns a server's SSH address.
	SSHAddr func(id string) (string, error)
	// Info is what GET /v1/info answers: endpoints and the like.
	Info func() any
	// RevokeTokens makes a cloud forget its tokens and returns how many there were.
	RevokeTokens func(model.Cloud) int
}

// Duration is a time.Duration that reads "1.5s" from JSON.
type Duration time.Duration

// UnmarshalJSON reads a duration in Go's form.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf(`a duration is a string like "200ms": %w`, err)
	}
	v, err := time.ParseDuration(text)
	*d = Duration(v)
	if err != nil {
		return fmt.Errorf("duration: %w", err)
	}
	return nil
}

// MarshalJSON writes a duration in Go's form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// Server is a model.Server with what the API adds.
type Server struct {
	model.Server
	ReadyAfter Duration `json:"ready_after,omitempty"`
	// SSHAddr is host:port of the server's SSH port.
	SSHAddr string `json:"ssh_addr,omitempty"`
}

// Fault is a model.Fault with a readable delay.
type Fault struct {
	model.Fault
	Delay Duration `json:"delay,omitempty"`
}

// Rebuild is model.RebuildOptions with a readable delay.
type Rebuild struct {
	model.RebuildOptions
	ReadyAfter Duration `json:"ready_after,omitempty"`
}

type api struct{ Options }

// statusError carries an HTTP status.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }

// New makes the handler.
func New(o Options) http.Handler {
	a := &api{o}
	m := http.NewServeMux()
	for pattern, h := range map[string]func(*http.Request) (any, error){
		"GET /v1/info":                         func(*http.Request) (any, error) { return a.Info(), nil },
		"GET /v1/servers":                      a.listServers,
		"POST /v1/servers":                     a.addServer,
		"GET /v1/servers/{id}":                 a.getServer,
		"DELETE /v1/servers/{id}":              a.deleteServer,
		"POST /v1/servers/{id}/stop":           a.onServer(a.World.Stop),
		"POST /v1/servers/{id}/start":          a.onServer(a.World.Start),
		"POST /v1/servers/{id}/release":        a.release,
		"POST /v1/servers/{id}/overwrite":      a.overwrite,
		"PUT /v1/servers/{id}/state":           a.setState,
		"PUT /v1/servers/{id}/tags":            a.setTags,
		"PUT /v1/servers/{id}/login":           a.setLogin,
		"DELETE /v1/servers/{id}/login/{user}": a.removeLogin,
		"GET /v1/servers/{id}/attempts":        a.attempts,
		"PUT /v1/servers/{id}/guest":           a.setGuest,
		"DELETE /v1/servers/{id}/guest-key":    a.onServer(a.World.DeleteGuestKey),
		"GET /v1/servers/{id}/commands":        a.commands,
		"POST /v1/servers/{id}/run-again":      a.runAgain,
		"POST /v1/servers/{id}/snapshots":      a.snapshot,
		"POST /v1/servers/{id}/rebuild":        a.rebuild,

		"POST /v1/servers/{id}/snapshots/{snapshot}/restore": a.restoreSnapshot,

		"GET /v1/log":                         a.log,
		"GET /v1/stats":                       func(*http.Request) (any, error) { return a.World.Stats(), nil },
		"POST /v1/mark":                       a.mark,
		"GET /v1/faults":                      a.listFaults,
		"POST /v1/faults":                     a.addFault,
		"DELETE /v1/faults":                   a.clearFaults,
		"DELETE /v1/faults/{id}":              a.removeFault,
		"POST /v1/holds/release":              a.releaseHolds,
		"POST /v1/advance":                    a.advance,
		"POST /v1/accounts":                   add(a.World.AddAccount),
		"POST /v1/projects":                   add(a.World.AddProject),
		"POST /v1/users":                      add(a.World.AddUser),
		"POST /v1/roles":                      add(a.World.AddRole),
		"POST /v1/agencies":                   add(a.World.AddAgency),
		"DELETE /v1/agencies/{cloud}/{id}":    a.deleteAgency,
		"POST /v1/access-keys":                add(a.World.AddAccessKey),
		"POST /v1/app-credentials":            add(a.World.AddAppCredential),
		"POST /v1/federated-identities":       add(a.World.AddFederatedIdentity),
		"POST /v1/assertions":                 a.assert,
		"POST /v1/tokens/revoke":              a.revokeTokens,
		"POST /v1/key-pairs":                  a.addKeyPair,
		"PUT /v1/access-keys/{cloud}/{id}":    a.changeKey,
		"DELETE /v1/access-keys/{cloud}/{id}": a.deleteKey,
	} {
		if strings.Contains(pattern, "/servers/{id}") {
			h = a.named(h)
		}
		m.HandleFunc(pattern, serve(h))
	}
	return m
}

// named lets a server's name stand for its id in the path.
func (a *api) named(h func(*http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		id, err := a.serverID(r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		r.SetPathValue("id", id)
		return h(r)
	}
}

// serverID is the id of the server that people mean by an id or a name. What is neither stays as it is. Several servers may have one name.
func (a *api) serverID(text string) (string, error) {
	if _, ok := a.World.Server(text); ok || text == "" {
		return text, nil
	}
	var ids []string
	for _, s := range a.World.Servers(func(s model.Server) bool { return s.Name == text }) {
		ids = append(ids, s.ID)
	}
	switch len(ids) {
	case 0:
		return text, nil
	case 1:
		return ids[0], nil
	default:
		return "", fmt.Errorf("several servers have the name %q; use the id of one of them: %s", text, strings.Join(ids, ", "))
	}
}

// serve turns a function into a handler that answers JSON.
func serve(h func(*http.Request) (any, error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		out, err := h(r)
		status := http.StatusOK
		if err != nil {
			status = http.StatusBadRequest
			if se := new(statusError); errors.As(err, &se) {
				status = se.status
			} else if errors.Is(err, model.ErrNoServer) || errors.Is(err, model.ErrNoSnapshot) {
				status = http.StatusNotFound
			} else if errors.Is(err, model.ErrBusy) || errors.Is(err, model.ErrState) {
				status = http.StatusConflict
			}
			out = map[string]string{"error": err.Error()}
		}
		if out == nil {
			out = map[string]string{}
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_ = json.NewEncoder(rw).Encode(out) // the client is gone
	}
}

// read decodes a request's body strictly.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

// add makes a handler that adds what it reads.
func add[T any](f func(T) T) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var v T
		if err := read(r, &v); err != nil {
			return nil, err
		}
		return f(v), nil
	}
}

func (a *api) listServers(r *http.Request) (any, error) {
	cloud := model.Cloud(r.URL.Query().Get("cloud"))
	out := []Server{}
	for _, s := range a.World.Servers(func(s model.Server) bool { return cloud == "" || s.Cloud == cloud }) {
		out = append(out, Server{Server: s, ReadyAfter: Duration(s.ReadyAfter)})
	}
	return out, nil
}

func (a *api) addServer(r *http.Request) (any, error) {
	var in Server
	if err := read(r, &in); err != nil {
		return nil, err
	}
	in.Server.ReadyAfter = time.Duration(in.ReadyAfter)
	s, err := a.World.AddServer(in.Server)
	if err != nil {
		return nil, err
	}
	return a.show(s.ID)
}

func (a *api) getServer(r *http.Request) (any, error) { return a.show(r.PathValue("id")) }

// show is a server with its SSH address.
func (a *api) show(id string) (any, error) {
	s, ok := a.World.Server(id)
	if !ok {
		return nil, fmt.Errorf("server %q: %w", id, model.ErrNoServer)
	}
	addr, err := a.SSHAddr(id)
	if err != nil {
		return nil, err
	}
	return Server{Server: s, ReadyAfter: Duration(s.ReadyAfter), SSHAddr: addr}, nil
}

// deleteServer terminates a server as its cloud does: EC2 shows it for a
// while, the others forget it. ?forget=true removes it in any case.
func (a *api) deleteServer(r *http.Request) (any, error) {
	id := r.PathValue("id")
	s, _ := a.World.Server(id)
	if s.Cloud == model.AWS && r.URL.Query().Get("forget") != "true" {
		return nil, a.World.Terminate(id)
	}
	return nil, a.World.Remove(id)
}

func (a *api) onServer(f func(string) error) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) { return nil, f(r.PathValue("id")) }
}

func (a *api) release(r *http.Request) (any, error) {
	released, err := a.World.Release(r.PathValue("id"))
	return map[string]bool{"released": released}, err
}

func (a *api) overwrite(r *http.Request) (any, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return nil, a.World.Overwrite(r.PathValue("id"), in.Name)
}

func (a *api) setState(r *http.Request) (any, error) {
	var in struct {
		State model.State `json:"state"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return nil, a.World.SetState(r.PathValue("id"), in.State)
}

func (a *api) setTags(r *http.Request) (any, error) {
	var in map[string]string
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return nil, a.World.SetTags(r.PathValue("id"), in)
}

func (a *api) setLogin(r *http.Request) (any, error) {
	var in struct {
		User     string `json:"user"`
		Password string `json:"password"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return nil, a.World.SetLogin(r.PathValue("id"), in.User, in.Password)
}

func (a *api) removeLogin(r *http.Request) (any, error) {
	return nil, a.World.RemoveLogin(r.PathValue("id"), r.PathValue("user"))
}

func (a *api) snapshot(r *http.Request) (any, error) {
	return a.World.Snapshot(r.PathValue("id"), "")
}

func (a *api) restoreSnapshot(r *http.Request) (any, error) {
	return nil, a.World.RestoreSnapshot(r.PathValue("id"), r.PathValue("snapshot"))
}

// rebuild gives a server a new system disk under its old id.
func (a *api) rebuild(r *http.Request) (any, error) {
	var in Rebuild
	if err := read(r, &in); err != nil {
		return nil, err
	}
	in.RebuildOptions.ReadyAfter = time.Duration(in.ReadyAfter)
	if err := a.World.Rebuild(r.PathValue("id"), in.RebuildOptions); err != nil {
		return nil, err
	}
	return a.show(r.PathValue("id"))
}

func (a *api) attempts(r *http.Request) (any, error) {
	return a.World.Attempts(r.PathValue("id")), nil
}

func (a *api) setGuest(r *http.Request) (any, error) {
	var in model.Guest
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return nil, a.World.SetGuest(r.PathValue("id"), in)
}

// commands is the history of commands on a server.
func (a *api) commands(r *http.Request) (any, error) {
	id := r.PathValue("id")
	return a.World.Invocations(func(i model.Invocation) bool { return i.ServerID == id }), nil
}

// runAgain lets a server's agent run the commands again whose records are still there. The records do not change, unless
// ?report=true says that they do.
func (a *api) runAgain(r *http.Request) (any, error) {
	n, err := a.World.RunAgain(r.PathValue("id"), r.URL.Query().Get("report") == "true")
	return map[string]int{"commands": n}, err
}

func (a *api) log(r *http.Request) (any, error) {
	after, err := strconv.Atoi("0" + r.URL.Query().Get("after"))
	if err != nil {
		return nil, errors.New("after: must be a number")
	}
	out := []model.Entry{}
	service, action := r.URL.Query().Get("service"), r.URL.Query().Get("action")
	for _, e := range a.World.Log(after) {
		if (service == "" || strings.EqualFold(service, e.Service)) && (action == "" || strings.EqualFold(action, e.Action)) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (a *api) mark(*http.Request) (any, error) {
	return map[string]bool{"in_flight": a.World.Mark()}, nil
}

func (a *api) listFaults(*http.Request) (any, error) {
	out := []Fault{}
	for _, f := range a.World.Faults() {
		out = append(out, Fault{Fault: f, Delay: Duration(f.Delay)})
	}
	return out, nil
}

func (a *api) addFault(r *http.Request) (any, error) {
	var in Fault
	if err := read(r, &in); err != nil {
		return nil, err
	}
	in.Fault.Delay = time.Duration(in.Delay)
	var err error
	if in.Instance, err = a.serverID(in.Instance); err != nil {
		return nil, err
	}
	id, err := a.World.AddFault(in.Fault)
	return map[string]int{"id": id}, err
}

func (a *api) clearFaults(*http.Request) (any, error) {
	a.World.ClearFaults()
	return nil, nil
}

func (a *api) removeFault(r *http.Request) (any, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || !a.World.RemoveFault(id) {
		return nil, &statusError{http.StatusNotFound, fmt.Errorf("fault %q does not exist", r.PathValue("id"))}
	}
	return nil, nil
}

func (a *api) releaseHolds(*http.Request) (any, error) {
	return map[string]int{"released": a.World.ReleaseHolds()}, nil
}

func (a *api) advance(r *http.Request) (any, error) {
	var in struct {
		Duration Duration `json:"duration"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	a.World.Advance(time.Duration(in.Duration))
	return nil, nil
}

// assert signs a token of another issuer than Azure, such as a cluster's for a pod.
func (a *api) assert(r *http.Request) (any, error) {
	var in model.Assertion
	if err := read(r, &in); err != nil {
		return nil, err
	}
	token, err := a.World.Assert(in)
	return map[string]string{"assertion": token}, err
}

func (a *api) revokeTokens(r *http.Request) (any, error) {
	var in struct {
		Cloud model.Cloud `json:"cloud"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	return map[string]int{"revoked": a.RevokeTokens(in.Cloud)}, nil
}

func (a *api) addKeyPair(r *http.Request) (any, error) {
	var in struct {
		model.KeyPair
		// PEM is the private or public key; empty lets the cloud make a pair.
		PEM  string `json:"pem"`
		Bits int    `json:"bits"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.PEM != "" {
		return a.World.ImportPEM(in.KeyPair, in.PEM)
	}
	if in.Bits == 0 {
		in.Bits = 2048
	}
	pair, private, err := a.World.CreateKeyPair(in.KeyPair, in.Bits)
	return struct {
		model.KeyPair
		PrivateKey string `json:"private_key"`
	}{pair, private}, err
}

func (a *api) changeKey(r *http.Request) (any, error) {
	var in struct {
		Inactive bool     `json:"inactive"`
		Deny     []string `json:"deny"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	cloud, id := model.Cloud(r.PathValue("cloud")), r.PathValue("id")
	known, err := a.World.Deny(cloud, id, in.Deny)
	if err == nil && !known {
		err = &statusError{http.StatusNotFound, fmt.Errorf("access key %q does not exist", id)}
	}
	if err != nil {
		return nil, err
	}
	a.World.SetAccessKeyInactive(cloud, id, in.Inactive)
	return nil, nil
}

func (a *api) deleteAgency(r *http.Request) (any, error) {
	if id := r.PathValue("id"); !a.World.RemoveAgency(model.Cloud(r.PathValue("cloud")), id) {
		return nil, &statusError{http.StatusNotFound, fmt.Errorf("agency %q does not exist", id)}
	}
	return nil, nil
}

func (a *api) deleteKey(r *http.Request) (any, error) {
	if id := r.PathValue("id"); !a.World.DeleteAccessKey(model.Cloud(r.PathValue("cloud")), id) {
		return nil, &statusError{http.StatusNotFound, fmt.Errorf("access key %q does not exist", id)}
	}
	return nil, nil
}
