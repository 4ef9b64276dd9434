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
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// checker finds what does not compile, without a compiler's time: it checks the types of the mutated package against what the go
// command has compiled of all others.
type checker struct {
	module   string
	exports  map[string]string // the file with a package's compiled names, by import path
	packages map[string]listed // by folder, as a change names it
	fset     *token.FileSet
	parsed   map[string]*ast.File // sources as they are, by path
	imports  types.Importer
}

// listed is what go list says of a package.
type listed struct {
	Dir, ImportPath, Export string
	GoFiles                 []string
}

// newChecker makes one for the packages that the mutations change.
func newChecker(ctx context.Context, module string, all []*mutation) (*checker, error) {
	folders := map[string]bool{}
	for _, m := range all {
		for file := range m.files {
			folders["./"+filepath.Dir(file)] = true
		}
	}
	c := &checker{module: module, exports: map[string]string{}, packages: map[string]listed{}, fset: token.NewFileSet(),
		parsed: map[string]*ast.File{}}
	c.imports = importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) { return c.export(ctx, path) })
	return c, c.list(ctx, slices.Sorted(maps.Keys(folders))...)
}

// list has the go command compile packages and all that they import.
func (c *checker) list(ctx context.Context, packages ...string) error {
	root, err := realPath(c.module)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-export", "-deps", "-json=Dir,ImportPath,Export,GoFiles"}, packages...)...)
	cmd.Dir = c.module
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	for dec := json.NewDecoder(&stdout); ; {
		var p listed
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("go list: %w", err)
		}
		c.exports[p.ImportPath] = p.Export
		if folder, err := filepath.Rel(root, p.Dir); err == nil && filepath.IsLocal(folder) {
			c.packages[folder] = p
		}
	}
}

// realPath is an absolute path without links, as the go command prints it.
func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// export opens what is compiled of a package, which only a mutation may import.
func (c *checker) export(ctx context.Context, path string) (io.ReadCloser, error) {
	if c.exports[path] == "" {
		if err := c.list(ctx, path); err != nil {
			return nil, err
		}
	}
	return os.Open(c.exports[path])
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
