package backend

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/vault/sdk/framework"
	"gopkg.in/yaml.v3"
)

// The tests of this file parse what the pages of docs/consumers give other programs to read, and check that the paths and
// fields of it exist, on both sides.

const consumersFolder = docsFolder + "/consumers"

func consumerPages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(consumersFolder + "/*.md")
	if err != nil || len(found) < 4 {
		t.Fatalf("%d pages in %s (%v)", len(found), consumersFolder, err)
	}
	return found
}

// credentialFields are the fields that a read of a path of creds/ answers with; the path may have a query.
func credentialFields(t *testing.T, page, target string) map[string]*framework.FieldSchema {
	t.Helper()
	u, err := url.Parse("/" + target)
	if err != nil {
		t.Errorf("%s: %s: %v", page, target, err)
		return nil
	}
	for op, o := range servedOperations(t) {
		if op.method != http.MethodGet || !strings.HasPrefix(op.path, "/cloudpw/creds/") || !matches(op.path, u.Path) {
			continue
		}
		for name := range u.Query() {
			if !takes(op, o.path, name) || o.path.Fields[name] == nil {
				t.Errorf("%s: %s: creds/ has no field %s", page, target, name)
			}
		}
		return o.handler.Responses[http.StatusOK][0].Fields
	}
	t.Errorf("%s: %s is no path of creds/", page, target)
	return nil
}

// terraformArguments are the arguments of the blocks of hashicorp/vault that the pages use: website/docs/r/generic_endpoint.html.md,
// ephemeral-resources/generic_secret.html.md and d/generic_secret.html.md of github.com/hashicorp/terraform-provider-vault,
// and meta-arguments of Terraform itself.
var terraformArguments = map[string][]string{
	"resource vault_generic_endpoint": {"path", "data_json", "disable_read", "disable_delete", "ignore_absent_fields", "write_fields",
		"namespace", "depends_on"},
	"ephemeral vault_generic_secret": {"path", "version", "with_lease_start_time", "namespace", "depends_on"},
	"data vault_generic_secret":      {"path", "version", "with_lease_start_time", "namespace", "depends_on"},
}

func TestHCLOfConsumers(t *testing.T) {
	blocks := 0
	for _, page := range consumerPages(t) {
		text := readPage(t, page)
		for i, source := range codeBlocks(text, "hcl") {
			blocks++
			file, diagnostics := hclsyntax.ParseConfig([]byte(source), fmt.Sprintf("%s block %d", page, i+1), hcl.InitialPos)
			if diagnostics.HasErrors() {
				t.Errorf("%s: %v", page, diagnostics)
				continue
			}
			for _, block := range file.Body.(*hclsyntax.Body).Blocks {
				if strings.HasPrefix(block.Type, "template") || block.Type == "env_template" {
					checkAgentTemplate(t, page, block)
				} else if len(block.Labels) > 0 {
					checkTerraform(t, page, block)
				}
			}
		}
	}
	if blocks < 5 {
		t.Errorf("only %d blocks of HCL found", blocks)
	}
}

// checkAgentTemplate checks a template of Vault Agent: the paths that it reads, and the fields that it takes.
func checkAgentTemplate(t *testing.T, page string, block *hclsyntax.Block) {
	t.Helper()
	attribute := block.Body.Attributes["contents"]
	if attribute == nil {
		return // template_config
	}
	value, diagnostics := attribute.Expr.Value(nil)
	if diagnostics.HasErrors() {
		t.Errorf("%s: %v", page, diagnostics)
		return
	}
	contents := value.AsString()
	secrets := regexp.MustCompile(`secret "([^"]+)"`).FindAllStringSubmatch(contents, -1)
	if len(secrets) == 0 {
		t.Errorf("%s: a template reads no secret: %q", page, contents)
	}
	for _, m := range secrets {
		fields := credentialFields(t, page, m[1])
		for _, used := range regexp.MustCompile(`\.Data\.(\w+)`).FindAllStringSubmatch(contents, -1) {
			if fields[used[1]] == nil {
				t.Errorf("%s: %s does not answer with %s", page, m[1], used[1])
			}
		}
	}
}

