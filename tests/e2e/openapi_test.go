//go:build e2e

package e2e

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// document is the part of an OpenAPI document that says what requests a mount takes.
type document struct {
	Paths map[string]struct {
		Get    *operation `json:"get"`
		Post   *operation `json:"post"`
		Delete *operation `json:"delete"`
		Sudo   bool       `json:"x-vault-sudo"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	Summary    string `json:"summary"`
	Parameters []struct {
		Name string `json:"name"`
	} `json:"parameters"`
	RequestBody struct {
		Content map[string]struct {
			Schema struct {
				Ref string `json:"$ref"`
			} `json:"schema"`
		} `json:"content"`
	} `json:"requestBody"`
}

// call is one operation of one path of the mount, with the fields that it takes.
type call struct {
	method string
	path   string // with {parameters}
	fields []string
	sudo   bool
}

func (c call) String() string { return c.method + " " + c.path }

// calls reads from the mount's own documentation everything that can be asked of it.
func (e *env) calls(t *testing.T) []call {
	t.Helper()
	secret := e.Read(t, "cloudpw", "help", "1")
	openapi, ok := secret.Data["openapi"].(map[string]any)
	if !ok {
		t.Fatal("the mount has no OpenAPI document")
	}
	var doc document
	decode(t, openapi, &doc)
	var found []call
	for path, item := range doc.Paths {
		for method, op := range map[string]*operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodDelete: item.Delete} {
			if op == nil {
				continue
			}
			c := call{method: method, path: strings.TrimPrefix(path, "/"), sudo: item.Sudo}
			for _, p := range op.Parameters {
				if p.Name == "list" {
					c.method = "LIST"
					continue
				}
				c.fields = append(c.fields, p.Name)
			}
			if ref := op.RequestBody.Content["application/json"].Schema.Ref; ref != "" {
				properties := doc.Components.Schemas[ref[strings.LastIndexByte(ref, '/')+1:]].Properties
				c.fields = append(c.fields, slices.Sorted(maps.Keys(properties))...)
			}
			if op.Summary == "" {
				t.Errorf("%s has no summary", c)
			}
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b call) int { return strings.Compare(a.String(), b.String()) })
	return found
}

// send makes a request of a method with fields, in the query or the body as the method has it.
func (e *env) send(t *testing.T, method, path string, fields map[string]any) (*api.Secret, error) {
	t.Helper()
	query := url.Values{}
	for name, value := range fields {
		text, _ := value.(string)
		query.Set(name, text)
	}
	logical := e.Client.Logical()
	switch method {
	case http.MethodGet:
		return logical.ReadWithDataWithContext(t.Context(), path, query)
	case http.MethodDelete:
		return logical.DeleteWithDataWithContext(t.Context(), path, query)
	case "LIST":
		query.Set("list", "true")
		return logical.ReadWithDataWithContext(t.Context(), path, query)
	}
	return logical.WriteWithContext(t.Context(), path, fields)
}

// sample puts what a sampled mount has in place of a path's {parameters}.
func (e *env) sample(t *testing.T, path string) string {
	t.Helper()
	name := "tencentcloud"
	switch {
	case strings.HasPrefix(path, "keys/"):
		name = "pair"
	case strings.HasPrefix(path, "roles/"):
		name = "web"
	case strings.HasPrefix(path, "hosts/"), strings.HasPrefix(path, "host-key/"):
		name = "{instance_id}"
	}
	return "cloudpw/" + strings.NewReplacer(
		"{role}", "web", "{connection}", "tencentcloud", "{username}", "ubuntu", "{account_connection}", "tencentcloud",
		"{instance_id}", e.sim.ServerID(t, model.TencentCloud, "ubuntu-1"), "{version}", "1", "{id}", e.campaign(t),
	).Replace(strings.Replace(path, "{name}", name, 1))
}

// campaign is the id of a sampled mount's campaign, or of none once that is deleted.
func (e *env) campaign(t *testing.T) string {
	t.Helper()
	if ids := e.List(t, "cloudpw/campaigns"); len(ids) > 0 {
		return ids[0]
	}
	return "mfzwizdj"
}

// sampled is a mount where every path of the documentation has something behind it.
func sampled(t *testing.T) *env {
	t.Helper()
	e := start(t)
	e.connect(t, model.TencentCloud)
	e.role(t, "web", model.TencentCloud, "ubuntu-1", nil)
	e.Write(t, "cloudpw/keys/pair", map[string]any{"generate": true})
	e.Write(t, "cloudpw/hosts/"+e.sim.ServerID(t, model.TencentCloud, "ubuntu-1"), map[string]any{"connection": "tencentcloud",
		"trust_on_first_use": true})
	e.Write(t, "cloudpw/rotate-role/web", map[string]any{"wait": "45s"})
	return e
}

func TestUnknownFieldsAreRefusedButInReads(t *testing.T) {
	t.Parallel()
	e := sampled(t)
	for _, c := range e.calls(t) {
		answer, err := e.send(t, c.method, e.sample(t, c.path), map[string]any{"surprise": "x"})
		if c.method == http.MethodGet { // clients add fields to every read
			warned := answer != nil && strings.Contains(strings.Join(answer.Warnings, ""), `"surprise": unknown field`)
			if err == nil && !warned || err != nil && strings.Contains(err.Error(), "unknown field") {
				t.Errorf("%s with a field that it does not know: no warning, %v", c, err)
			}
			continue
		}
		if harness.Status(err) != http.StatusBadRequest || !strings.Contains(err.Error(), "surprise") ||
			!strings.Contains(err.Error(), "unknown field") {
			t.Errorf("%s with a field that it does not know: %v", c, err)
		}
	}
	for _, path := range []string{"config/tencentcloud", "roles/web", "keys/pair"} {
		e.Read(t, "cloudpw/"+path) // nothing was deleted
	}
}

// Every path explains itself, to people and to generators of clients.
func TestHelpAndOpenAPI(t *testing.T) {
	t.Parallel()
	e := sampled(t)
	calls := e.calls(t)
	if len(calls) < 15 {
		t.Errorf("the documentation knows %d operations only", len(calls))
	}
	for _, c := range calls {
		if text := e.CLI(t, "path-help", e.sample(t, c.path)); len(text) < 200 || strings.Contains(text, "<no ") {
			t.Errorf("path-help of %s: %s", c.path, text)
		}
	}
	answer, err := e.Client.Logical().ReadRawWithContext(t.Context(), "sys/internal/specs/openapi")
	if err != nil {
		t.Fatalf("Vault's OpenAPI document: %v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	var whole map[string]any
	if err := answer.DecodeJSON(&whole); err != nil {
		t.Fatal(err)
	}
	var doc document
	decode(t, whole, &doc)
	for _, c := range calls {
		if _, ok := doc.Paths["/cloudpw/"+c.path]; !ok {
			t.Errorf("Vault's OpenAPI document leaves %s out", c.path)
		}
	}
}
