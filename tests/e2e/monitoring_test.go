//go:build e2e && monitoring

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

const (
	monitoring = "../../examples/monitoring/"
	// seenWithin bounds what Prometheus is waited for: it scrapes and evaluates every second, and the engine looks at roles when Vault
	// tells it that a minute has passed.
	seenWithin = 2 * time.Minute
)

// prometheus is a real one that scrapes the env's Vault with the example's rules, whose alerts wait for no more than a second.
type prometheus struct{ url string }

// prometheusAnswer is what the API's query and alerts answer.
type prometheusAnswer struct {
	Data struct {
		Result []any
		Alerts []struct {
			State  string
			Labels map[string]string
		}
	}
}

func startPrometheus(t *testing.T, e *env, token string) prometheus {
	t.Helper()
	dir := t.TempDir()
	read := func(name string) string {
		raw, err := os.ReadFile(monitoring + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := strings.NewReplacer("30s", "1s", "scheme: https", "scheme: http",
		"vault.example.com:8200", strings.TrimPrefix(e.Address, "http://"),
		"/etc/prometheus/vault-token", write("token", token)).Replace(read("prometheus.yml"))
	rules := regexp.MustCompile(`for: \d+m`).ReplaceAllString(read("rules.yml"), "for: 1s")
	write("rules.yml", strings.Replace(rules, "cloudpw_late_seconds > 1800", "cloudpw_late_seconds > 5", 1))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "prometheus", "--config.file="+write("prometheus.yml", config),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	log := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // the test's context has ended it
		if t.Failed() {
			t.Logf("Prometheus says:\n%s", log)
		}
	})
	return prometheus{"http://" + address}
}

func (p prometheus) get(t *testing.T, path string) (got prometheusAnswer, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		return got, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return got, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return got, fmt.Errorf("%s: %s", path, resp.Status)
	}
	return got, json.NewDecoder(resp.Body).Decode(&got)
}

// has waits until a query has a result.
func (p prometheus) has(t *testing.T, query string) {
	t.Helper()
	harness.Eventually(t, seenWithin, "data of "+query, func() error {
		got, err := p.get(t, "/api/v1/query?query="+url.QueryEscape(query))
		if err == nil && len(got.Data.Result) == 0 {
			err = fmt.Errorf("no data")
		}
		return err
	})
}

// alert waits until an alert fires, or until it does not.
func (p prometheus) alert(t *testing.T, name string, fires bool) {
	t.Helper()
	harness.Eventually(t, seenWithin, fmt.Sprintf("alert %s fires: %v", name, fires), func() error {
		got, err := p.get(t, "/api/v1/alerts")
		if err != nil {
			return err
		}
		now := false
		for _, a := range got.Data.Alerts {
			now = now || a.Labels["alertname"] == name && a.State == "firing"
		}
		if now != fires {
			return fmt.Errorf("it fires: %v, of %v", now, got.Data.Alerts)
		}
		return nil
	})
}

// TestMonitoring: a real Prometheus scrapes a real Vault with the documented policy. Every panel of the dashboard has data, and
// alerts fire when their fault is there, and stop when it is mended.
func TestMonitoring(t *testing.T) {
	e := startRaft(t)
	e.connect(t, model.TencentCloud)
	e.role(t, "web", model.TencentCloud, "ubuntu-1", map[string]any{"mode": "static"})
	scraper := e.as(t, "metrics", `path "cloudpw/metrics" { capabilities = ["read"] }`)
	p := startPrometheus(t, e, scraper.Client.Token())
	e.Write(t, "cloudpw/rotate-role/web", map[string]any{"wait": "45s"})
	e.Read(t, "cloudpw/creds/web", "wait", "45s")

	raw, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) < 8 {
		t.Errorf("the dashboard has %d panels", len(dashboard.Panels))
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			p.has(t, strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"))
		}
	}

	alerts := []string{"CloudpwRotationsFail", "CloudpwConnectionBroken", "CloudpwRotationsLate"}
	for _, name := range append(alerts, "CloudpwDown", "CloudpwAccountsBraked", "CloudpwRoleLookupsFail", "CloudpwServersDrifted",
		"CloudpwCredentialEnds") {
		p.alert(t, name, false)
	}
	e.sim.Fault(t, model.Fault{Cloud: model.TencentCloud, Kind: model.FaultServerError})
	e.Write(t, "cloudpw/rotate-role/web", nil)
	for _, name := range alerts {
		p.alert(t, name, true)
	}
	if err := e.sim.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Write(t, "cloudpw/rotate-role/web", nil) // an operator who has mended the cause does not wait for the next try
	for _, name := range alerts {
		p.alert(t, name, false)
	}
	e.quietFaults(t, p)
	e.Seal(t)
	p.alert(t, "CloudpwDown", true)
	e.Unseal(t)
	p.alert(t, "CloudpwDown", false)
}

