package azureapi

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// maxRecords is how many run commands a VM can have.
const maxRecords = 25

// forEver is how long a command waits for an agent: Azure sets no limit.
const forEver = 10 * 365 * 24 * time.Hour

// recordName is a name on a server, in lower case.
type recordName struct{ server, name string }

// use is what a name has been used for.
type use struct {
	runs    int
	deleted bool
}

// record is a run command.
type record struct {
	server, name string
	body         commandBody
	// command is the model's id of what runs; empty where nothing does: there is no script, or the handler takes it for done.
	command string
	// made is when it was made or changed last, on the operation clock, and gone when its deletion ends; zero: it is not deleted.
	made, gone time.Time
	// latest is the operation that made, changed or deletes it.
	latest *operation
}

// listed are the records of a server that are still there. The caller holds the lock.
func (a *API) listed(server string) []*record {
	now := a.world.OperationNow()
	a.records[server] = slices.DeleteFunc(a.records[server], func(r *record) bool { return !r.gone.IsZero() && !now.Before(r.gone) })
	var out []*record
	for _, r := range a.records[server] {
		if !a.lost(r) {
			out = append(out, r)
		}
	}
	return out
}

// lost says whether a fault hides the record.
func (a *API) lost(r *record) bool {
	if r.command == "" {
		return false
	}
	_, ok := a.world.Invocation(r.command, r.server)
	return !ok
}

// record finds one by name, without case. The caller holds the lock.
func (a *API) record(server, name string) *record {
	for _, r := range a.listed(server) {
		if strings.EqualFold(r.name, name) {
			return r
		}
	}
	return nil
}

// use is what a name has been used for. The caller holds the lock.
func (a *API) use(server, name string) *use {
	id := recordName{server, strings.ToLower(name)}
	if a.names[id] == nil {
		a.names[id] = &use{}
	}
	return a.names[id]
}

// start hands a record's script to the world. The Linux handler takes a name that was deleted for one that it has run (Azure's own
// maintainers call that a bug). The caller holds the lock.
func (a *API) start(req *request, r *record) error {
	r.command = ""
	used := a.use(r.server, r.name)
	if used.deleted && !req.vm.IsWindows() || r.body.Properties.Source.Script == "" {
		return nil
	}
	used.runs++
	id := r.name
	if used.runs > 1 {
		id = fmt.Sprintf("%s#%d", strings.ToLower(r.name), used.runs)
	}
	interpreter := "shell"
	if req.vm.IsWindows() {
		interpreter = "powershell"
	}
	p := r.body.Properties
	environment, arguments := p.words(req.vm.IsWindows())
	c := model.Command{
		ID: id, ServerIDs: []string{r.server}, Interpreter: interpreter, Text: p.Source.Script, DeliveryTimeout: forEver,
		ExecutionTimeout: time.Duration(p.TimeoutInSeconds) * time.Second, Labels: map[string]string{"name": r.name},
		Environment: environment, Arguments: arguments, AnyAgent: true,
	}
	if err := a.world.StartCommand(req.exchange, c); err != nil {
		return err
	}
	r.command = id
	return nil
}
