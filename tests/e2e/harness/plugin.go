package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// PluginName is the name under which the plugin is registered: that of its binary.
const PluginName = "vault-plugin-secrets-cloudpw"

// Mount is where the tests mount the engine.
const Mount = "cloudpw"

// RegisterAndMount does what an operator does: register the plugin by checksum and version, and enable it at cloudpw/.
func (v *Vault) RegisterAndMount(tb testing.TB) {
	tb.Helper()
	v.Register(tb)
	v.MountAt(tb, Mount)
}

// Register adds the plugin to Vault's catalog.
func (v *Vault) Register(tb testing.TB) {
	tb.Helper()
	sum, err := fileSHA256(v.bin.Plugin)
	if err != nil {
		tb.Fatalf("checksum of the plugin: %v", err)
	}
	err = v.Client.Sys().RegisterPlugin(&api.RegisterPluginInput{
		Name:    PluginName,
		Type:    api.PluginTypeSecrets,
		Command: filepath.Base(v.bin.Plugin),
		SHA256:  sum,
		Version: v.bin.PluginVersion,
	})
	if err != nil {
		tb.Fatalf("register the plugin: %v", err)
	}
}

// MountAt enables the registered plugin at a path.
func (v *Vault) MountAt(tb testing.TB, path string) {
	tb.Helper()
	err := v.Client.Sys().Mount(path, &api.MountInput{
		Type:   PluginName,
		Config: api.MountConfigInput{PluginVersion: v.bin.PluginVersion},
	})
	if err != nil {
		tb.Fatalf("enable the engine at %s/: %v", path, err)
	}
}

// ReloadPlugin has Vault end the plugin's process and start it again for every mount.
func (v *Vault) ReloadPlugin(tb testing.TB) {
	tb.Helper()
	if _, err := v.Client.Sys().ReloadPlugin(&api.ReloadPluginInput{Plugin: PluginName}); err != nil {
		tb.Fatalf("reload the plugin: %v", err)
	}
}

// pluginStarted matches Vault's note of a plugin process: "plugin started: path=/... pid=123".
var pluginStarted = regexp.MustCompile(`plugin started:.* path=(\S+) pid=(\d+)`)

// PluginPID is the id of the plugin process that serves the mounts now, according to Vault's log.
func (v *Vault) PluginPID(tb testing.TB) int {
	tb.Helper()
	log, err := os.ReadFile(v.TraceLog)
	if err != nil {
		tb.Fatalf("Vault's log: %v", err)
	}
	started := pluginStarted.FindAllSubmatch(log, -1)
	for i := len(started) - 1; i >= 0; i-- { // newest first; short-lived ones only told Vault their metadata
		pid, err := strconv.Atoi(string(started[i][2]))
		if err == nil && string(started[i][1]) == v.bin.Plugin && syscall.Kill(pid, 0) == nil {
			return pid
		}
	}
	tb.Fatal("Vault's log names no plugin process that still runs")
	return 0
}

// KillPlugin kills the plugin's process (SIGKILL), returns when it is gone, and gives its process id. Vault starts a new
// one at the next request.
func (v *Vault) KillPlugin(tb testing.TB) int {
	tb.Helper()
	pid := v.PluginPID(tb)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		tb.Fatalf("kill the plugin, process %d: %v", pid, err)
	}
	Eventually(tb, 10*time.Second, fmt.Sprintf("the end of the plugin's process %d", pid), func() error {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("it is still there (%v)", err)
		}
		return nil
	})
	return pid
}

func fileSHA256(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
