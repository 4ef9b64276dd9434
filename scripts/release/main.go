// Command release builds the files of a release: for each platform a zip with the plugin, the command cloudpw, their licence, the
// notices of the libraries linked into them and a list of these libraries (SBOM); SHA256SUMS of these files; and PLUGIN_SHA256SUMS
// of the plugins inside, which is what `vault plugin register -sha256` wants.
//
//	release -version v0.1.0 -out dist [-targets "linux/amd64 ..."] -- FLAGS OF GO BUILD...
//
// With COSIGN_KEY or GPG_KEY in the environment it also signs SHA256SUMS, and fails if it cannot.
//
// The same sources and the same Go version make the same files, byte for byte, on any machine: this command sets the
// compiler's environment itself, and nothing else from the machine enters a zip. Run it in the folder of the module.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	plugin      = "vault-plugin-secrets-cloudpw"
	licenseFile = "LICENSE"
)

// The files beside the zips.
const (
	sumsFile       = "SHA256SUMS"
	pluginSumsFile = "PLUGIN_SHA256SUMS"
	buildFile      = "BUILD.txt"
)

// allTargets are the platforms of a release. Vault itself is released for each of them.
const allTargets = "darwin/amd64 darwin/arm64 linux/amd64 linux/arm64 windows/amd64 windows/arm64"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	version := flags.String("version", "", "version of the plugin, such as v0.1.0")
	out := flags.String("out", "dist", "folder for the files; it must be empty or absent")
	targets := flags.String("targets", allTargets, "platforms, as GOOS/GOARCH")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := newRelease(*version, *targets, flags.Args())
	if err != nil {
		return err
	}
	keys, err := findSigning(os.Getenv)
	if err != nil {
		return err
	}
	if err := makeEmpty(*out); err != nil {
		return err
	}
	if len(keys) == 0 {
		fmt.Fprintln(os.Stderr, "The release is not signed: neither COSIGN_KEY nor GPG_KEY is set.")
	}
	return r.build(ctx, *out, keys)
}

// release is what is to be built.
type release struct {
	version string // with its v
	targets []target
	flags   []string // of go build
}

// target is a platform.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

var (
	versionForm = regexp.MustCompile(`^v\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$`)
	targetForm  = regexp.MustCompile(`^([a-z0-9]+)/([a-z0-9]+)$`)
)

func newRelease(version, targets string, flags []string) (*release, error) {
	if !versionForm.MatchString(version) {
		return nil, fmt.Errorf("-version %q: give a semantic version such as v0.1.0", version)
	}
	if len(flags) > 0 && !strings.HasPrefix(flags[0], "-") {
		return nil, fmt.Errorf("%q: is no flag of go build", flags[0])
	}
	r := &release{version: version, flags: flags}
	for _, name := range strings.Fields(targets) {
		m := targetForm.FindStringSubmatch(name)
		if m == nil {
			return nil, fmt.Errorf("-targets: %q is not of the form linux/amd64", name)
		}
		r.targets = append(r.targets, target{m[1], m[2]})
	}
	if len(r.targets) == 0 {
		return nil, errors.New("-targets: names no platform")
	}
	return r, nil
}

// name is the name of a target's zip without its ending, in the form that HashiCorp's releases have.
func (r *release) name(t target) string {
	return strings.Join([]string{plugin, strings.TrimPrefix(r.version, "v"), t.os, t.arch}, "_")
}

// makeEmpty makes the folder, and refuses one that holds something: files of another release would look as if they
// belonged to this one.
func makeEmpty(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("-out %s: is not empty; delete it first", folder)
	}
	return nil
}

// build makes all files in the folder out. The sums come last, so a release that was cut short or could not be signed has none.
func (r *release) build(ctx context.Context, out string, keys signing) error {
	license, err := os.ReadFile(licenseFile)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	c, err := newCompiler(ctx)
	if err != nil {
		return err
	}
	var files, plugins sums
	for _, t := range r.targets {
		fmt.Fprintln(os.Stderr, "Building", t)
		all, err := c.build(ctx, t, r, filepath.Join(scratch, t.os+"-"+t.arch))
		if err != nil {
			return err
		}
		entries, err := c.entries(ctx, t, r, license, all)
		if err != nil {
			return err
		}
		archive, err := pack(entries)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, r.name(t)+".zip"), archive, 0o644); err != nil {
			return err
		}
		files.add(r.name(t)+".zip", archive)
		plugins.add(r.name(t)+"/"+all[0].file, all[0].content)
	}
	about := []byte(r.about(c))
	files.add(pluginSumsFile, []byte(plugins.String()))
	files.add(buildFile, about)
	return finish(ctx, out, scratch, keys, about, plugins, files)
}

// entries are the files of a target's zip.
func (c *compiler) entries(ctx context.Context, t target, r *release, license []byte, all []built) ([]entry, error) {
	notices, err := c.notices(ctx, t, r)
	if err != nil {
		return nil, err
	}
	parts, err := r.sbom(t, all)
	if err != nil {
		return nil, err
	}
	entries := []entry{
		{name: licenseFile, content: license},
		{name: noticesFile, content: notices},
		{name: sbomFile, content: parts},
	}
	for _, b := range all {
		entries = append(entries, entry{name: b.file, content: b.content, executable: true})
	}
	return entries, nil
}

// finish writes what stands beside the zips. SHA256SUMS is signed before it is there.
func finish(ctx context.Context, out, scratch string, keys signing, about []byte, plugins, files sums) error {
	unsigned := filepath.Join(scratch, sumsFile)
	if err := os.WriteFile(unsigned, []byte(files.String()), 0o644); err != nil {
		return err
	}
	signatures, err := keys.sign(ctx, unsigned)
	if err != nil {
		return err
	}
	for _, name := range signatures {
		content, err := os.ReadFile(filepath.Join(scratch, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{{buildFile, about}, {pluginSumsFile, []byte(plugins.String())}, {sumsFile, []byte(files.String())}} {
		if err := os.WriteFile(filepath.Join(out, f.name), f.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// about is the text that says how to make these files again.
func (r *release) about(c *compiler) string {
	return fmt.Sprintf(`%s %s

Built with %s. The sources of this version and that Go make these files
again, byte for byte: "make release" in a checkout, then compare %s.

%s  checksums of the files; "sha256sum --check --ignore-missing %s"
%s  checksums of the plugins in the zips, for
                   "vault plugin register -sha256"
`, plugin, r.version, c.goVersion, sumsFile, sumsFile+strings.Repeat(" ", len(pluginSumsFile)-len(sumsFile)), sumsFile, pluginSumsFile)
}