// quietFaults are those that keep no request from its answer: a server has another password, a cloud shows the operations of others,
// instances cannot be listed, and a credential ends soon.
func (e *env) quietFaults(t *testing.T, p prometheus) {
	t.Helper()
	faults := map[string]func(*testing.T) (mend func()){
		"CloudpwServersDrifted":  e.drifts,
		"CloudpwAccountsBraked":  e.isBraked,
		"CloudpwRoleLookupsFail": e.cannotLook,
		"CloudpwCredentialEnds":  e.credentialEnds,
	}
	var mends []func()
	for _, begin := range faults {
		mends = append(mends, begin(t))
	}
	for name := range faults {
		p.alert(t, name, true)
	}
	if err := e.sim.ClearFaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, mend := range mends {
		mend()
	}
	for name := range faults {
		p.alert(t, name, false)
	}
}

// watched writes a static role for a new Linux server and waits for its first password.
func (e *env) watched(t *testing.T, role string, more map[string]any) (server string) {
	t.Helper()
	account := e.sim.Info.Seeded[model.TencentCloud]
	added, err := e.sim.AddServer(t.Context(), model.Server{Cloud: model.TencentCloud, AccountID: account.AccountID, Region: account.Region,
		Name: role, Platform: model.Linux})
	if err != nil {
		t.Fatal(err)
	}
	e.Write(t, "cloudpw/roles/"+role, with(more, map[string]any{"connection": string(model.TencentCloud), "instance_ids": added.ID,
		"mode": "static", "min_reset_interval": 0}))
	e.rotates(t, role)
	return added.ID
}

// rotates has a role's accounts rotated and waits for it.
func (e *env) rotates(t *testing.T, role string) {
	t.Helper()
	e.Write(t, "cloudpw/rotate-role/"+role, map[string]any{"wait": "45s"})
	e.Read(t, "cloudpw/creds/"+role, "wait", "45s")
}

func (e *env) drifts(t *testing.T) func() {
	t.Helper()
	id := e.watched(t, "drifting", map[string]any{"reset_method": "command", "check_method": "command"})
	if err := e.sim.Do(t.Context(), http.MethodPut, "/v1/servers/"+id+"/login", map[string]string{"user": "root", "password": setInside},
		nil); err != nil {
		t.Fatal(err)
	}
	e.Write(t, "cloudpw/verify/drifting/"+id, map[string]any{"wait": "45s"})
	return func() { e.rotates(t, "drifting") }
}

func (e *env) isBraked(t *testing.T) func() {
	t.Helper()
	id := e.watched(t, "hidden", map[string]any{"force_stop": true})
	e.sim.Fault(t, model.Fault{Cloud: model.TencentCloud, Action: "ResetInstancesPassword", Instance: id, Kind: model.FaultForeign})
	harness.Eventually(t, seenWithin, "the account to be braked", func() error {
		secret, err := e.TryRead(t.Context(), "cloudpw/accounts/"+string(model.TencentCloud)+"/"+id+"/root")
		if err != nil {
			return err
		}
		if state := secret.Data["state"]; state != "braked" {
			e.Write(t, "cloudpw/rotate-role/hidden", nil) // somebody who does not wait for the next try
			return fmt.Errorf("it is %v", state)
		}
		return nil
	})
	return func() { e.rotates(t, "hidden") }
}

func (e *env) cannotLook(t *testing.T) func() {
	t.Helper()
	e.connect(t, model.AWS)
	role := map[string]any{"connection": string(model.AWS), "instance_ids": e.sim.ServerID(t, model.AWS, "windows-1"), "key": keyOf(model.AWS)}
	e.sim.Fault(t, model.Fault{Cloud: model.AWS, Action: "DescribeInstances", Kind: model.FaultServerError, Skip: 1}) // for the write
	e.Write(t, "cloudpw/roles/unseen", role)
	return func() { e.Write(t, "cloudpw/roles/unseen", role) }
}

func (e *env) credentialEnds(t *testing.T) func() {
	t.Helper()
	account, fields := e.sim.Info.Seeded[model.OpenStack], e.connection(model.OpenStack)
	ending := model.AppCredential{ID: strings.Repeat("e", 32), Name: "ending", Secret: "ends-s00n-secret", UserID: account.UserID,
		ProjectID: account.ProjectID, Expires: time.Now().Add(48 * time.Hour)}
	if err := e.sim.Do(t.Context(), http.MethodPost, "/v1/app-credentials", ending, nil); err != nil {
		t.Fatal(err)
	}
	e.Write(t, "cloudpw/config/ending", with(fields, map[string]any{"application_credential_id": ending.ID,
		"application_credential_secret": ending.Secret}))
	return func() { e.Write(t, "cloudpw/config/ending", fields) }
}
