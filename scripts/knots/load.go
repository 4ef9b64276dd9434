package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pkg is a package with what its files use of each other.
type pkg struct {
	name     string // from the root of the module
	files    []string
	uses     map[string]map[string]bool
	exported int
}

// listed is a package as go list shows it.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	DepOnly                 bool
	Module                  *struct{ Path string }
	Error                   *struct{ Err string }
}

// load checks the types of the packages that the patterns name. What they import comes from the compiler's export data, which
// go list makes, so only the files that are looked at are parsed.
func load(ctx context.Context, patterns []string) ([]*pkg, error) {
	list := exec.CommandContext(ctx, "go", append([]string{
		"list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,DepOnly,Module,Error", "--",
	}, patterns...)...)
	var told bytes.Buffer
	list.Stderr = &told
	answer, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, told.String())
	}
	var wanted []listed
	exports := map[string]string{}
	for in := json.NewDecoder(bytes.NewReader(answer)); ; {
		var p listed
		if err := in.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if p.Error != nil {
			return nil, errors.New(p.Error.Err)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly && len(p.GoFiles) > 0 {
			wanted = append(wanted, p)
		}
	}
	files := token.NewFileSet()
	imports := importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	var packages []*pkg
	for _, p := range wanted {
		checked, err := check(files, imports, p)
		if err != nil {
			return nil, err
		}
		packages = append(packages, checked)
	}
	return packages, nil
}

// check finds which file of a package uses what another one declares.
func check(files *token.FileSet, imports types.Importer, p listed) (*pkg, error) {
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
