package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/scripts/golist"
)

// checker finds what does not compile, without a compiler's time: it checks the types of the mutated package against what the go
// command has compiled of all others.
type checker struct {
	module   string
	packages map[string]golist.Package // by folder, as a change names it
	fset     *token.FileSet
	parsed   map[string]*ast.File // sources as they are, by path
	imports  types.Importer
}

// newChecker makes one for the packages that the mutations change.
func newChecker(ctx context.Context, module string, all []*mutation) (*checker, error) {
	folders := map[string]bool{}
	for _, m := range all {
		for file := range m.files {
			folders["./"+filepath.Dir(file)] = true
		}
	}
	exports, files := golist.In(module), token.NewFileSet()
	listed, err := exports.List(ctx, slices.Sorted(maps.Keys(folders))...)
	if err != nil {
		return nil, err
	}
	root, err := realPath(module)
	if err != nil {
		return nil, err
	}
	c := &checker{module: module, packages: map[string]golist.Package{}, fset: files, parsed: map[string]*ast.File{},
		imports: exports.Importer(ctx, files)}
	for _, p := range listed {
		if folder, err := filepath.Rel(root, p.Dir); err == nil && filepath.IsLocal(folder) {
			c.packages[folder] = p
		}
	}
	return c, nil
}

// realPath is an absolute path without links, as the go command prints it.
func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// check says what does not compile in the package that a mutation changes. One that changes several packages is not checked, since
// each of them would have to be compiled for the next: its tests show it.
func (c *checker) check(m *mutation) error {
	folders := map[string]bool{}
	for file := range m.files {
		folders[filepath.Dir(file)] = true
	}
	if len(folders) != 1 {
		return nil
	}
	folder := slices.Collect(maps.Keys(folders))[0]
	p, ok := c.packages[folder]
	if !ok {
		return fmt.Errorf("the go command knows no package in %s", folder)
	}
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := c.parse(m, filepath.Join(folder, name))
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	config := types.Config{Importer: c.imports}
	_, err := config.Check(p.ImportPath, c.fset, files, nil)
	return err
}

// parse reads a source as the mutation has it.
func (c *checker) parse(m *mutation, path string) (*ast.File, error) {
	if text, changed := m.files[path]; changed {
		return parser.ParseFile(c.fset, path, text, parser.SkipObjectResolution)
	}
	if file := c.parsed[path]; file != nil {
		return file, nil
	}
	file, err := parser.ParseFile(c.fset, filepath.Join(c.module, path), nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	c.parsed[path] = file
	return file, nil
}
