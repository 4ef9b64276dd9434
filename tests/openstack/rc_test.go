package openstack

import (
	"maps"
	"strings"
	"testing"
)

func TestReadRC(t *testing.T) {
	const horizon = `#!/usr/bin/env bash
export OS_AUTH_URL=https://keystone.example.com:5000/v3
# With Keystone v3 ...
export OS_PROJECT_ID=0123456789abcdef0123456789abcdef
export OS_PROJECT_NAME="my project"
if [ -z "$OS_USER_DOMAIN_NAME" ]; then unset OS_USER_DOMAIN_NAME; fi
  export OS_USER_DOMAIN_NAME='Default' # the first one
unset OS_TENANT_ID
OS_USERNAME=demo
echo "Please enter your OpenStack Password: "
read -sr OS_PASSWORD_INPUT
export OS_PASSWORD=$OS_PASSWORD_INPUT
export OS_REGION_NAME="RegionOne"
export OS_CACERT="${HOME}/ca.pem"
export OS_INTERFACE=public
export OS_APPLICATION_CREDENTIAL_SECRET='a$b"c'
export OS_HALF="open
`
	got, err := ReadRC(strings.NewReader(strings.ReplaceAll(horizon, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"OS_AUTH_URL": "https://keystone.example.com:5000/v3", "OS_PROJECT_ID": "0123456789abcdef0123456789abcdef",
		"OS_PROJECT_NAME": "my project", "OS_USER_DOMAIN_NAME": "Default", "OS_USERNAME": "demo",
		"OS_REGION_NAME": "RegionOne", "OS_INTERFACE": "public", "OS_APPLICATION_CREDENTIAL_SECRET": `a$b"c`,
	}
	if !maps.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	if _, err := ReadRC(strings.NewReader("hello\n")); err == nil || !strings.Contains(err.Error(), "Horizon") {
		t.Errorf("a file without variables: %v", err)
	}
}

func TestConfig(t *testing.T) {
	user := map[string]string{
		"OS_AUTH_URL": "https://k.example/v3", "OS_USERNAME": "demo", "OS_PASSWORD": "pw", "OS_USER_DOMAIN_ID": "default",
		"OS_PROJECT_NAME": "demo", "OS_PROJECT_DOMAIN_NAME": "other", "OS_REGION_NAME": "RegionOne",
	}
	none := func(string) string { return "" }
	cfg, err := Config(user, none)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Values["username"] != "demo" || cfg.Values["password"] != "pw" || cfg.Values["user_domain_name"] != "Default" ||
		cfg.Values["project_name"] != "demo" ||
		cfg.Values["project_domain_name"] != "other" || cfg.Values["region"] != "RegionOne" || cfg.HTTPClient == nil {
		t.Errorf("connection is %+v", cfg)
	}
	cfg, err = Config(user, func(name string) string {
		return map[string]string{"OS_PASSWORD": "typed", "OS_PROJECT_ID": "abc"}[name]
	})
	if err != nil || cfg.Values["password"] != "typed" || cfg.Values["project_id"] != "abc" || cfg.Values["project_name"] != "" ||
		cfg.Values["project_domain_name"] != "" {
		t.Errorf("with the environment it is %+v, %v", cfg, err)
	}
	delete(user, "OS_PASSWORD")
	if _, err := Config(user, none); err == nil || !strings.Contains(err.Error(), "OS_PASSWORD") {
		t.Errorf("without a password: %v", err)
	}
	user["OS_APPLICATION_CREDENTIAL_ID"], user["OS_APPLICATION_CREDENTIAL_SECRET"] = "id", "secret"
	cfg, err = Config(user, none)
	if err != nil || cfg.Values["application_credential_id"] != "id" || cfg.Values["application_credential_secret"] != "secret" ||
		cfg.Values["username"] != "" {
		t.Errorf("with an application credential it is %+v, %v", cfg, err)
	}
	user["OS_CACERT"] = "/nonexistent/ca.pem"
	if _, err := Config(user, none); err == nil || !strings.Contains(err.Error(), "OS_CACERT") {
		t.Errorf("without the authority's file: %v", err)
	}
}
