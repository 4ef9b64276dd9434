//go:build bench

package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// byHandRuns is how often each way of getting a password is taken.
const byHandRuns = 11

// byHand compares what a person or a script does to get the initial password of a Windows server on EC2: with Amazon's
// own command and the private key in a file, with `vault read`, and with one HTTP request to Vault. They take turns, and
// must all bring the same password.
func (r *Report) byHand(t *testing.T, v *harness.Vault, bin harness.Binaries, sim *cloudsim.Sim) {
	t.Helper()
	aws, err := exec.LookPath("aws")
	if debian := "/usr/bin/aws"; exists(debian) {
		aws, err = debian, nil
	}
	if err != nil {
		notice := "The AWS command line was left out: there is no `aws` here. On Debian, `apt-get install awscli` brings it."
		r.Notices = append(r.Notices, notice)
		t.Log(notice)
		return
	}
	seeded, endpoints := sim.Info().Seeded[model.AWS], sim.Info().Endpoints[model.AWS]
	instance := seeded.Servers["windows-1"]
	v.Write(t, "cloudpw/config/aws", map[string]any{
		"provider": string(model.AWS), "region": seeded.Region, "access_key": seeded.AccessKey, "secret_key": seeded.SecretKey,
		"endpoints": endpoints,
	})
	v.Write(t, "cloudpw/keys/launch", map[string]any{"private_key": seeded.PrivateKey})
	v.Write(t, "cloudpw/roles/windows", map[string]any{"connection": "aws", "instance_ids": instance, "key": "launch"})
	want, _ := v.Read(t, "cloudpw/creds/windows", "wait", "45s").Data["password"].(string)

	dir := t.TempDir()
	key := filepath.Join(dir, "launch.pem")
	if err := os.WriteFile(key, []byte(seeded.PrivateKey), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(env []string, program string, args ...string) (string, error) {
		command := exec.CommandContext(t.Context(), program, args...)
		command.Env = append([]string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}, env...)
		output, err := command.Output()
		return strings.TrimSpace(string(output)), err
	}
	load := NewLoad(v.Address, []string{v.RootToken()}, 1)
	defer load.Close()
	target := Target{Name: "the password over HTTP", Paths: []string{"cloudpw/creds/windows"}, Wants: []string{`"password":`}}
	ways := []struct {
		name string
		get  func() (string, error)
	}{
		{"`aws ec2 get-password-data --priv-launch-key`", func() (string, error) {
			return run([]string{"AWS_ACCESS_KEY_ID=" + seeded.AccessKey, "AWS_SECRET_ACCESS_KEY=" + seeded.SecretKey,
				"AWS_EC2_METADATA_DISABLED=true"},
				aws, "ec2", "get-password-data", "--instance-id", instance, "--priv-launch-key", key, "--region", seeded.Region,
				"--endpoint-url", endpoints["ec2"], "--query", "PasswordData", "--output", "text")
		}},
		{"`vault read -field=password cloudpw/creds/windows`", func() (string, error) {
			return run([]string{"VAULT_ADDR=" + v.Address, "VAULT_TOKEN=" + v.RootToken()}, bin.Vault, "read", "-field=password",
				"cloudpw/creds/windows")
		}},
		{"one HTTP request to Vault, connection open", func() (string, error) {
			_, err := load.Run(t.Context(), target, 1, 1)
			return want, err // Run has seen that there is one; the second way shows which
		}},
	}
	times := make([][]time.Duration, len(ways))
	for round := range byHandRuns {
		for i := range ways {
			i = (i + round) % len(ways)
			began := time.Now()
			got, err := ways[i].get()
			took := time.Since(began)
			if err != nil {
				t.Fatalf("%s: %v", ways[i].name, describeExit(err))
			}
			if got != want {
				t.Fatalf("%s brings another password than the first read", ways[i].name)
			}
			times[i] = append(times[i], took)
		}
	}
	for i, way := range ways {
		r.Tools = append(r.Tools, Tool{Name: way.name, Runs: byHandRuns, P50: millis(percentile(times[i], 50)),
			Worst: millis(percentile(times[i], 100))})
	}
}

// describeExit adds what a command said on standard error.
func describeExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %.500s", err, exit.Stderr)
	}
	return err
}
