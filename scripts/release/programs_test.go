package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestNamesOfPrograms(t *testing.T) {
	for of, want := range map[target][]string{
		{"linux", "amd64"}:   {"vault-plugin-secrets-cloudpw", "cloudpw"},
		{"windows", "arm64"}: {"vault-plugin-secrets-cloudpw.exe", "cloudpw.exe"},
	} {
		var got []string
		for _, p := range programs {
			got = append(got, of.file(p))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", of, got, want)
		}
	}
	for _, p := range packages() {
		if _, err := os.Stat("../../" + p); err != nil {
			t.Errorf("a release builds a package that is not there: %v", err)
		}
	}
}

func TestProgramsNameTheirVersion(t *testing.T) {
	for _, printed := range []string{"v0.1.0\n", "cloudpw v0.1.0 (go1.26.8, linux/amd64)\n", "cloudpw: version v0.1.0, built with go1.26\n"} {
		if err := checkVersion(printed, "v0.1.0"); err != nil {
			t.Errorf("%q: %v", printed, err)
		}
	}
	for _, printed := range []string{"", "v0.1.0-next\n", "cloudpw dev\n", "xv0.1.0"} {
		if err := checkVersion(printed, "v0.1.0"); err == nil || !strings.Contains(err.Error(), "-ldflags") {
			t.Errorf("%q: %v", printed, err)
		}
	}
}
