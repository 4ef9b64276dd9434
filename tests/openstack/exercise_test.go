package openstack

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	provider "github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

const (
	// unknownID has the form of an instance id and belongs to none.
	unknownID = "00000000-0000-4000-8000-000000000000"
	// mostRead is how many instances' initial passwords are asked for.
	mostRead = 20
)

// options of exercise.
type options struct {
	key    *password.PrivateKey // decrypts the initial passwords; nil leaves them encrypted
	rotate bool                 // make and delete an application credential
	reset  string               // the id of a server whose password may be set; empty sets none
}

// outcome counts what exercise found.
type outcome struct{ instances, delivered, decrypted int }

func connect(t *testing.T, cfg cloud.Config) cloud.Provider {
	t.Helper()
	all := provider.Descriptors()
	i := slices.IndexFunc(all, func(d cloud.Descriptor) bool { return d.Name == cfg.Provider })
	if i < 0 {
		t.Fatalf("there is no provider %q", cfg.Provider)
	}
	if err := all[i].Validate(cfg); err != nil {
		t.Fatalf("the connection is refused: %v", err)
	}
	p, err := all[i].New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// exercise uses a connection for everything that it can do.
func exercise(t *testing.T, cfg cloud.Config, o options) outcome {
	t.Helper()
	p := connect(t, cfg)
	if err := p.Verify(t.Context()); err != nil {
		t.Fatalf("Verify: %v", err)
	}
	var out outcome
	t.Run("instances", func(t *testing.T) { out.instances = checkInstances(t, p) })
	t.Run("initial passwords", func(t *testing.T) { out.delivered, out.decrypted = readPasswords(t, p, o.key) })
	t.Run("permissions", func(t *testing.T) { checkPermissions(t, p) })
	t.Run("refusals", func(t *testing.T) { checkRefusals(t, p, cfg) })
	if o.rotate {
		t.Run("rotation", func(t *testing.T) { rotate(t, p, cfg) })
	}
	if o.reset != "" {
		t.Run("reset", func(t *testing.T) { reset(t, p, o.reset) })
	}
	return out
}

// reset sets the password of a server's administrator, whoever that is for Nova, to one that nobody keeps.
func reset(t *testing.T, p cloud.Provider, id string) {
	method := p.(cloud.PasswordResetters).Resetter(cloud.MethodAPI)
	found, err := p.DescribeInstances(t.Context(), []string{id})
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	r := cloud.Reset{InstanceIDs: []string{id}, Username: p.DefaultUsername(found[0])}
	if r.Prepared, err = method.(cloud.ResetPreparer).PrepareReset(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if r.Password, err = password.Generate(p.PasswordRules(found[0]), r.Username, 0); err != nil {
		t.Fatal(err)
	}
	started, err := method.StartReset(t.Context(), r)
	if err != nil || !started.Done {
		t.Fatalf("started %+v, %v", started, err)
	}
	t.Logf("the password of %s was set", r.Username)
}

func checkInstances(t *testing.T, p cloud.Provider) int {
	all, err := p.FindInstances(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d instances", len(all))
	if len(all) == 0 {
		return 0
	}
	first := all[0]
	one, err := p.DescribeInstances(t.Context(), []string{first.ID, unknownID})
	if err != nil || len(one) != 1 || one[0].ID != first.ID || one[0].Name != first.Name || !reflect.DeepEqual(one[0].Tags, first.Tags) {
		t.Errorf("described %+v, %v; listed %+v", one, err, first)
	}
	tagged, err := p.FindInstances(t.Context(), first.Tags)
	if err != nil || !slices.ContainsFunc(tagged, func(i cloud.Instance) bool { return i.ID == first.ID }) {
		t.Errorf("the tags %v do not find the instance that has them: %v", first.Tags, err)
	}
	return len(all)
}

func readPasswords(t *testing.T, p cloud.Provider, key *password.PrivateKey) (delivered, decrypted int) {
	all, err := p.FindInstances(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	reader := p.(cloud.InitialPasswordReader)
	for _, instance := range all[:min(len(all), mostRead)] {
		ciphertext, err := reader.InitialPassword(t.Context(), instance.ID)
		switch cloud.KindOf(err) {
		case "":
		case cloud.NotReady:
			continue
		default:
			t.Errorf("%s: %v", instance.ID, err)
			continue
		}
		delivered++
		if key == nil {
			continue
		}
		if _, err := password.DecryptInitial(key, ciphertext); err != nil {
			t.Logf("%s, key pair %s: %v", instance.ID, instance.KeyName, err)
			continue
		}
		decrypted++
	}
	t.Logf("%d initial passwords are there, %d decrypt", delivered, decrypted)
	return delivered, decrypted
}

func checkPermissions(t *testing.T, p cloud.Provider) {
	all, err := p.(cloud.PermissionChecker).CheckPermissions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, permission := range all {
		t.Logf("%s: %s (%s) %s", permission.Action, permission.Verdict, permission.Purpose, permission.Message)
		if i == 0 && permission.Verdict != cloud.PermissionGranted {
			t.Errorf("instances were listed, and %s is %s", permission.Action, permission.Verdict)
		}
	}
}

func checkRefusals(t *testing.T, p cloud.Provider, cfg cloud.Config) {
	_, err := p.(cloud.InitialPasswordReader).InitialPassword(t.Context(), unknownID)
	if cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("an unknown instance: %v", err)
	}
	const wrong = "surely-not-the-secret"
	if cfg.Values["application_credential_secret"] != "" {
		cfg.Values = cfg.With(cloud.Values{"application_credential_secret": wrong})
	} else {
		cfg.Values = cfg.With(cloud.Values{"password": wrong})
	}
	err = connect(t, cfg).Verify(t.Context())
	if cloud.KindOf(err) != cloud.Denied || strings.Contains(fmt.Sprint(err), wrong) {
		t.Errorf("a wrong secret: %v", err)
	}
}

// rotate makes another application credential, uses it and has it delete itself.
func rotate(t *testing.T, p cloud.Provider, cfg cloud.Config) {
	made, err := p.(cloud.CredentialRotator).CreateCredential(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Values = cfg.With(made).With(cloud.Values{"project_id": ""})
	q := connect(t, cfg)
	if err := q.Verify(t.Context()); err != nil {
		t.Errorf("the new application credential does not work: %v", err)
	}
	if err := q.(cloud.CredentialRotator).DeleteCredential(t.Context(), made["application_credential_id"]); err != nil {
		t.Errorf("delete it with: openstack application credential delete %s; %v", made["application_credential_id"], err)
	}
	if err := connect(t, cfg).Verify(t.Context()); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("the deleted application credential works: %v", err)
	}
}

// TestAgainstTheSimulator goes the same way as a user with a real cloud: from an rc file, over TLS with a
// private authority.
func TestAgainstTheSimulator(t *testing.T) {
	sim := cloudsim.Start(t, cloudsim.Options{TLS: true})
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	account := seeded[model.OpenStack]
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, []byte(sim.CAPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := password.ParsePrivateKey([]byte(account.PrivateKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	common := fmt.Sprintf("export OS_AUTH_URL=%s/v3\nexport OS_REGION_NAME=%s\nexport OS_CACERT=%s\n",
		sim.URL(model.OpenStack, "identity"), account.Region, authority)
	for name, rc := range map[string]string{
		"user": fmt.Sprintf("OS_USERNAME=%s\nOS_PASSWORD=%s\nOS_USER_DOMAIN_NAME=%s\nOS_PROJECT_NAME=%q\nOS_PROJECT_DOMAIN_NAME=%s\n",
			account.Username, account.Password, account.UserDomainName, account.ProjectName, account.ProjectDomainName),
		"application credential": fmt.Sprintf("OS_APPLICATION_CREDENTIAL_ID=%s\nOS_APPLICATION_CREDENTIAL_SECRET='%s'\n",
			account.AppCredentialID, account.AppCredential),
	} {
		t.Run(name, func(t *testing.T) {
			file, err := ReadRC(strings.NewReader(common + rc))
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := Config(file, func(string) string { return "" })
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cfg.HTTPClient.CloseIdleConnections)
			got := exercise(t, cfg, options{key: key, rotate: true, reset: account.Servers["windows-1"]})
			if want := (outcome{instances: len(account.Servers), delivered: 1, decrypted: 1}); got != want {
				t.Errorf("found %+v, want %+v", got, want)
			}
		})
	}
}
