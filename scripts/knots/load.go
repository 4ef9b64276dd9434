package main

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/scripts/golist"
)

// pkg is a package with what its files use of each other.
type pkg struct {
	name     string // from the root of the module
	files    []string
	uses     map[string]map[string]bool
	exported int
}

// load checks the types of the packages that the patterns name. What they import comes from the compiler's export data, which
// go list makes, so only the files that are looked at are parsed.
func load(ctx context.Context, patterns []string) ([]*pkg, error) {
	exports, files := golist.In(""), token.NewFileSet()
	listed, err := exports.List(ctx, patterns...)
	if err != nil {
		return nil, err
	}
	imports := exports.Importer(ctx, files)
	var packages []*pkg
	for _, p := range listed {
		if p.DepOnly || len(p.GoFiles) == 0 {
			continue
		}
		checked, err := check(files, imports, p)
		if err != nil {
			return nil, err
		}
		packages = append(packages, checked)
	}
	return packages, nil
}

// check finds which file of a package uses what another one declares.
func check(files *token.FileSet, imports types.Importer, p golist.Package) (*pkg, error) {
	found := &pkg{name: p.ImportPath, uses: map[string]map[string]bool{}}
	if p.Module != nil {
		found.name = strings.TrimPrefix(p.ImportPath, p.Module.Path+"/")
	}
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, file)
		found.files = append(found.files, name)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	checked, err := (&types.Config{Importer: imports}).Check(p.ImportPath, files, parsed, &info)
	if err != nil {
		return nil, err
	}
	fileOf := func(pos token.Pos) string { return filepath.Base(files.Position(pos).Filename) }
	for name, object := range info.Uses {
		// Names of other packages, and those of Go itself, have no file here. What is local to a function is of the same file.
		if object.Pkg() != checked || object.Pos() == token.NoPos {
			continue
		}
		if from, to := fileOf(name.Pos()), fileOf(object.Pos()); from != to {
			if found.uses[from] == nil {
				found.uses[from] = map[string]bool{}
			}
			found.uses[from][to] = true
		}
	}
	for _, name := range checked.Scope().Names() {
		if token.IsExported(name) {
			found.exported++
		}
	}
	return found, nil
}
