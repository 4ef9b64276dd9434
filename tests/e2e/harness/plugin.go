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
	"slices"
	"strconv"
	"strings"
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

// Checksum is what the catalog wants to know of a program.
func Checksum(tb testing.TB, program string) string {
	tb.Helper()
	sum, err := fileSHA256(program)
	if err != nil {
		tb.Fatalf("checksum of the plugin: %v", err)
	}
	return sum
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

// UpgradePlugin does what the README says about an upgrade: it registers a program that lies in every node's
// plugin_directory under its version, chooses that for the mount, and reloads the plugin on all nodes.
func (v *Vault) UpgradePlugin(tb testing.TB, program, version string) {
	tb.Helper()
	sum, err := fileSHA256(program)
	if err != nil {
		tb.Fatalf("checksum of the plugin: %v", err)
	}
	v.CLI(tb, "plugin", "register", "-sha256="+sum, "-version="+version, "-command="+filepath.Base(program), "secret", PluginName)
	v.CLI(tb, "secrets", "tune", "-plugin-version="+version, Mount)
	v.CLI(tb, "plugin", "reload", "-plugin="+PluginName, "-scope=global")
}

// RunningVersion is the version of the plugin that serves the mount.
func (v *Vault) RunningVersion(tb testing.TB) string {
	tb.Helper()
	mount, err := v.Client.Sys().GetMount(Mount)
	if err != nil {
		tb.Fatalf("the mount: %v", err)
	}
	return mount.RunningVersion
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
	pids := v.pluginPIDs(tb)
	if len(pids) == 0 {
		tb.Fatal("Vault's log names no plugin process that still runs")
	}
	return pids[len(pids)-1] // Vault asks short-lived processes for their metadata first
}

// pluginPIDs are the running plugin processes that Vault's log names, oldest first.
func (v *Vault) pluginPIDs(tb testing.TB) []int {
	tb.Helper()
	log, err := os.ReadFile(v.TraceLog)
	if err != nil {
		tb.Fatalf("Vault's log: %v", err)
	}
	var pids []int
	for _, started := range pluginStarted.FindAllSubmatch(log, -1) {
		pid, err := strconv.Atoi(string(started[2]))
		if program := string(started[1]); err == nil && v.ours(program) && runs(pid, program) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ours tells whether a program is the plugin, in whatever version.
func (v *Vault) ours(program string) bool {
	return filepath.Dir(program) == filepath.Dir(v.bin.Plugin) && strings.HasPrefix(filepath.Base(program), PluginName)
}

// endOrphans kills the plugin processes of a server that was itself killed: they notice nothing and would stay.
func (v *Vault) endOrphans(tb testing.TB) {
	tb.Helper()
	for _, pid := range v.pluginPIDs(tb) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			tb.Errorf("end the orphaned plugin process %d: %v", pid, err)
		}
	}
}

// runs tells whether the process exists and is that program still, not another one that got its number.
func runs(pid int, program string) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err != nil || exe == program // without /proc the number has to do
}

// KillPlugin kills the plugin's process (SIGKILL), returns when Vault has noted that it is gone, and gives its process id. Vault
// starts a new one at the next request. For a moment after its note, while it flushes its log, it may still send a request to
// the dead process: see Unreached.
func (v *Vault) KillPlugin(tb testing.TB) int {
	tb.Helper()
	pid := v.PluginPID(tb)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		tb.Fatalf("kill the plugin, process %d: %v", pid, err)
	}
	v.awaitEnd(tb, pid)
	noted := regexp.MustCompile(fmt.Sprintf(`plugin process exited:.* id=%d\b`, pid))
	Eventually(tb, 10*time.Second, fmt.Sprintf("Vault's note of the end of the plugin's process %d", pid), func() error {
		log, err := os.ReadFile(v.TraceLog)
		if err == nil && !noted.Match(log) {
			err = errors.New("it has not noticed")
		}
		return err
	})
	return pid
}

// awaitEnd waits until a plugin process is gone.
func (v *Vault) awaitEnd(tb testing.TB, pid int) {
	tb.Helper()
	Eventually(tb, 10*time.Second, fmt.Sprintf("the end of the plugin's process %d", pid), func() error {
		if slices.Contains(v.pluginPIDs(tb), pid) {
			return errors.New("it is still there")
		}
		return nil
	})
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
