package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// noticesFile carries what the licences of the linked modules want a binary to be accompanied by: their texts and copyright
// lines (MIT, BSD, ISC), their NOTICE files (Apache 2.0), and where the source is (MPL 2.0).
const noticesFile = "THIRD_PARTY_NOTICES.txt"

// listed is what `go list` says of a package that is linked.
type listed struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Path, Version string }
	}
}

// notices makes the notices of a target's programs.
func (c *compiler) notices(ctx context.Context, t target, r *release) ([]byte, error) {
	raw, err := output(c.command(ctx, t, append([]string{"list", "-deps", "-json=Dir,Standard,Module"}, packages()...)...))
	if err != nil {
		return nil, err
	}
	root, err := output(c.command(ctx, t, "env", "GOROOT"))
	if err != nil {
		return nil, err
	}
	linked, err := linkedModules(raw, strings.TrimSpace(string(root)), c.goVersion)
	if err != nil {
		return nil, err
	}
	texts, err := licenseTexts(linked)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, noticesHead, plugin, r.version, t, plugin, texts), nil
}

const noticesHead = `Notices of third-party software in %s %s for %s

The plugin and the command cloudpw are under the Mozilla Public License 2.0, in the file LICENSE.
Their source is the module github.com/cloudpw/%s, at this version.

The modules below are linked into them. Their source, at the versions named here, is what
"go mod download MODULE@VERSION" fetches.
%s`

// module is what shares licences: a Go module, or Go's standard library.
type module struct {
	name string // path and version
	root string // folder of its files
	dirs map[string]bool
}

// linkedModules groups the packages that `go list -deps -json` printed by their module, sorted by name. The module that is
// built is left out.
func linkedModules(list []byte, goroot, goVersion string) ([]*module, error) {
	modules := map[string]*module{}
	for decoder := json.NewDecoder(bytes.NewReader(list)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("what go list printed: %w", err)
		}
		var name, root string
		switch {
		case p.Standard:
			name, root = "Go's standard library "+goVersion, goroot
		case p.Module == nil:
			return nil, fmt.Errorf("%s belongs to no module", p.Dir)
		case p.Module.Main:
			continue
		case p.Module.Replace != nil:
			return nil, fmt.Errorf("%s is replaced by %s: a release is built from published modules", p.Module.Path, p.Module.Replace.Path)
		default:
			name, root = p.Module.Path+" "+p.Module.Version, p.Module.Dir
		}
		if modules[name] == nil {
			modules[name] = &module{name: name, root: root, dirs: map[string]bool{}}
		}
		modules[name].dirs[p.Dir] = true
	}
	sorted := slices.Collect(maps.Values(modules))
	slices.SortFunc(sorted, func(a, b *module) int { return strings.Compare(a.name, b.name) })
	return sorted, nil
}

// licenseTexts prints every distinct text once, under the modules that have it.
func licenseTexts(modules []*module) (string, error) {
	var order []string // of the texts
	owners := map[string][]string{}
	for _, m := range modules {
		files, err := m.licenses()
		if err != nil {
			return "", err
		}
		for _, file := range files {
			raw, err := os.ReadFile(filepath.Join(m.root, file))
			if err != nil {
				return "", err
			}
			text := strings.TrimRight(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n")
			if owners[text] == nil {
				order = append(order, text)
			}
			owners[text] = append(owners[text], m.name+": "+filepath.ToSlash(file))
		}
	}
	var all strings.Builder
	for _, text := range order {
		fmt.Fprintf(&all, "\n%s\n%s\n%s\n\n%s\n", rule, strings.Join(owners[text], "\n"), rule, text)
	}
	return all.String(), nil
}

var rule = strings.Repeat("=", 100)

// licenseForm are the names of files that a licence may want to be passed on.
var licenseForm = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|copyright|notice|patents)([._-].*)?$`)

// licenses are the files with licences and notices that cover the module's linked packages, relative to its root: those of
// the root, of the packages' folders, and of what is between them.
func (m *module) licenses() ([]string, error) {
	folders := map[string]bool{}
	for dir := range m.dirs {
		inside, err := filepath.Rel(m.root, dir)
		if err != nil || !filepath.IsLocal(inside) {
			return nil, fmt.Errorf("%s is outside of its module %s", dir, m.name)
		}
		for ; inside != "."; inside = filepath.Dir(inside) {
			folders[inside] = true
		}
	}
	folders["."] = true
	var found []string
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		entries, err := os.ReadDir(filepath.Join(m.root, folder))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Type().IsRegular() && licenseForm.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" {
				found = append(found, filepath.Join(folder, e.Name()))
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no file with a licence in %s; without one it must not be shipped", m.name, m.root)
	}
	return found, nil
}
