package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const containerFolder = "../../examples/container"

// The image is built from an unpacked release and the one file that the page says to add.
func TestContainerfileCopiesWhatAReleaseHas(t *testing.T) {
	on := target{"linux", "amd64"}
	there := []string{licenseFile, noticesFile, sbomFile, "ca-certificates.crt"}
	for _, p := range programs {
		there = append(there, on.file(p))
	}
	raw, err := os.ReadFile(filepath.Join(containerFolder, "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	copies := map[string]string{} // by what is copied: where to
	var entrypoint string
	for line := range strings.Lines(string(raw)) {
		words := strings.Fields(line)
		switch {
		case len(words) > 2 && words[0] == "COPY":
			for _, name := range words[1 : len(words)-1] {
				copies[name] = words[len(words)-1]
				if !slices.Contains(there, name) {
					t.Errorf("the image copies %s, which is neither in a release nor added by the page", name)
				}
			}
		case len(words) > 1 && words[0] == "ENTRYPOINT":
			entrypoint = strings.Trim(words[1], `["]`)
		}
	}
	if entrypoint == "" || copies[plugin] != entrypoint {
		t.Errorf("the image starts %q, and the plugin is %q", entrypoint, copies[plugin])
	}
	if copies["ca-certificates.crt"] != "/etc/ssl/certs/ca-certificates.crt" {
		t.Errorf("the authorities are at %q, where Go does not look for them on Linux", copies["ca-certificates.crt"])
	}
	page, err := os.ReadFile(filepath.Join(containerFolder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"-f Containerfile", "cp /etc/ssl/certs/ca-certificates.crt image/"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	// Vault makes the tag from the version without its v.
	tag := regexp.MustCompile(`docker build .* -t cloudpw/vault-plugin-secrets-cloudpw:(\S+) image`).FindSubmatch(page)
	version := regexp.MustCompile(`vault plugin register .*-version=v(\S+)`).FindSubmatch(page)
	if tag == nil || version == nil || string(tag[1]) != string(version[1]) {
		t.Errorf("the image's tag %q is not the version %q that is registered", tag, version)
	}
}
