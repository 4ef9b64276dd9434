package backend

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// The tests of this file and of docs_*_test.go hold the pages for operators against the code: a path, a field, a
// default, a permission or a message that one side does not have fails them.

const (
	docsFolder   = "../docs"
	readmePage   = "../README.md"
	advicePage   = "../docs/troubleshooting.md"
	policiesPage = "../docs/vault-policies.md"
)

var quoted = regexp.MustCompile("`([^`]+)`")

// quotedIn returns what a text has in backticks.
func quotedIn(text string) []string {
	var all []string
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v; the pages for operators belong to the checkout", err)
	}
	return string(raw)
}

// pages are the README and all pages below docs.
func pages(t *testing.T) []string {
	t.Helper()
	all := []string{readmePage}
	err := filepath.WalkDir(docsFolder, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, ".md") {
			all = append(all, name)
		}
		return err
	})
	if err != nil || len(all) < 10 {
		t.Fatalf("%d pages (%v); does this test still know where they are?", len(all), err)
	}
	return all
}

// codeBlocks returns the fenced blocks of a language.
func codeBlocks(page, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// sources returns the Go code below a folder, without tests.
func sources(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(name)
		all.Write(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	joined := splitLiterals.ReplaceAllString(all.String(), "")
	return ownLine.ReplaceAllStringFunc(joined, func(s string) string { return map[byte]string{'(': `("`, ',': `, "`}[s[0]] })
}

// A long message is written as several literals, or on a line of its own.
var (
	splitLiterals = regexp.MustCompile(`" \+\n\t*"`)
	ownLine       = regexp.MustCompile(`[(,]\n\t*"`)
)

// TestReadmeLimitsAreLimits catches the page that says that something is left out which is there.
func TestReadmeLimitsAreLimits(t *testing.T) {
	_, limits, _ := strings.Cut(readPage(t, readmePage), "\n## Limits\n")
	limits, _, _ = strings.Cut(limits, "\n## ")
	left := regexp.MustCompile(`(?m)^\* .*$`).FindAllString(limits, -1)
	for _, line := range left {
		for _, name := range quotedIn(line) {
			for _, path := range referencePaths(t) {
				first, _, _ := strings.Cut(path.Pattern, "/")
				if path.Fields[name] != nil || first == strings.TrimSuffix(name, "/") {
					t.Errorf("%s: the limits say that `%s` is left out, and the plugin has it", readmePage, name)
					break
				}
			}
		}
	}
	if len(left) == 0 {
		t.Error("the limits list nothing; does this test still know how they are written?")
	}
}

func TestPagesNameEveryProvider(t *testing.T) {
	provider := connection.Schemas(providers())["provider"].Description
	readme, index := readPage(t, readmePage), readPage(t, cloudPage("README"))
	for name := range providers() {
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(provider) {
			t.Errorf("the description of the field provider does not name %s", name)
		}
		for page, text := range map[string]string{readmePage: readme, cloudPage("README"): index} {
			if !strings.Contains(text, "| `"+name+"` |") {
				t.Errorf("%s: the table of clouds lacks %s", page, name)
			}
		}
		readPage(t, cloudPage(name))
	}
}

// TestReadmeTableOfClouds holds the table of capabilities against the descriptors.
func TestReadmeTableOfClouds(t *testing.T) {
	for name, d := range providers() {
		row := regexp.MustCompile("(?m)^\\| `" + name + "` \\|.*$").FindString(readPage(t, readmePage))
		cells := strings.Split(row, " | ")
		if len(cells) != 8 {
			t.Errorf("%s: the row of %s has %d cells", readmePage, name, len(cells))
			continue
		}
		for i, can := range []bool{d.HasInitialPassword, d.CanClearInitial, d.CanReset(), d.CanReset()} {
			if said := strings.HasPrefix(cells[2+i], "yes"); said != can || !said && cells[2+i] != "-" {
				t.Errorf("%s: the table says %q of %s in its column %d; the provider can: %v", readmePage, cells[2+i], name, 3+i, can)
			}
		}
		for _, method := range d.ResetMethods {
			if word := map[string]string{cloud.MethodAPI: "API", cloud.MethodCommand: "command"}[method.Name]; !strings.Contains(cells[4], word) {
				t.Errorf("%s: the table does not name the reset method %s of %s", readmePage, method.Name, name)
			}
		}
	}
}

// cloudPage is the guide to a provider.
func cloudPage(provider string) string { return docsFolder + "/clouds/" + provider + ".md" }

// calls are the forms in which the provider packages name their permissions, and the guides whose policies grant them.
var calls = []struct {
	folder string
	guides []string
	form   *regexp.Regexp
	prefix func(service string) string
}{
	{"cloud/aws", []string{"aws"},
		regexp.MustCompile(`call\{(?:service: )?endpoint(EC2|IAM|SSM)?(?:STS)?, (?:action: )?"(\w+)"`),
		func(service string) string { return strings.ToLower(service) + ":" }},
	{"cloud/tencentcloud", []string{"tencentcloud"},
		regexp.MustCompile(`action\{"(\w+)", "(\w+)"`), func(service string) string { return service + ":" }},
	{"cloud/alibabacloud", []string{"alibabacloud"},
		regexp.MustCompile(`action\{endpoint(\w+), "(\w+)"`), func(service string) string { return strings.ToLower(service) + ":" }},
	{"cloud/azure", []string{"azure"},
		regexp.MustCompile(`permit\w+\s+= "(Microsoft)\.([\w/]+)"`), func(provider string) string { return provider + "." }},
	{"cloud/openstack", []string{"huaweicloud", "opentelekomcloud"},
		regexp.MustCompile(`permission\w+\s+= "(ecs):([\w:]+)"`), func(service string) string { return service + ":" }},
	{"cloud/openstack/coc", []string{"huaweicloud"},
		regexp.MustCompile(`permission\w+\s+= "(coc):([\w:]+)"`), func(service string) string { return service + ":" }},
	{"cloud/openstack", []string{"openstack"},
		regexp.MustCompile(`"(os_compute_api|identity):([\w:-]+)",`), func(service string) string { return service + ":" }},
}

func TestGuidesHaveEveryPermission(t *testing.T) {
	for _, c := range calls {
		code := sources(t, c.folder)
		for _, guide := range c.guides {
			page := readPage(t, cloudPage(guide))
			granted := strings.Join(codeBlocks(page, "json"), "\n") // JSON policies, or Nova's policies by name
			if granted == "" {
				granted = strings.ReplaceAll(page, "`", `"`)
			}
			found := 0
			for _, m := range c.form.FindAllStringSubmatch(code, -1) {
				if m[1] == "" { // sts GetCallerIdentity of AWS needs no permission
					continue
				}
				found++
				if permission := c.prefix(m[1]) + m[2]; !strings.Contains(granted, `"`+permission+`"`) {
					t.Errorf("%s: no policy allows %s, which %s calls", cloudPage(guide), permission, c.folder)
				}
			}
			if found < 3 {
				t.Errorf("%s: found only %d calls; does this test still know how they are written?", c.folder, found)
			}
		}
	}
}

func TestJSONOfPagesIsJSON(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		for _, block := range codeBlocks(readPage(t, page), "json") {
			found++
			if !json.Valid([]byte(block)) {
				t.Errorf("%s: not JSON:\n%s", page, block)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d blocks of JSON found", found)
	}
}

func TestPathsOfPoliciesAreServed(t *testing.T) {
	found := 0
	for _, block := range codeBlocks(readPage(t, policiesPage), "hcl") {
		for _, m := range regexp.MustCompile(`path "cloudpw/([\w-]+)/`).FindAllStringSubmatch(block, -1) {
			found++
			served := slices.ContainsFunc(referencePaths(t), func(p *framework.Path) bool { return strings.HasPrefix(p.Pattern, m[1]+"/") })
			if !served {
				t.Errorf("%s: a policy is about cloudpw/%s/, which is not served", policiesPage, m[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("%s: only %d paths found", policiesPage, found)
	}
}

// makers are the functions that make errors, by the status that Vault answers with.
var makers = map[string]string{"Invalidf": "400", "Conflictf": "409", "Unavailablef": "503"}

// TestPagesQuoteRealMessages checks the tables of messages: one that no code has is out of date, and one that the
// backend makes with another status is wrong.
func TestPagesQuoteRealMessages(t *testing.T) {
	row := regexp.MustCompile("^\\| (?:(\\d{3}) \\| )?`(.+?)` \\|")
	code := sources(t, ".") + sources(t, "../cmd/cloudpw")
	checked := 0
	for _, page := range pages(t) {
		text := readPage(t, page)
		for _, line := range strings.Split(text, "\n") {
			m := row.FindStringSubmatch(line)
			if m == nil || page != advicePage && m[1] == "" {
				continue
			}
			checked++
			if !strings.Contains(code, m[2]) {
				t.Errorf("%s: no message of the plugin contains %q", page, m[2])
			}
			if made := statusesOf(code, m[2]); m[1] != "" && len(made) > 0 && !slices.Contains(made, m[1]) {
				t.Errorf("%s: %q is said to have the status %s; it has %s", page, m[2], m[1], made)
			}
		}
	}
	if checked < 60 {
		t.Errorf("only %d messages checked", checked)
	}
}

// kindNames are the kinds of package rotation's errors, as its code names them.
var kindNames = map[string]rotation.ErrorKind{
	"Invalid": rotation.Invalid, "NotFound": rotation.NotFound, "Conflict": rotation.Conflict,
	"NotReadable": rotation.NotReadable, "Unavailable": rotation.Unavailable,
}

// statusesOf are the statuses of a message, as far as it is given literally to a function that sets one.
func statusesOf(code, message string) []string {
	call := regexp.MustCompile(`(\w+)\((?:(?:\w+\.)?(\w+), )?"[^"]*$`)
	var all []string
	for {
		before, after, found := strings.Cut(code, message)
		if !found {
			return all
		}
		line := before[strings.LastIndexByte(before, '\n')+1:]
		if m := call.FindStringSubmatch(line); m != nil {
			if kind, ok := kindNames[m[2]]; ok && strings.EqualFold(m[1], "errorf") {
				var coded logical.HTTPCodedError
				if errors.As(request.VaultError("", &rotation.Error{Kind: kind}), &coded) {
					all = append(all, strconv.Itoa(coded.Code()))
				}
			} else if makers[m[1]] != "" && m[2] == "" {
				all = append(all, makers[m[1]])
			}
		}
		code = after
	}
}

// TestGuidesNameRealCodes checks the tables of error codes in the guides to the clouds.
func TestGuidesNameRealCodes(t *testing.T) {
	folders := map[string]string{"aws": "aws", "tencentcloud": "tencentcloud", "alibabacloud": "alibabacloud", "azure": "azure",
		"huaweicloud": "openstack", "opentelekomcloud": "openstack", "openstack": "openstack"}
	for name, d := range providers() {
		if d.HasHosts {
			continue // no cloud with codes of its own
		}
		code := sources(t, "cloud/"+folders[name])
		table, checked := false, 0
		for _, line := range strings.Split(readPage(t, cloudPage(name)), "\n") {
			table = strings.HasPrefix(line, "| code |") || table && strings.HasPrefix(line, "|")
			if !table {
				continue
			}
			first, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
			for _, named := range quotedIn(first) {
				checked++
				constant := strings.ToUpper(strings.ReplaceAll(named, ".", "_")) // as Tencent Cloud's SDK names it
				if !strings.Contains(code, `"`+named+`"`) && !strings.Contains(code, "."+constant+":") {
					t.Errorf("%s: the provider does not know the code %s", cloudPage(name), named)
				}
			}
		}
		if checked < 3 {
			t.Errorf("%s: only %d codes found", cloudPage(name), checked)
		}
	}
}
