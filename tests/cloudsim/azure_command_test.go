package cloudsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// object is a JSON object.
type object map[string]any

// azureCommand is a run command, as far as the tests look.
type azureCommand struct {
	Name, ID, Type, Location string
	Properties               struct {
		Source            struct{ Script string }
		TimeoutInSeconds  int
		ProvisioningState string
		InstanceView      *azureCommandView
	}
}

type azureCommandView struct {
	ExitCode                         int
	ExecutionState, ExecutionMessage string
	Output, Error                    string
	StartTime, EndTime               string
}

// script is a body that runs one.
func script(text string, protected ...string) object {
	properties := object{"asyncExecution": false, "treatFailureAsDeploymentFailure": false, "timeoutInSeconds": 120,
		"source": object{"script": text}}
	if len(protected) > 0 {
		properties["protectedParameters"] = []object{{"name": protected[0], "value": protected[1]}}
	}
	return object{"location": "westeurope", "properties": properties}
}

// handed is the script that sets a password on Linux, and the hash that it takes from its environment.
func handed(t *testing.T, user, password string, order int64) (text, hash string) {
	t.Helper()
	s, err := guest.Linux(guest.Change{Username: user, Secret: password, Order: order, NotAfter: time.Now().Add(10 * time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^hash='(.*)'$`)
	found := line.FindStringSubmatch(s.Text)
	if found == nil {
		t.Fatalf("no hash in %s", s.Text)
	}
	hash = found[1]
	return strings.Replace(s.Text, found[0], fmt.Sprintf("hash=${CLOUDPW_SEALED-}\ncase ${#hash}/$hash in '%d/$6$rounds=%s$'*) ;; *) "+
			"printf 'cloudpw: exit 79 the value did not arrive\\n' && exit 79 ;; esac", len(hash), strings.Split(hash, "$")[2][len("rounds="):]), 1),
		hash
}

func (e *azureEnv) put(t *testing.T, vm, name string, body any) azureAnswer {
	t.Helper()
	return e.send(t, http.MethodPut, e.command(vm, name), body)
}

func (e *azureEnv) show(t *testing.T, vm, name string) (out azureCommand) {
	t.Helper()
	e.send(t, http.MethodGet, e.command(vm, name)+"?$expand=instanceView", nil).into(t, &out)
	return out
}

// wait lets time pass until everything that is under way has come to its end.
func (e *azureEnv) wait() {
	for range 3 {
		e.advance(operationTime / 3)
	}
}

// login tries a password of azureuser.
func (e *azureEnv) login(vm, password string) bool {
	return e.sim.World().TryLogin(e.creds.Servers[vm], "azureuser", password)
}

// recorded is a form of Azure CLI's recording, written from its facts, with the simulator's names.
func (e *azureEnv) recorded(t *testing.T, name string, got []byte, want string) {
	t.Helper()
	want = strings.NewReplacer("ID", e.command("linux-1", "cmd"), "\n", "\r\n").Replace(want)
	if string(got) != want {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

// TestAzureRecordedForms holds the answers against those of the recording: of a command without a script, which shows for ever that it
// runs, of a change, and of a deletion.
func TestAzureRecordedForms(t *testing.T) {
	e := startAzure(t)
	created := e.put(t, "linux-1", "cmd", `{"location": "westeurope", "properties": {"source": {}, "asyncExecution": false}}`)
	const none = `{
  "name": "cmd",
  "id": "ID",
  "type": "Microsoft.Compute/virtualMachines/runCommands",
  "location": "westeurope",
  "properties": {
    "source": {},
    "timeoutInSeconds": 0,
    "provisioningState": "Creating",
    "asyncExecution": false
  }
}`
	e.recorded(t, "created", created.body, none)
	if created.status != http.StatusCreated || created.header.Get("Azure-AsyncNotification") != "Enabled" ||
		created.header.Get("X-Ms-Ratelimit-Remaining-Resource") == "" ||
		created.header.Get("X-Ms-Ratelimit-Remaining-Subscription-Writes") != "199" || created.header.Get("Retry-After") != "" {
		t.Errorf("%d %v", created.status, created.header)
	}
	operation := created.header.Get("Azure-AsyncOperation")
	form := regexp.MustCompile(`^http://[^/]+/subscriptions/[^/]+/providers/Microsoft\.Compute/locations/westeurope/operations/[0-9a-f-]{36}` +
		`\?p=[0-9a-f-]{36}&api-version=2023-03-01$`)
	if !form.MatchString(operation) {
		t.Errorf("operation %q", operation)
	}
	e.wait()
	e.recorded(t, "shown", e.send(t, http.MethodGet, e.command("linux-1", "cmd"), nil).body, strings.Replace(none, "Creating", "Succeeded", 1))
	v := e.show(t, "linux-1", "cmd").Properties.InstanceView
	if v.ExecutionState != "Running" || v.EndTime == "" || v.StartTime != v.EndTime || v.ExitCode != 0 || v.ExecutionMessage !=
		"Execution failed: failed to get configuration: invalid configuration: Either 'source.script' or 'source.scriptUri' has to be specified" {
		t.Errorf("%+v", v)
	}
	changed := e.send(t, http.MethodPatch, e.command("linux-1", "cmd"), `{"properties": {"source": {"script": "script1"}, "parameters": `+
		`[{"name": "arg1", "value": "f1"}], "asyncExecution": false, "runAsUser": "user1", "timeoutInSeconds": 3600}}`)
	e.recorded(t, "changed", changed.body, `{
  "name": "cmd",
  "id": "ID",
  "type": "Microsoft.Compute/virtualMachines/runCommands",
  "location": "westeurope",
  "properties": {
    "source": {
      "script": "script1"
    },
    "parameters": [
      {
        "name": "arg1",
        "value": "f1"
      }
    ],
    "runAsUser": "user1",
    "timeoutInSeconds": 3600,
    "provisioningState": "Updating",
    "asyncExecution": false
  }
}`)
	if changed.status != http.StatusOK || changed.header.Get("Azure-AsyncOperation") == "" {
		t.Errorf("%d %v", changed.status, changed.header)
	}
	e.wait()
	deleted := e.send(t, http.MethodDelete, e.command("linux-1", "cmd"), nil)
	if deleted.status != http.StatusAccepted || len(deleted.body) > 0 ||
		!strings.Contains(deleted.header.Get("Location"), "&monitor=true&api-version=") ||
		deleted.header.Get("Azure-AsyncOperation") == "" || deleted.header.Get("X-Ms-Ratelimit-Remaining-Subscription-Deletes") != "199" {
		t.Errorf("%d %v %s", deleted.status, deleted.header, deleted.body)
	}
	e.wait()
	empty := e.send(t, http.MethodGet, e.vm("linux-1")+"/runCommands", nil)
	e.recorded(t, "nothing", empty.body, "{\n  \"value\": []\n}")
}

// TestAzureSetsPasswords sets one on Linux, whose hash is a protected parameter, and one on Windows.
func TestAzureSetsPasswords(t *testing.T) {
	e := startAzure(t)
	text, hash := handed(t, "azureuser", "Linux-secret-1", 1)
	answer := e.put(t, "linux-1", "cloudpw-1", script(text, "CLOUDPW_SEALED", hash))
	answer.expect(t, "PUT", http.StatusCreated, "")
	if v := e.show(t, "linux-1", "cloudpw-1").Properties.InstanceView; v.ExecutionState != "Pending" || v.EndTime != "" {
		t.Errorf("%+v", v)
	}
	e.advance(operationTime / 3)
	if v := e.show(t, "linux-1", "cloudpw-1").Properties.InstanceView; v.ExecutionState != "Running" ||
		v.ExecutionMessage != "Execution in progress" || v.StartTime == "" || v.EndTime != "" {
		t.Errorf("%+v", v)
	}
	e.wait()
	got := e.show(t, "LINUX-1", "CLOUDPW-1")
	v := got.Properties.InstanceView
	if got.Name != "cloudpw-1" || v.ExecutionState != "Succeeded" || v.ExecutionMessage != "Execution completed" || v.ExitCode != 0 ||
		!strings.Contains(v.Output, "cloudpw: exit 0 password set") || v.EndTime == "" || got.Properties.ProvisioningState != "Succeeded" {
		t.Errorf("%+v", got)
	}
	if !e.login("linux-1", "Linux-secret-1") {
		t.Error("the password was not set")
	}
	for _, path := range []string{e.command("linux-1", "cloudpw-1"), e.vm("linux-1") + "/runCommands"} {
		for _, query := range []string{"", "?$expand=instanceView"} {
			body := string(e.send(t, http.MethodGet, path+query, nil).body)
			if strings.Contains(body, hash) || strings.Contains(body, "protectedParameters") ||
				query == "" == strings.Contains(body, "instanceView") {
				t.Errorf("%s%s: %s", path, query, body)
			}
		}
	}
	if bytesContain(answer.body, hash) {
		t.Error("the answer has the protected parameter")
	}

	e.put(t, "windows-1", "cloudpw-look-1", script(guest.WindowsPrepare().Text))
	e.wait()
	key, err := guest.ParsePublicKey(e.show(t, "windows-1", "cloudpw-look-1").Properties.InstanceView.Output)
	if err != nil {
		t.Fatal(err)
	}
	set, err := guest.WindowsSet(guest.Change{Username: "azureuser", Secret: "Windows-secret-1", Order: 1,
		NotAfter: time.Now().Add(10 * time.Minute)}, key)
	if err != nil {
		t.Fatal(err)
	}
	e.put(t, "windows-1", "cloudpw-1", script(set.Text))
	e.wait()
	if v := e.show(t, "windows-1", "cloudpw-1").Properties.InstanceView; v.ExitCode != 0 || !e.login("windows-1", "Windows-secret-1") {
		t.Errorf("%+v", v)
	}
}

func bytesContain(body []byte, text string) bool { return strings.Contains(string(body), text) }

// TestAzureHandsValuesOver shows what the script says to a value that does not arrive whole.
func TestAzureHandsValuesOver(t *testing.T) {
	e := startAzure(t, noLimits)
	text, hash := handed(t, "azureuser", "secret", 1)
	for name, c := range map[string]struct {
		parameter, value string
		code             int
	}{
		"whole":            {"CLOUDPW_SEALED", hash, 0},
		"another name":     {"CLOUDPW_OTHER", hash, 79},
		"no name":          {"", hash, 79},
		"empty":            {"CLOUDPW_SEALED", "", 79},
		"through a shell":  {"CLOUDPW_SEALED", strings.ReplaceAll(hash, "$6$rounds", "=20000"), 79},
		"cut":              {"CLOUDPW_SEALED", hash[:len(hash)-1], 79},
		"longer":           {"CLOUDPW_SEALED", hash + "x", 79},
		"of another kind":  {"CLOUDPW_SEALED", "$5" + hash[2:], 79},
		"another path":     {"PATH", "/bin", 79},
		"another's script": {"ENV", "/etc/profile", 79},
	} {
		id := "c-" + strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", "")
		e.put(t, "linux-1", id, script(text, c.parameter, c.value)).expect(t, name, http.StatusCreated, "")
		e.wait()
		v := e.show(t, "linux-1", id).Properties.InstanceView
		if v.ExitCode != c.code || c.code != 0 && v.Output != "cloudpw: exit 79 the value did not arrive\n" {
			t.Errorf("%s: %+v", name, v)
		}
		e.send(t, http.MethodDelete, e.command("linux-1", id), nil)
	}
	// What was handed over is in the history, where tests look for clear passwords.
	history := e.sim.World().Invocations(nil)
	if text, err := json.Marshal(history); err != nil || !bytesContain(text, hash[:10]) {
		t.Errorf("%v: %s", err, text)
	}
	e.put(t, "windows-1", "w", script("exit 0", "CLOUDPW_SEALED", "x"))
	last := e.sim.World().Invocations(func(i model.Invocation) bool { return i.CommandID == "w" })
	if len(last) != 1 || strings.Join(last[0].Arguments, " ") != "-CLOUDPW_SEALED x" || last[0].Interpreter != "powershell" ||
		len(last[0].Environment) > 0 {
		t.Errorf("%+v", last)
	}
}
