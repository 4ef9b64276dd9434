package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// program is one of the commands that a release carries.
type program struct {
	name string
	// says are the arguments with which it prints its version.
	says []string
}

// programs are what each zip has, in this order. Each is the package cmd/NAME.
var programs = []program{
	{name: plugin, says: []string{"--version"}},
	{name: "cloudpw", says: []string{"version"}},
}

func (p program) pkg() string { return "./cmd/" + p.name }

// packages are those of all programs.
func packages() []string {
	all := make([]string, len(programs))
	for i, p := range programs {
		all[i] = p.pkg()
	}
	return all
}

// file is the name of a program's file on that platform.
func (t target) file(p program) string {
	if t.os == "windows" {
		return p.name + ".exe"
	}
	return p.name
}

// built is a program that has been compiled.
type built struct {
	file    string
	content []byte
	info    *debug.BuildInfo
}

// build compiles the programs into a folder of its own and checks what they became: a flag that is left out would make a file
// that others cannot make again.
func (c *compiler) build(ctx context.Context, t target, r *release, folder string) ([]built, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	args := slices.Concat([]string{"build"}, r.flags, []string{"-o", folder + string(filepath.Separator)}, packages())
	if _, err := output(c.command(ctx, t, args...)); err != nil {
		return nil, err
	}
	all := make([]built, 0, len(programs))
	for _, p := range programs {
		path := filepath.Join(folder, t.file(p))
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		info, err := buildinfo.Read(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.file(p), err)
		}
		if err := checkBuild(info, c.goVersion, t); err != nil {
			return nil, fmt.Errorf("%s %s: %w", t, p.name, err)
		}
		if t == thisMachine() {
			cmd := exec.CommandContext(ctx, path, p.says...)
			cmd.Env = c.env
			printed, err := output(cmd)
			if err != nil {
				return nil, err
			}
			if err := checkVersion(string(printed), r.version); err != nil {
				return nil, fmt.Errorf("%s %s: %w", p.name, strings.Join(p.says, " "), err)
			}
		}
		all = append(all, built{file: t.file(p), content: content, info: info})
	}
	return all, nil
}

// thisMachine is the platform whose programs can be run here.
func thisMachine() target { return target{runtime.GOOS, runtime.GOARCH} }

// checkVersion demands the version as a word of what a program prints of itself: which flag of the linker sets it is the
// program's affair, and one that names no variable is no error of Go.
func checkVersion(printed, version string) error {
	for _, word := range strings.Fields(printed) {
		if strings.Trim(word, ",;()") == version {
			return nil
		}
	}
	return fmt.Errorf("prints %q, which does not name version %s; set it with -ldflags, as the Makefile does",
		strings.TrimSpace(printed), version)
}
