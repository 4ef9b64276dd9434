package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// sbomFile is the software bill of materials of a zip, in CycloneDX's JSON: what the programs are made of, for those who
// search for a library with a known fault.
const sbomFile = "SBOM.cdx.json"

const (
	moduleURL = "github.com/cloudpw/" + plugin
	// licenseID is that of the programs, as SPDX names it.
	licenseID = "MPL-2.0"
)

// sbom lists the modules that Go linked into the programs, as the programs themselves say. It depends on the programs only: it
// has no time, and its serial number is made of its content.
func (r *release) sbom(t target, all []built) ([]byte, error) {
	root := cdx.Component{
		BOMRef: "release", Type: cdx.ComponentTypeApplication, Name: plugin, Version: r.version, Licenses: ours(),
		Description: fmt.Sprintf("cloudpw for %s", t),
		PackageURL:  packageURL(moduleURL, r.version) + "?goarch=" + t.arch + "&goos=" + t.os,
	}
	var parts []cdx.Component
	libraries := map[string]cdx.Component{}
	graph := []cdx.Dependency{{Ref: root.BOMRef}}
	var files []string
	for _, b := range all {
		sum := sha256.Sum256(b.content)
		file := cdx.Component{
			BOMRef: "file:" + b.file, Type: cdx.ComponentTypeApplication, Name: b.file, Version: r.version, Licenses: ours(),
			Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
		}
		linked, err := linkedLibraries(b)
		if err != nil {
			return nil, err
		}
		maps.Copy(libraries, linked)
		needs := slices.Sorted(maps.Keys(linked))
		parts = append(parts, file)
		files = append(files, file.BOMRef)
		graph = append(graph, cdx.Dependency{Ref: file.BOMRef, Dependencies: &needs})
	}
	graph[0].Dependencies = &files
	for _, ref := range slices.Sorted(maps.Keys(libraries)) {
		parts = append(parts, libraries[ref])
		graph = append(graph, cdx.Dependency{Ref: ref})
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhaseBuild}},
		Authors:    &[]cdx.OrganizationalContact{{Name: "cloudpw"}},
		Component:  &root,
	}
	bom.Components, bom.Dependencies = &parts, &graph
	without, err := encode(bom)
	if err != nil {
		return nil, err
	}
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, append([]byte("https://"+moduleURL+"\n"), without...)).URN()
	return encode(bom)
}

// linkedLibraries are the modules in a program, Go's standard library among them, by their reference in the document.
func linkedLibraries(b built) (map[string]cdx.Component, error) {
	if b.info.Main.Path != moduleURL {
		return nil, fmt.Errorf("%s is built from the module %q, not from %s", b.file, b.info.Main.Path, moduleURL)
	}
	goVersion := strings.TrimPrefix(b.info.GoVersion, "go")
	all := map[string]cdx.Component{}
	add := func(path, version, sum string) {
		url := packageURL(path, version)
		c := cdx.Component{
			BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, Scope: cdx.ScopeRequired, PackageURL: url,
		}
		if sum != "" {
			// No hash in CycloneDX's sense, which would be one of a file.
			c.Properties = &[]cdx.Property{{Name: "cloudpw:go.sum", Value: sum}}
		}
		all[url] = c
	}
	add("stdlib", goVersion, "")
	for _, d := range b.info.Deps {
		if d.Replace != nil {
			return nil, fmt.Errorf("%s: %s is replaced by %s: a release is built from published modules", b.file, d.Path, d.Replace.Path)
		}
		add(d.Path, d.Version, d.Sum)
	}
	return all, nil
}

func ours() *cdx.Licenses { return &cdx.Licenses{{License: &cdx.License{ID: licenseID}}} }

// packageURL names a Go module in the form that scanners look up: in lower case, and with the plus of a version such as
// v2.0.0+incompatible escaped (github.com/package-url/purl-spec, type golang).
func packageURL(path, version string) string {
	return "pkg:golang/" + strings.ToLower(path) + "@" + strings.ReplaceAll(version, "+", "%2B")
}

func encode(bom *cdx.BOM) ([]byte, error) {
	var text bytes.Buffer
	encoder := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	if err := encoder.EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}
