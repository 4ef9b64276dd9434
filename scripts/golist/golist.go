// Package golist has the go command list packages and compile what they import, so that a program can check types without
// compiling anything itself.
package golist

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
)

// Package is one as go list shows it.
type Package struct {
	ImportPath, Dir, Export string // Export is the file with its compiled names
	GoFiles                 []string
	DepOnly                 bool // no pattern names it
	Module                  *struct{ Path string }
}

// Exports are the compiled names of packages.
type Exports struct {
	folder string            // where the go command runs
	files  map[string]string // by import path
}

// In makes an empty one for the module in a folder.
func In(folder string) *Exports { return &Exports{folder: folder, files: map[string]string{}} }

// List lists packages and all that they import, and has them compiled. It fails if one of them cannot be loaded or compiled.
func (e *Exports) List(ctx context.Context, patterns ...string) ([]Package, error) {
	list := exec.CommandContext(ctx, "go", append([]string{
		"list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,DepOnly,Module,Error", "--",
	}, patterns...)...)
	list.Dir = e.folder
	var told bytes.Buffer
	list.Stderr = &told
	answer, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, told.String())
	}
	var all []Package
	for in := json.NewDecoder(bytes.NewReader(answer)); ; {
		var p struct {
			Package
			Error *struct{ Err string }
		}
		switch err := in.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("go list: %w", err)
		case p.Error != nil:
			return nil, errors.New(p.Error.Err)
		}
		e.files[p.ImportPath] = p.Export
		all = append(all, p.Package)
	}
}

// Importer finds what a source imports. A package that was not listed is listed then.
func (e *Exports) Importer(ctx context.Context, files *token.FileSet) types.Importer {
	return importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) {
		if e.files[path] == "" {
			if _, err := e.List(ctx, path); err != nil {
				return nil, err
			}
		}
		return os.Open(e.files[path])
	})
}
