package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func sampleRelease() (*release, target, []built) {
	info := func(deps ...*debug.Module) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.2.3", Main: debug.Module{Path: moduleURL, Version: "(devel)"}, Deps: deps}
	}
	shared := &debug.Module{Path: "example.com/Shared", Version: "v1.0.0", Sum: "h1:aaaa="}
	return &release{version: "v0.1.0"}, target{"linux", "amd64"}, []built{
		{file: "one", content: []byte("abc"), info: info(shared, &debug.Module{Path: "example.com/old", Version: "v2.0.0+incompatible"})},
		{file: "two", content: []byte("two"), info: info(shared)},
	}
}

func decoded(t *testing.T, raw []byte) *cdx.BOM {
	t.Helper()
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(raw), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	return &bom
}

func TestSBOMNamesWhatIsLinked(t *testing.T) {
	r, on, programs := sampleRelease()
	raw, err := r.sbom(on, programs)
	if err != nil {
		t.Fatal(err)
	}
	bom := decoded(t, raw)
	sum := sha256.Sum256([]byte("abc"))
	var names []string
	for _, c := range *bom.Components {
		names = append(names, c.Name+" "+c.Version+" "+c.PackageURL)
		if c.Name == "one" && (*c.Hashes)[0].Value != hex.EncodeToString(sum[:]) {
			t.Errorf("the checksum of one is %s", (*c.Hashes)[0].Value)
		}
	}
	if want := []string{
		"one v0.1.0 ", "two v0.1.0 ",
		"example.com/old v2.0.0+incompatible pkg:golang/example.com/old@v2.0.0%2Bincompatible",
		"example.com/Shared v1.0.0 pkg:golang/example.com/shared@v1.0.0",
		"stdlib 1.2.3 pkg:golang/stdlib@1.2.3",
	}; !slices.Equal(names, want) {
		t.Errorf("components:\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
	needs := map[string][]string{}
	for _, d := range *bom.Dependencies {
		if d.Dependencies != nil {
			needs[d.Ref] = *d.Dependencies
		}
	}
	if !slices.Equal(needs["release"], []string{"file:one", "file:two"}) || len(needs["file:one"]) != 3 ||
		!slices.Equal(needs["file:two"], []string{"pkg:golang/example.com/shared@v1.0.0", "pkg:golang/stdlib@1.2.3"}) {
		t.Errorf("who needs what: %v", needs)
	}
	if bom.Metadata.Timestamp != "" {
		t.Errorf("it has a time, %s: a second build would make another document", bom.Metadata.Timestamp)
	}
}

func TestSBOMDependsOnTheProgramsOnly(t *testing.T) {
	r, on, programs := sampleRelease()
	first, err := r.sbom(on, programs)
	if err != nil {
		t.Fatal(err)
	}
	_, _, again := sampleRelease()
	second, err := r.sbom(on, again)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the same programs made different documents")
	}
	again[1].content = []byte("three")
	third, err := r.sbom(on, again)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := decoded(t, first).SerialNumber, decoded(t, third).SerialNumber; a == b || a == "" {
		t.Errorf("two documents have the serial number %q", a)
	}
}

func TestSBOMRefusesWhatIsNotPublished(t *testing.T) {
	r, on, programs := sampleRelease()
	programs[0].info.Deps[0].Replace = &debug.Module{Path: "../shared"}
	if _, err := r.sbom(on, programs); err == nil || !strings.Contains(err.Error(), "../shared") {
		t.Errorf("a replaced module: %v", err)
	}
	r, on, programs = sampleRelease()
	programs[1].info.Main.Path = "example.com/other"
	if _, err := r.sbom(on, programs); err == nil || !strings.Contains(err.Error(), "example.com/other") {
		t.Errorf("a program of another module: %v", err)
	}
}

// The document of a real program, which this test is, has the form that CycloneDX's own schema demands.
func TestSBOMIsOfCycloneDXsForm(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok || len(info.Deps) == 0 {
		t.Fatal("the test does not know what is linked into it")
	}
	r, on, _ := sampleRelease()
	raw, err := r.sbom(on, []built{{file: "release.test", content: []byte("abc"), info: info}})
	if err != nil {
		t.Fatal(err)
	}
	schema := officialSchema(t)
	if err := validate(t, schema, raw); err != nil {
		t.Errorf("%v\nin\n%s", err, raw)
	}
	for was, is := range map[string]string{`"type": "library"`: `"type": "lib"`, `"urn:uuid:`: `"`, `"MPL-2.0"`: `"MPL"`} {
		broken := strings.Replace(string(raw), was, is, 1)
		if broken == string(raw) || validate(t, schema, []byte(broken)) == nil {
			t.Errorf("%s instead of %s: the schema notices nothing", is, was)
		}
	}
}

func validate(t *testing.T, schema *jsonschema.Schema, raw []byte) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(document)
}

// officialSchema is CycloneDX's schema, which comes with the library.
func officialSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := output(exec.CommandContext(t.Context(), "go", "list", "-m", "-json", "github.com/CycloneDX/cyclonedx-go"))
	if err != nil {
		t.Fatal(err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(raw, &module); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for name, file := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		content, err := os.ReadFile(filepath.Join(module.Dir, "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://cyclonedx.org/schema/"+name, document); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}
