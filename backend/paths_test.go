package backend

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

func textOf(v any) string { return fmt.Sprintf("%v", v) }

// sampleCampaign is in the sample of campaigns/.
const sampleCampaign = "mfzwizdj"

// samplePaths is one request path for each pattern.
func samplePaths() map[string]string {
	n := func(name string) string { return framework.GenericNameRegex(name) }
	user := "(?P<username>" + request.UsernamePattern + ")"
	samples := map[string]string{
		"config/?$":                      "config",
		"config/" + n("name") + "$":      "config/prod",
		"keys/?$":                        "keys",
		"keys/" + n("name") + "$":        "keys/k",
		"roles/?$":                       "roles",
		"roles/" + n("name") + "$":       "roles/web",
		"instances/" + n("role") + "/?$": "instances/web",
		"creds/" + n("role") + "$":       "creds/web",
		"creds/" + n("role") + "/" + n("instance_id") + "$":       "creds/web/srv-1",
		"rotate-role/" + n("role") + "$":                          "rotate-role/web",
		"rotate-role/" + n("role") + "/" + n("instance_id") + "$": "rotate-role/web/srv-1",
		"accounts/?$":                         "accounts",
		"accounts/" + n("connection") + "/?$": "accounts/prod",
		"accounts/" + n("connection") + "/" + n("instance_id") + "/?$":            "accounts/prod/srv-1",
		"accounts/" + n("connection") + "/" + n("instance_id") + "/" + user + "$": "accounts/prod/srv-1/root",
		versionsPrefix + accountPath + "/?$":                                      "versions/prod/srv-1/root",
		versionsPrefix + accountPath + "/" + versionCapture + "$":                 "versions/prod/srv-1/root/1",
		versionsPrefix + accountPath + "/" + versionCapture + "/restore$":         "versions/prod/srv-1/root/1/restore",
		importPrefix + accountPath + "$":                                          "import/prod/srv-1/root",
		rereadPrefix + accountPath + "$":                                          "reread/prod/srv-1/root",
		"rotate-connection/" + n("name") + "$":                                    "rotate-connection/prod",
		"rotate-reader$":                                                          "rotate-reader",
		"verify/" + n("role") + "$":                                               "verify/web",
		"verify/" + n("role") + "/" + n("instance_id") + "$":                      "verify/web/srv-1",
		"verify-connection/" + n("name") + "$":                                    "verify-connection/prod",
		"check/" + n("name") + "$":                                                "check/prod",
		"rotate-root/" + n("name") + "$":                                          "rotate-root/prod",
		"discover/" + n("connection") + "/?$":                                     "discover/prod",
		connection.PlacePrefix + n("name") + "$":                                  "place/prod",
		"hosts/$":                                                                 "hosts/",
		"hosts$":                                                                  "hosts",
		"hosts/" + n("name") + "$":                                                "hosts/web-1",
		"host-key/" + n("name") + "$":                                             "host-key/web-1",
		"campaigns/?$":                                                            "campaigns",
		"campaigns/" + n("id") + "$":                                              "campaigns/" + sampleCampaign,
		"report$":                                                                 "report",
		"status$":                                                                 "status",
		"metrics$":                                                                "metrics",
		"accounts/" + movePath + "/move$":                                         "accounts/prod/srv-1/root/move",
		"take-over/" + n("role") + "$":                                            "take-over/web",
	}
	anchored := map[string]string{}
	for pattern, path := range samples {
		anchored[pattern] = path
		anchored["^"+pattern] = path // the framework anchors patterns at its first request
	}
	return anchored
}

func TestEveryPatternHasASample(t *testing.T) {
	h := newHarness(t)
	for _, p := range h.Paths {
		if samplePaths()[p.Pattern] == "" {
			t.Errorf("pattern %s has no sample path", p.Pattern)
		}
	}
}

