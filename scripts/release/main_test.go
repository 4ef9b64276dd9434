package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestNamesOfFiles(t *testing.T) {
	r, err := newRelease("v0.1.0-rc.1", "linux/amd64 windows/arm64", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"vault-plugin-secrets-cloudpw_0.1.0-rc.1_linux_amd64",
		"vault-plugin-secrets-cloudpw_0.1.0-rc.1_windows_arm64",
	} {
		if got := r.name(r.targets[i]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRefusedArguments(t *testing.T) {
	for _, c := range []struct {
		version, targets string
		flags            []string
	}{
		{"0.1.0", allTargets, nil}, {"v1", allTargets, nil}, {"v1.0.0/../x", allTargets, nil}, {"", allTargets, nil},
		{"v1.0.0", "", nil}, {"v1.0.0", "linux", nil}, {"v1.0.0", "../amd64", nil},
		{"v1.0.0", allTargets, []string{"rest of a path with a blank", "-trimpath"}},
	} {
		if _, err := newRelease(c.version, c.targets, c.flags); err == nil {
			t.Errorf("version %q, targets %q, flags %q: accepted", c.version, c.targets, c.flags)
		}
	}
	if _, err := newRelease("v1.0.0", allTargets, []string{"-trimpath", "-ldflags", "-s"}); err != nil {
		t.Errorf("what is right is refused: %v", err)
	}
}

func TestFolderMustBeEmpty(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "dist")
	if err := makeEmpty(folder); err != nil {
		t.Fatal(err)
	}
	if err := makeEmpty(folder); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "old.zip"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeEmpty(folder); err == nil {
		t.Error("a folder with a file of another release was accepted")
	}
}

// A build that others could not repeat is refused.
func TestCheckBuild(t *testing.T) {
	good := map[string]string{"GOOS": "linux", "GOARCH": "amd64", "CGO_ENABLED": "0", "-trimpath": "true"}
	for name, c := range map[string]struct {
		change map[string]string
		says   string
	}{
		"as it should be":   {nil, ""},
		"paths in it":       {map[string]string{"-trimpath": ""}, "-trimpath"},
		"C in it":           {map[string]string{"CGO_ENABLED": "1"}, "CGO_ENABLED"},
		"another platform":  {map[string]string{"GOOS": "darwin"}, "GOOS"},
		"the commit in it":  {map[string]string{"vcs.revision": "0123"}, "-buildvcs=false"},
		"another processor": {map[string]string{"GOARCH": "arm64"}, "GOARCH"},
	} {
		info := &debug.BuildInfo{GoVersion: "go1.2.3"}
		for key, value := range good {
			if changed, ok := c.change[key]; ok {
				value = changed
			}
			info.Settings = append(info.Settings, debug.BuildSetting{Key: key, Value: value})
		}
		if revision := c.change["vcs.revision"]; revision != "" {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: "vcs.revision", Value: revision})
		}
		err := checkBuild(info, "go1.2.3", target{"linux", "amd64"})
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	if err := checkBuild(&debug.BuildInfo{GoVersion: "go1.2.4"}, "go1.2.3", target{}); err == nil {
		t.Error("another Go was accepted")
	}
}

// What a developer has set must not reach the compiler.
func TestSettingsOfTheShellAreNotHeeded(t *testing.T) {
	for name, value := range map[string]string{"GOAMD64": "v3", "GOFLAGS": "-tags=other", "GOFIPS140": "latest", "CGO_ENABLED": "1",
		"SOURCE_DATE_EPOCH": "1"} {
		t.Setenv(name, value)
	}
	c, err := newCompiler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for _, pair := range c.command(t.Context(), target{"linux", "arm64"}, "version").Env {
		name, value, _ := strings.Cut(pair, "=")
		set[name] = value
	}
	for name, want := range map[string]string{
		"GOAMD64": "v1", "GOFLAGS": "-mod=readonly", "GOFIPS140": "off", "CGO_ENABLED": "0", "GOENV": "off", "GOOS": "linux", "GOARCH": "arm64",
		"SOURCE_DATE_EPOCH": "", "GOEXPERIMENT": "",
	} {
		if set[name] != want {
			t.Errorf("%s=%q, want %q", name, set[name], want)
		}
	}
	if set["GOCACHE"] == "" || set["GOMODCACHE"] == "" || !strings.HasPrefix(c.goVersion, "go") {
		t.Errorf("Go does not find its files: %v", set)
	}
}
