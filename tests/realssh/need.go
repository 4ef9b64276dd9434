package realssh

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Required is the environment variable by which a machine that cannot run the servers fails a test instead of skipping it.
const Required = "CLOUDPW_REAL_SSH"

// Need skips the test, and says why, where the machine cannot run the servers.
func Need(tb testing.TB) {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), script(), "check").CombinedOutput()
	missing := strings.TrimSpace(string(out))
	if _, notFound := exec.LookPath("sshpass"); notFound != nil {
		missing = strings.TrimSpace(missing + "\nsshpass is missing: apt-get install sshpass")
	}
	switch {
	case missing == "" && err == nil:
	case os.Getenv(Required) != "":
		tb.Fatalf("no real SSH server can run here: %s %v", missing, err)
	default:
		tb.Skipf("no real SSH server can run here: %s", missing)
	}
}

// script is the path of scripts/real-sshd.sh.
func script() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "scripts", "real-sshd.sh")
}
