//go:build bench

package scale

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

const (
	defaultAccounts = 100_000
	// roleSize is how many accounts a role has: few enough that one write of it ends within Vault's limit for a request.
	roleSize = 2_000
	starts   = 3
	cloud    = model.TencentCloud
)

// accounts is how many there are to be, from the environment.
func accounts(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SCALE_ACCOUNTS")
	if text == "" {
		return defaultAccounts
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < roleSize || n%roleSize != 0 {
		t.Fatalf("SCALE_ACCOUNTS=%s: must be a multiple of %d", text, roleSize)
	}
	return n
}

// TestScale binds scheduled accounts to roles, has Vault start the plugin's process again, and measures until the first
// password is served and until the schedule of all of them is loaded.
func TestScale(t *testing.T) {
	bin := harness.FindBinaries(t)
	// In this process: over its admin API each server would open a port.
	sim := cloudsim.Start(t, cloudsim.Options{})
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	account := seeded[cloud]
	v := harness.StartVault(t, bin, harness.Quiet)
	v.RegisterAndMount(t)
	v.Write(t, "cloudpw/config/c", map[string]any{
		"provider": string(cloud), "region": account.Region, "access_key": account.AccessKey, "secret_key": account.SecretKey,
		"endpoints": sim.Info().Endpoints[cloud], "max_requests_per_second": 10,
	})
	v.Write(t, "cloudpw/roles/one", map[string]any{
		"connection": "c", "instance_ids": account.Servers["linux-1"], "mode": "static", "force_stop": true, "skip_import_rotation": false,
		"rotation_period": "240h",
	})
	size := accounts(t)
	began := time.Now()
	for n := range size / roleSize {
		bind(t, v, sim.World(), account, n)
		t.Logf("%d accounts after %s", (n+1)*roleSize, time.Since(began).Round(time.Second))
	}
	if got := v.Read(t, "cloudpw/creds/one", "wait", "45s").Data["password"]; got == "" {
		t.Fatal("no password before the start")
	}
	for n := range starts {
		began := time.Now()
		v.ReloadPlugin(t)
		if got := v.Read(t, "cloudpw/creds/one").Data["password"]; got == "" {
			t.Fatal("no password")
		}
		read := time.Since(began)
		harness.Eventually(t, 5*time.Minute, "the schedule", func() error {
			status := v.Read(t, "cloudpw/status").Data
			if status["loading"] != false {
				return errors.New("it is still loading")
			}
			if got := fmt.Sprint(status["queued"]); n == 0 && got != fmt.Sprint(size+1) {
				t.Errorf("%s accounts have something to do, want %d", got, size+1)
			}
			return nil
		})
		t.Logf("start %d of the plugin's process with %d accounts: %d ms to the first password, %.1f s to the whole schedule",
			n+1, size+1, read.Milliseconds(), time.Since(began).Seconds())
	}
	command(t, v, size)
}

// firstPage is how long a person may wait for the first page of `cloudpw servers`.
const firstPage = time.Second

// command measures the command cloudpw, from its start to its end, with all accounts.
func command(t *testing.T, v *harness.Vault, size int) {
	t.Helper()
	program := os.Getenv("CLOUDPW_COMMAND")
	if program == "" {
		t.Fatal("CLOUDPW_COMMAND is not set: run this with `make bench-scale`")
	}
	for _, args := range [][]string{
		{"servers"}, {"servers", "--role", "role-0", "--limit", "50"}, {"servers", "--sort", "age"}, {"__complete", "show", "tencent"},
	} {
		best := time.Duration(math.MaxInt64)
		lines := 0
		for range 5 {
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Env = []string{"HOME=" + t.TempDir(), "VAULT_ADDR=" + v.Address, "VAULT_TOKEN=" + v.RootToken()}
			began := time.Now()
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("cloudpw %v: %v", args, err)
			}
			best, lines = min(best, time.Since(began)), strings.Count(string(out), "\n")
		}
		t.Logf("cloudpw %s with %d accounts: %d ms for %d lines", strings.Join(args, " "), size+1, best.Milliseconds(), lines)
		if len(args) == 1 && best > firstPage {
			t.Errorf("the first page took %v, want at most %v", best, firstPage)
		}
	}
}

// bind launches servers and makes a role of them.
func bind(t *testing.T, v *harness.Vault, world *model.World, account cloudsim.Credentials, n int) {
	t.Helper()
	role := fmt.Sprintf("role-%d", n)
	for range roleSize {
		_, err := world.AddServer(model.Server{Cloud: cloud, AccountID: account.AccountID, Region: account.Region,
			Tags: map[string]string{"role": role}})
		if err != nil {
			t.Fatal(err)
		}
	}
	v.Write(t, "cloudpw/roles/"+role, map[string]any{
		"connection": "c", "instance_tags": "role=" + role, "mode": "static", "force_stop": true, "rotation_period": "240h",
	})
}