// checkTerraform checks a block of Terraform's provider for Vault.
func checkTerraform(t *testing.T, page string, block *hclsyntax.Block) {
	t.Helper()
	kind := block.Type + " " + block.Labels[0]
	arguments := terraformArguments[kind]
	if arguments == nil {
		return
	}
	for name := range block.Body.Attributes {
		if !slices.Contains(arguments, name) {
			t.Errorf("%s: %s has no argument %s", page, kind, name)
		}
	}
	value, diagnostics := block.Body.Attributes["path"].Expr.Value(nil)
	if diagnostics.HasErrors() {
		t.Errorf("%s: %v", page, diagnostics)
		return
	}
	path := value.AsString()
	if block.Type != "resource" {
		credentialFields(t, page, path)
		return
	}
	written := map[string]*framework.FieldSchema{}
	for op, o := range servedOperations(t) {
		if op.method == http.MethodPost && matches(op.path, "/"+path) {
			written = o.path.Fields
		}
	}
	if len(written) == 0 {
		t.Errorf("%s: nothing can be written to %s", page, path)
	}
	if attribute := block.Body.Attributes["data_json"]; attribute != nil {
		for _, field := range encodedFields(t, page, attribute.Expr) {
			if written[field] == nil {
				t.Errorf("%s: %s does not take the field %s", page, path, field)
			}
		}
	}
}

// encodedFields are the keys of the object in jsonencode({...}).
func encodedFields(t *testing.T, page string, expression hclsyntax.Expression) []string {
	t.Helper()
	call, ok := expression.(*hclsyntax.FunctionCallExpr)
	if !ok || call.Name != "jsonencode" || len(call.Args) != 1 {
		t.Errorf("%s: data is no jsonencode(...)", page)
		return nil
	}
	var fields []string
	for _, item := range call.Args[0].(*hclsyntax.ObjectConsExpr).Items {
		fields = append(fields, hcl.ExprAsKeyword(item.KeyExpr))
	}
	return fields
}

// operatorFields are the fields of Vault Secrets Operator's resources, apiVersion secrets.hashicorp.com/v1beta1, with those that are
// required: docs/api/api-reference.md and api/v1beta1 of github.com/hashicorp/vault-secrets-operator.
var operatorFields = map[string]struct{ known, required []string }{
	"VaultDynamicSecret": {[]string{"vaultAuthRef", "namespace", "mount", "path", "requestHTTPMethod", "params", "renewalPercent", "revoke",
		"allowStaticCreds", "rolloutRestartTargets", "destination", "refreshAfter"}, []string{"mount", "path", "destination"}},
	"VaultStaticSecret": {[]string{"vaultAuthRef", "namespace", "mount", "path", "version", "type", "refreshAfter", "hmacSecretData",
		"rolloutRestartTargets", "destination", "syncConfig"}, []string{"mount", "path", "type", "destination"}},
}

var operatorDestination = []string{"name", "create", "overwrite", "labels", "annotations", "type", "transformation"}

func TestYAMLOfConsumers(t *testing.T) {
	blocks := 0
	for _, page := range consumerPages(t) {
		if page == ansiblePage || page == externalPage {
			continue
		}
		for _, source := range codeBlocks(readPage(t, page), "yaml") {
			blocks++
			var resource struct {
				APIVersion string            `yaml:"apiVersion"`
				Kind       string            `yaml:"kind"`
				Metadata   map[string]string `yaml:"metadata"`
				Spec       map[string]any    `yaml:"spec"`
			}
			decoder := yaml.NewDecoder(strings.NewReader(source))
			decoder.KnownFields(true)
			if err := decoder.Decode(&resource); err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			fields := operatorFields[resource.Kind]
			if resource.APIVersion != "secrets.hashicorp.com/v1beta1" || fields.known == nil {
				t.Errorf("%s: %s %s is no resource of the operator", page, resource.APIVersion, resource.Kind)
				continue
			}
			for name := range resource.Spec {
				if !slices.Contains(fields.known, name) {
					t.Errorf("%s: %s has no field %s", page, resource.Kind, name)
				}
			}
			for _, name := range fields.required {
				if resource.Spec[name] == nil {
					t.Errorf("%s: a %s lacks the field %s", page, resource.Kind, name)
				}
			}
			if kind := resource.Spec["type"]; resource.Kind == "VaultStaticSecret" && kind != "kv-v1" {
				t.Errorf("%s: type %v; of the two types only kv-v1 reads any path", page, kind)
			}
			answer := credentialFields(t, page, fmt.Sprintf("%v/%v", resource.Spec["mount"], resource.Spec["path"]))
			destination, _ := resource.Spec["destination"].(map[string]any)
			for name := range destination {
				if !slices.Contains(operatorDestination, name) {
					t.Errorf("%s: a destination has no field %s", page, name)
				}
			}
			for _, used := range regexp.MustCompile(`get \.Secrets "(\w+)"`).FindAllStringSubmatch(source, -1) {
				if answer[used[1]] == nil {
					t.Errorf("%s: %v does not answer with %s", page, resource.Spec["path"], used[1])
				}
			}
		}
	}
	if blocks < 3 {
		t.Errorf("only %d blocks of YAML found", blocks)
	}
}

