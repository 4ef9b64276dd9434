package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
)

// compiler runs Go in an environment that depends on nobody's settings.
type compiler struct {
	goVersion string // such as go1.26.0
	env       []string
}

// Of the surroundings Go gets only where its own files are and where modules come from. go.sum fixes what they hold.
var (
	fromShell = []string{
		"PATH", "HOME", "TMPDIR", // and on Windows:
		"SYSTEMROOT", "LOCALAPPDATA", "USERPROFILE", "TMP", "TEMP",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
	}
	fromGo = []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOVCS",
		"GOAUTH"}
)

// fixed are the settings that decide what is compiled. A variable of the shell or of `go env -w` could change the code.
var fixed = []string{
	"CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off", // the defaults of Go 1.26
	"GOENV=off", "GOFLAGS=-mod=readonly", "GOTOOLCHAIN=local", "GOWORK=off",
}

func newCompiler(ctx context.Context) (*compiler, error) {
	known, err := goEnv(ctx, append(slices.Clone(fromGo), "GOVERSION"))
	if err != nil {
		return nil, err
	}
	c := &compiler{goVersion: known["GOVERSION"]}
	for _, name := range fromShell {
		if value, ok := os.LookupEnv(name); ok {
			c.env = append(c.env, name+"="+value)
		}
	}
	for _, name := range fromGo {
		c.env = append(c.env, name+"="+known[name])
	}
	c.env = append(c.env, fixed...)
	return c, nil
}

func goEnv(ctx context.Context, names []string) (map[string]string, error) {
	raw, err := output(exec.CommandContext(ctx, "go", append([]string{"env", "-json"}, names...)...))
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	return values, json.Unmarshal(raw, &values)
}

// command is a go command for a target.
func (c *compiler) command(ctx context.Context, t target, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(slices.Clone(c.env), "GOOS="+t.os, "GOARCH="+t.arch)
	return cmd
}

// checkBuild compares what a binary says of itself with what a release must be.
func checkBuild(info *debug.BuildInfo, goVersion string, t target) error {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if info.GoVersion != goVersion {
		return fmt.Errorf("was built with %s, not with %s", info.GoVersion, goVersion)
	}
	for key, want := range map[string]string{"GOOS": t.os, "GOARCH": t.arch, "CGO_ENABLED": "0", "-trimpath": "true"} {
		if settings[key] != want {
			return fmt.Errorf("was built with %s=%s, not %s", key, settings[key], want)
		}
	}
	for key := range settings {
		if strings.HasPrefix(key, "vcs.") {
			return fmt.Errorf("depends on the state of the checkout (%s); add -buildvcs=false", key)
		}
	}
	return nil
}

// output runs a command and returns what it prints. An error holds what it complained of.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", strings.Join(cmd.Args[:2], " "), err), errors.New(stderr.String()))
	}
	return out, nil
}
