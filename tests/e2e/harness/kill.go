package harness

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
)

// PluginPIDs are the ids of the plugin processes that run, oldest first: the one that serves the mounts, and those that
// killed servers have left behind.
func (v *Vault) PluginPIDs(tb testing.TB) []int {
	tb.Helper()
	return v.pluginPIDs(tb)
}

// EndPlugin kills (SIGKILL) a plugin process that [Vault.PluginPIDs] has named and returns when it is gone. One that has
// ended by itself is fine.
func (v *Vault) EndPlugin(tb testing.TB, pid int) {
	tb.Helper()
	if !slices.Contains(v.pluginPIDs(tb), pid) {
		return
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		tb.Fatalf("kill the plugin, process %d: %v", pid, err)
	}
	v.awaitEnd(tb, pid)
}

// IrrevocableLeases counts the leases that Vault has given up revoking.
func (v *Vault) IrrevocableLeases(tb testing.TB) int {
	tb.Helper()
	answer := v.Read(tb, "sys/leases/count", "type", "irrevocable")
	n, ok := answer.Data["lease_count"]
	if !ok {
		tb.Fatalf("sys/leases/count: no lease_count in %v", answer.Data)
	}
	var count int
	if _, err := fmt.Sscan(fmt.Sprint(n), &count); err != nil {
		tb.Fatalf("sys/leases/count: lease_count %v: %v", n, err)
	}
	return count
}