const ansiblePage = consumersFolder + "/ansible.md"

// ansibleTask is a task of a playbook, of its modules those of community.hashi_vault: plugins/modules/vault_read.py and
// vault_write.py of github.com/ansible-collections/community.hashi_vault.
type ansibleTask struct {
	Read   map[string]string `yaml:"community.hashi_vault.vault_read"`
	Write  map[string]string `yaml:"community.hashi_vault.vault_write"`
	Hidden bool              `yaml:"no_log"`
	Block  []ansibleTask
	Always []ansibleTask
}

// TestPlaybookOfAnsible: the play reads a path of creds/, uses fields that it answers with, hides them, and gives the lease back.
func TestPlaybookOfAnsible(t *testing.T) {
	blocks := codeBlocks(readPage(t, ansiblePage), "yaml")
	if len(blocks) != 1 {
		t.Fatalf("%s: %d playbooks, want one", ansiblePage, len(blocks))
	}
	var plays []struct{ Tasks []ansibleTask }
	if err := yaml.Unmarshal([]byte(blocks[0]), &plays); err != nil || len(plays) != 1 || len(plays[0].Tasks) != 1 {
		t.Fatalf("%s: want one play with one block: %+v, %v", ansiblePage, plays, err)
	}
	steps := plays[0].Tasks[0]
	if len(steps.Block) == 0 || steps.Block[0].Read == nil || len(steps.Always) != 1 || steps.Always[0].Write == nil {
		t.Fatalf("%s: the block does not begin with a read and always end with a write: %+v", ansiblePage, steps)
	}
	answer := credentialFields(t, ansiblePage, strings.ReplaceAll(steps.Block[0].Read["path"], "{{ instance_id }}", "i-1"))
	used := regexp.MustCompile(`login\.data\.data\.(\w+)`).FindAllStringSubmatch(blocks[0], -1)
	for _, m := range used {
		if answer[m[1]] == nil {
			t.Errorf("%s: creds/ does not answer with %s", ansiblePage, m[1])
		}
	}
	if len(used) < 2 {
		t.Errorf("%s: the play uses %d fields of the answer", ansiblePage, len(used))
	}
	for _, task := range steps.Block[:2] { // they hold the password
		if !task.Hidden {
			t.Errorf("%s: a task whose output holds the password lacks no_log: %+v", ansiblePage, task)
		}
	}
	if path := steps.Always[0].Write["path"]; path != "sys/leases/revoke/{{ login.data.lease_id }}" {
		t.Errorf("%s: the lease is given back at %s", ansiblePage, path)
	}
}

const externalPage = consumersFolder + "/external-secrets.md"

