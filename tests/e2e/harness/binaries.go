package harness

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Binaries are the programs under test and beside it.
type Binaries struct {
	// Vault is the path of a Vault binary, 1.16 or later, or of an OpenBao binary.
	Vault string
	// OpenBao tells that Vault is an OpenBao, of which some settings and answers differ.
	OpenBao bool
	// Plugin is the path of the built plugin. Its folder becomes Vault's plugin_directory.
	Plugin string
	// PluginVersion is the version built into Plugin, such as "v0.1.0".
	PluginVersion string
	// Simulator is the path of the cloud simulator.
	Simulator string
}

// FindBinaries takes the paths from VAULT_BIN, CLOUDPW_BIN and CLOUDSIM_BIN and the version from CLOUDPW_VERSION. What
// is missing fails the test, with the command that provides it.
func FindBinaries(tb testing.TB) Binaries {
	tb.Helper()
	version := os.Getenv("CLOUDPW_VERSION")
	if version == "" {
		tb.Fatal("CLOUDPW_VERSION is not set: run the end-to-end tests with `make test-e2e`")
	}
	vault := binary(tb, "VAULT_BIN")
	return Binaries{
		Vault:         vault,
		OpenBao:       isOpenBao(tb, vault),
		Plugin:        binary(tb, "CLOUDPW_BIN"),
		PluginVersion: version,
		Simulator:     binary(tb, "CLOUDSIM_BIN"),
	}
}

// isOpenBao asks the program itself, as scripts/get-vault.sh does.
func isOpenBao(tb testing.TB, vault string) bool {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), vault, "version").Output()
	if err != nil {
		tb.Fatalf("VAULT_BIN=%s does not answer \"version\" (%v): run the end-to-end tests with `make test-e2e`", vault, err)
	}
	return bytes.HasPrefix(out, []byte("OpenBao "))
}

// FindNext takes the path of a second build of the plugin, with another version, from CLOUDPW_NEXT_BIN and
// CLOUDPW_NEXT_VERSION.
func FindNext(tb testing.TB) Binaries {
	tb.Helper()
	version := os.Getenv("CLOUDPW_NEXT_VERSION")
	if version == "" {
		tb.Fatal("CLOUDPW_NEXT_VERSION is not set: run these tests with `make test-ha`")
	}
	return Binaries{Plugin: binary(tb, "CLOUDPW_NEXT_BIN"), PluginVersion: version}
}

// binary resolves symbolic links too: Vault refuses a plugin that is one.
func binary(tb testing.TB, variable string) string {
	tb.Helper()
	path := os.Getenv(variable)
	if path == "" {
		tb.Fatalf("%s is not set: run the end-to-end tests with `make test-e2e`", variable)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		tb.Fatalf("%s=%s: %v", variable, path, err)
	}
	resolved, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		tb.Fatalf("%s=%s cannot be used (%v): run the end-to-end tests with `make test-e2e`, which builds it", variable, path, err)
	}
	return resolved
}