func TestPathsMatchExactlyOnce(t *testing.T) {
	h := newHarness(t)
	for path, want := range map[string]int{
		"config": 1, "config/": 1, "config/prod": 1, "config/a.b-c_d": 1, "config/a/b": 0, "config/-a": 0, "config/a-": 0,
		"keys": 1, "keys/": 1, "keys/k": 1, "keys/k/": 0,
		"roles": 1, "roles/": 1, "roles/web": 1, "roles/web/x": 0,
		"instances/web": 1, "instances/web/": 1, "instances": 0, "instances/": 0,
		"creds/web": 1, "creds/web/": 0, "creds/web/i-0123456789abcdef0": 1, "creds/web/a/b": 0, "creds": 0, "creds/": 0,
		"creds/web/5f4c2f1e-0000-4000-8000-1234567890ab": 1,
		"rotate-role/web": 1, "rotate-role/web/ins-abcd1234": 1, "rotate-role": 0,
		"accounts": 1, "accounts/": 1, "accounts/prod": 1, "accounts/prod/": 1, "accounts/prod/i-1": 1, "accounts/prod/i-1/": 1,
		"accounts/prod/i-1/Administrator": 1, "accounts/prod/i-1/svc$": 1, "accounts/prod/i-1/a.b-c": 1,
		"accounts/prod/i-1/root/": 0, `accounts/prod/i-1/CORP\x`: 0, "accounts/prod/i-1/-x": 1,
		"accounts/prod/i-1/Build User": 1, "accounts/prod/i-1/Администратор": 1, "versions/prod/i-1/Build User/": 1,
		"versions/prod/i-1/Администратор/3/restore": 1,
		"import/prod/i-1/Administratör":             1, "accounts/prod/i-1/@builtin-administrator": 1, "versions/prod/i-1/O'Brien/1": 1,
		"versions": 0, "versions/": 0, "versions/prod": 0, "versions/prod/i-1": 0, "versions/prod/i-1/root": 1, "versions/prod/i-1/root/": 1,
		"versions/prod/i-1/svc$/": 1, "versions/prod/i-1/root/1": 1, "versions/prod/i-1/root/999999999": 1,
		"versions/prod/i-1/root/1000000000": 0,
		"versions/prod/i-1/root/0":          0, "versions/prod/i-1/root/01": 0, "versions/prod/i-1/root/-1": 0, "versions/prod/i-1/root/1/": 0,
		"versions/prod/i-1/root/1/restore": 1, "versions/prod/i-1/root/restore": 0, "versions/prod/i-1/root/1/restore/": 0,
		"versions/prod/i-1/7/7": 1, "import": 0, "import/prod/i-1": 0, "import/prod/i-1/root": 1, "import/prod/i-1/root/": 0,
		`import/prod/i-1/CORP\x`: 0, "reread": 0, "reread/prod/i-1": 0, "reread/prod/i-1/root": 1, "reread/prod/i-1/root/": 0,
		"rotate-connection/prod": 1, "rotate-connection/prod/": 0, "rotate-connection": 0, "rotate-connection/a/b": 0,
		"rotate-reader": 1, "rotate-reader/": 0, "rotate-reader/a": 0,
		"verify/web": 1, "verify/web/i-1": 1, "verify": 0, "verify/web/": 0, "verify/web/i-1/x": 0, "verify-connection/prod": 1,
		"verify-connection": 0,
		"check/prod":        1, "check/prod/": 0, "check": 0, "rotate-root/prod": 1, "rotate-root/": 0, "rotate-root/a/b": 0,
		"discover/prod": 1, "discover/prod/": 1, "discover": 0, "discover/a/b": 0,
		"place/prod": 1, "place/prod/": 0, "place": 0, "place/a/b": 0,
		"status": 1, "status/": 0, "": 0, "report": 1, "report/": 0, "report/x": 0, "metrics": 1, "metrics/": 0,
		"accounts/prod/i-1/root/move": 1, "accounts/prod/i-1/move": 1, "accounts/prod/i-1/root/move/": 0, "accounts/prod/i-1/move/move": 1,
		"campaigns": 1, "campaigns/": 1, "campaigns/mfzwizdj": 1, "campaigns/mfzwizdj/": 0, "campaigns/a/b": 0,
		"hosts": 1, "hosts/": 1, "hosts/web-1": 1, "hosts/web-1/": 0, "hosts/a/b": 0, "host-key": 0, "host-key/": 0, "host-key/web-1": 1,
		"host-key/a/b": 0, "take-over/web": 1, "take-over/": 0, "take-over/a/b": 0,
	} {
		matches := 0
		for _, p := range h.Paths {
			if regexp.MustCompile("^" + strings.TrimPrefix(p.Pattern, "^")).MatchString(path) {
				matches++
			}
		}
		if matches != want {
			t.Errorf("%q matches %d patterns, want %d", path, matches, want)
		}
	}
}

func TestPathsAreDocumented(t *testing.T) {
	h := newHarness(t)
	ids, synopses := map[string]string{}, map[string]string{}
	for _, p := range h.Paths {
		if p.HelpSynopsis == "" || p.HelpDescription == "" || p.DisplayAttrs == nil || p.DisplayAttrs.OperationPrefix != "cloudpw" ||
			p.DisplayAttrs.OperationSuffix == "" {
			t.Errorf("%s: help or display attributes are missing", p.Pattern)
		}
		if other, taken := synopses[p.HelpSynopsis]; taken {
			t.Errorf("%s and %s have the same synopsis", p.Pattern, other)
		}
		synopses[p.HelpSynopsis] = p.Pattern
		for name, f := range p.Fields {
			if f.Description == "" {
				t.Errorf("%s: field %s has no description", p.Pattern, name)
			}
			if !request.InURL(p, name) && !f.Query && f.DisplayAttrs == nil {
				t.Errorf("%s: field %s has no display attributes", p.Pattern, name)
			}
		}
		for op, handler := range p.Operations {
			props := handler.Properties()
			if props.Summary == "" || props.Description == "" || len(props.Responses) == 0 {
				t.Errorf("%s %s: summary, description or responses are missing", op, p.Pattern)
			}
			for status, responses := range props.Responses {
				for _, r := range responses {
					if r.Description == "" || op == logical.ReadOperation && len(r.Fields) == 0 && r.MediaType == "" {
						t.Errorf("%s %s: response %d is not described", op, p.Pattern, status)
					}
					for name, f := range r.Fields {
						if f.Description == "" {
							t.Errorf("%s %s: response field %s has no description", op, p.Pattern, name)
						}
					}
				}
			}
			if op == logical.CreateOperation {
				continue
			}
			suffix, verb := p.DisplayAttrs.OperationSuffix, p.DisplayAttrs.OperationVerb
			if d := props.DisplayAttrs; d != nil {
				verb += d.OperationVerb
			}
			id := fmt.Sprintf("%s-%s-%s", op, verb, suffix)
			if other, taken := ids[id]; taken {
				t.Errorf("%s and %s have the same operation id %s", p.Pattern, other, id)
			}
			ids[id] = p.Pattern
		}
	}
}