// externalResource is a resource of the External Secrets Operator: apis/generators/v1alpha1/types_vault.go and
// apis/externalsecrets/v1 of github.com/external-secrets/external-secrets.
type externalResource struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   map[string]string `yaml:"metadata"`
	Spec       struct {
		// VaultDynamicSecret
		Path       string `yaml:"path"`
		Method     string `yaml:"method"`
		ResultType string `yaml:"resultType"`
		Provider   struct {
			Server string `yaml:"server"`
			Auth   struct {
				Kubernetes struct {
					MountPath         string `yaml:"mountPath"`
					Role              string `yaml:"role"`
					ServiceAccountRef struct {
						Name string `yaml:"name"`
					} `yaml:"serviceAccountRef"`
				} `yaml:"kubernetes"`
			} `yaml:"auth"`
		} `yaml:"provider"`
		// ExternalSecret
		RefreshInterval time.Duration `yaml:"refreshInterval"`
		Target          struct {
			Name     string `yaml:"name"`
			Template struct {
				Data map[string]string `yaml:"data"`
			} `yaml:"template"`
		} `yaml:"target"`
		DataFrom []struct {
			SourceRef struct {
				GeneratorRef struct {
					APIVersion string `yaml:"apiVersion"`
					Kind       string `yaml:"kind"`
					Name       string `yaml:"name"`
				} `yaml:"generatorRef"`
			} `yaml:"sourceRef"`
		} `yaml:"dataFrom"`
	} `yaml:"spec"`
}

// TestYAMLOfExternalSecrets: the generator reads a path of creds/, and the template takes fields that it answers with.
func TestYAMLOfExternalSecrets(t *testing.T) {
	blocks := codeBlocks(readPage(t, externalPage), "yaml")
	if len(blocks) != 1 {
		t.Fatalf("%s: %d blocks of YAML, want one", externalPage, len(blocks))
	}
	decoder := yaml.NewDecoder(strings.NewReader(blocks[0]))
	decoder.KnownFields(true)
	var generator, secret externalResource
	if err := errors.Join(decoder.Decode(&generator), decoder.Decode(&secret)); err != nil {
		t.Fatalf("%s: %v", externalPage, err)
	}
	if generator.APIVersion != "generators.external-secrets.io/v1alpha1" || generator.Kind != "VaultDynamicSecret" ||
		generator.Spec.Method != "GET" || generator.Spec.ResultType != "Data" || generator.Spec.Provider.Server == "" {
		t.Errorf("%s: the generator is %+v", externalPage, generator)
	}
	// The client escapes a question mark in a path, so the path has no query.
	if strings.Contains(generator.Spec.Path, "?") {
		t.Errorf("%s: the path has a query: %s", externalPage, generator.Spec.Path)
	}
	if secret.APIVersion != "external-secrets.io/v1" || secret.Kind != "ExternalSecret" || secret.Spec.RefreshInterval <= 0 ||
		len(secret.Spec.DataFrom) != 1 {
		t.Fatalf("%s: the secret is %+v", externalPage, secret)
	}
	if ref := secret.Spec.DataFrom[0].SourceRef.GeneratorRef; ref.APIVersion != generator.APIVersion || ref.Kind != generator.Kind ||
		ref.Name != generator.Metadata["name"] || secret.Metadata["namespace"] != generator.Metadata["namespace"] {
		t.Errorf("%s: the secret refers to %+v", externalPage, ref)
	}
	answer := credentialFields(t, externalPage, generator.Spec.Path)
	for key, template := range secret.Spec.Target.Template.Data {
		used := regexp.MustCompile(`\{\{ \.(\w+) \}\}`).FindStringSubmatch(template)
		if used == nil || answer[used[1]] == nil {
			t.Errorf("%s: %s is %q, and creds/ does not answer with that", externalPage, key, template)
		}
	}
	if len(secret.Spec.Target.Template.Data) != 2 {
		t.Errorf("%s: the template has %v", externalPage, secret.Spec.Target.Template.Data)
	}
}

// A static credential is, to the operator, an answer with last_vault_rotation and a rotation_period or rotation_schedule
// (isStaticCreds in controllers/vaultdynamicsecret_controller.go); Vault Agent wants rotation_period and ttl.
func TestAnswersHaveWhatConsumersNeed(t *testing.T) {
	fields := slices.Sorted(maps.Keys(credsResponse()))
	for _, name := range []string{"last_vault_rotation", "rotation_period", "rotation_schedule", "ttl"} {
		if !slices.Contains(fields, name) {
			t.Errorf("creds/ has no %s", name)
		}
	}
}
