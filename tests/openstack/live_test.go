//go:build openstack

package openstack

import (
	"os"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// The variables that `make test-openstack` passes on.
const (
	variableRC     = "CLOUDPW_OPENSTACK_RC"
	variableKey    = "CLOUDPW_OPENSTACK_KEY"
	variableRotate = "CLOUDPW_OPENSTACK_ROTATE"
	variableReset  = "CLOUDPW_OPENSTACK_RESET"
)

func TestAgainstARealCloud(t *testing.T) {
	name := os.Getenv(variableRC)
	if name == "" {
		t.Fatalf("%s is not set; run: %s=openrc.sh make test-openstack", variableRC, variableRC)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatalf("%s: %v", variableRC, err)
	}
	defer func() { _ = file.Close() }()
	variables, err := ReadRC(file)
	if err != nil {
		t.Fatalf("%s: %v", variableRC, err)
	}
	cfg, err := Config(variables, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	o := options{rotate: os.Getenv(variableRotate) == "1", reset: os.Getenv(variableReset)}
	if name := os.Getenv(variableKey); name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatalf("%s: %v", variableKey, err)
		}
		if o.key, err = password.ParsePrivateKey(text, nil); err != nil {
			t.Fatalf("%s: %v", variableKey, err)
		}
	}
	got := exercise(t, cfg, o)
	if o.key != nil && got.delivered > 0 && got.decrypted == 0 {
		t.Errorf("%s decrypts none of the %d initial passwords", variableKey, got.delivered)
	}
}
