package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes files, by their paths, into a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// pkg is a package as `go list -json` prints it.
func pkg(t *testing.T, module, version, root, dir string, more map[string]any) string {
	t.Helper()
	m := map[string]any{"Path": module, "Version": version, "Dir": root}
	for key, value := range more {
		m[key] = value
	}
	raw, err := json.Marshal(map[string]any{"Dir": filepath.Join(root, filepath.FromSlash(dir)), "Module": m})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestNoticesOfWhatIsLinked(t *testing.T) {
	const shared = "Permission is hereby granted"
	one := tree(t, map[string]string{
		"LICENSE": shared + "\n", "NOTICE.txt": "One's notice", "license.go": "package one", "a/b/b.go": "", "a/LICENSE-BSD": "Redistribution",
		"c/COPYING": "not linked",
	})
	two := tree(t, map[string]string{"LICENSE.md": shared + "\r\n", "two.go": ""})
	std := tree(t, map[string]string{"LICENSE": "Go's own", "src/fmt/print.go": ""})
	list := pkg(t, "example.com/two", "v2.0.0", two, ".", nil) + pkg(t, "example.com/one", "v1.0.0", one, "a/b", nil) +
		`{"Dir":` + quoted(t, filepath.Join(std, "src", "fmt")) + `,"Standard":true}` +
		pkg(t, "example.com/main", "", one, ".", map[string]any{"Main": true})
	modules, err := linkedModules([]byte(list), std, "go1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	text, err := licenseTexts(modules)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Go's standard library go1.2.3: LICENSE\n" + rule + "\n\nGo's own\n",
		"example.com/one v1.0.0: LICENSE\nexample.com/two v2.0.0: LICENSE.md\n" + rule + "\n\n" + shared + "\n",
		"example.com/one v1.0.0: NOTICE.txt\n" + rule + "\n\nOne's notice\n",
		"example.com/one v1.0.0: a/LICENSE-BSD\n" + rule + "\n\nRedistribution\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the notices lack\n%s\nin\n%s", want, text)
		}
	}
	for _, not := range []string{"package one", "not linked", "example.com/main", one, "\r"} {
		if strings.Contains(text, not) {
			t.Errorf("the notices contain %q:\n%s", not, text)
		}
	}
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	raw, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestModulesThatMustNotBeShipped(t *testing.T) {
	bare := tree(t, map[string]string{"bare.go": "", "LICENSE.go": ""})
	modules, err := linkedModules([]byte(pkg(t, "example.com/bare", "v1.0.0", bare, ".", nil)), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := licenseTexts(modules); err == nil || !strings.Contains(err.Error(), "example.com/bare v1.0.0") {
		t.Errorf("a module without a licence: %v", err)
	}
	replaced := pkg(t, "example.com/x", "v1.0.0", bare, ".", map[string]any{"Replace": map[string]any{"Path": "../x"}})
	if _, err := linkedModules([]byte(replaced), "", ""); err == nil || !strings.Contains(err.Error(), "../x") {
		t.Errorf("a replaced module: %v", err)
	}
	if _, err := linkedModules([]byte(`{"Dir": "x"} {`), "", ""); err == nil {
		t.Error("a list that was cut short, or a package of no module, passed")
	}
}