func TestPathHelp(t *testing.T) {
	h := newHarness(t)
	for _, path := range append([]string{""}, valuesOf(samplePaths())...) {
		resp, err := h.HandleRequest(t.Context(), &logical.Request{Operation: logical.HelpOperation, Path: path, Storage: h.storage})
		if err != nil {
			t.Fatalf("path-help %q: %v", path, err)
		}
		text, _ := resp.Data["help"].(string)
		if len(text) < 100 || strings.Contains(text, "<no ") {
			t.Errorf("path-help %q: %s", path, text)
		}
		if resp.Data["openapi"] == nil {
			t.Errorf("path-help %q has no OpenAPI document", path)
		}
	}
}

func valuesOf(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// replicated is a node that may not write.
type replicated struct {
	logical.SystemView
	state consts.ReplicationState
}

func (r replicated) ReplicationState() consts.ReplicationState { return r.state }

// Operations with an effect outside storage, and all reads of passwords, run on the active node of the
// primary only.
func TestForwarding(t *testing.T) {
	local := map[string]bool{ // what any node may answer from its own storage
		"list config": true, "read config/prod": true, "list keys": true, "read keys/k": true, "list roles": true, "read roles/web": true,
		"list hosts/": true, "read hosts/web-1": true, "read host-key/web-1": true,
	}
	for _, state := range []consts.ReplicationState{consts.ReplicationPerformanceStandby, consts.ReplicationPerformanceSecondary} {
		h := leasedRole(t, nil)
		if err := h.Setup(t.Context(), &logical.BackendConfig{System: replicated{h.system, state}}); err != nil {
			t.Fatal(err)
		}
		for _, p := range h.Paths {
			for op := range p.Operations {
				path := samplePaths()[p.Pattern]
				_, err := h.HandleRequest(t.Context(), &logical.Request{Operation: op, Path: path, Storage: h.storage})
				if forwarded := err == logical.ErrReadOnly; forwarded == local[string(op)+" "+path] { //nolint:errorlint // Vault compares it so.
					t.Errorf("%s %s on %s: forwarded %v (%v)", op, path, state.StateStrings(), forwarded, err)
				}
			}
		}
	}
}

func TestSpecialPaths(t *testing.T) {
	h := newHarness(t)
	if got := fmt.Sprint(h.SpecialPaths().SealWrapStorage); got != "[config/ key/ account/ group/]" {
		t.Errorf("seal-wrapped: %s", got)
	}
	// Of prefixes Vault protects only those that end in *.
	sudo := "[rotate-root/* rotate-connection/* rotate-reader verify-connection/* versions/* import/* reread/* place/* take-over/* host-key/*]"
	if got := fmt.Sprint(h.SpecialPaths().Root); got != sudo {
		t.Errorf("sudo paths: %s", got)
	}
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+`).MatchString(h.PluginVersion().Version) {
		t.Errorf("version %q is not semantic", h.PluginVersion().Version)
	}
}

// A node that may not write starts no background work: a due account stays due.
func TestNoBackgroundWorkOnSecondaries(t *testing.T) {
	h := leasedRole(t, nil)
	h.lease(t, "creds/web")
	h.Cleanup(t.Context())
	system := replicated{h.system, consts.ReplicationPerformanceStandby}
	b, err := newBackend(t.Context(), &logical.BackendConfig{System: system, StorageView: h.storage}, h.registry)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Initialize(t.Context(), &logical.InitializationRequest{Storage: h.storage}); err != nil {
		t.Fatal(err)
	}
	defer b.Cleanup(t.Context())
	before := h.cloud.count()
	id := rotationID("prod", "srv-1", "root")
	if _, err := b.core.Rotate(t.Context(), id, 0); err != nil {
		t.Fatal(err)
	}
	view, err := b.core.Inspect(t.Context(), id)
	if err != nil || view.State != "due" || h.cloud.count() != before {
		t.Errorf("state %v, %d calls, %v", view.State, h.cloud.count()-before, err)
	}
}
