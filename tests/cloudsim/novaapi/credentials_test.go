package novaapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/applicationcredentials"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// keystone is a real gophercloud client of the identity service.
func (f *fixture) keystone(t *testing.T, opts gophercloud.AuthOptions) *gophercloud.ServiceClient {
	t.Helper()
	opts.IdentityEndpoint = f.identity + "/v3"
	provider, err := openstack.AuthenticatedClient(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	client, err := openstack.NewIdentityV3(provider, gophercloud.EndpointOpts{Region: "eu-de"})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestApplicationCredentialsMakeOthers(t *testing.T) {
	f := newFixture(t, model.OpenStack, nil)
	ctx := t.Context()
	client := f.keystone(t, f.login())
	ends := f.now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	rules := []applicationcredentials.AccessRule{{Service: "compute", Method: "GET", Path: "/v2.1/servers/**"}}
	first, err := applicationcredentials.Create(ctx, client, f.user.ID, applicationcredentials.CreateOpts{
		Name: "first", Unrestricted: true, ExpiresAt: &ends, AccessRules: rules,
	}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	if first.Secret == "" || first.ProjectID != f.project.ID || !first.Unrestricted || !first.ExpiresAt.Equal(ends) ||
		len(first.AccessRules) != 1 {
		t.Errorf("made %+v", first)
	}

	unrestricted := f.keystone(t, gophercloud.AuthOptions{ApplicationCredentialID: first.ID, ApplicationCredentialSecret: first.Secret})
	second, err := applicationcredentials.Create(ctx, unrestricted, f.user.ID, applicationcredentials.CreateOpts{Name: "second"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	restricted := f.keystone(t, gophercloud.AuthOptions{ApplicationCredentialID: second.ID, ApplicationCredentialSecret: second.Secret})
	create := func(client *gophercloud.ServiceClient, user string, opts applicationcredentials.CreateOpts) error {
		_, err := applicationcredentials.Create(ctx, client, user, opts).Extract()
		return err
	}
	for _, c := range []struct {
		name   string
		err    error
		status int
	}{
		{"a restricted one makes none", create(restricted, f.user.ID, applicationcredentials.CreateOpts{Name: "x"}), 403},
		{"a restricted one deletes none", applicationcredentials.Delete(ctx, restricted, f.user.ID, first.ID).ExtractErr(), 403},
		{"another user's", create(unrestricted, "somebody", applicationcredentials.CreateOpts{Name: "x"}), 403},
		{"the same name", create(unrestricted, f.user.ID, applicationcredentials.CreateOpts{Name: "first"}), 409},
		{"a role the user lacks", create(client, f.user.ID, applicationcredentials.CreateOpts{
			Name: "x", Roles: []applicationcredentials.Role{{Name: "admin"}}}), 400},
		{"an end in the past", create(client, f.user.ID, applicationcredentials.CreateOpts{Name: "x", ExpiresAt: &time.Time{}}), 400},
		{"an unknown one", applicationcredentials.Get(ctx, restricted, f.user.ID, "none").Err, 404},
	} {
		if !gophercloud.ResponseCodeIs(c.err, c.status) {
			t.Errorf("%s: %v, want %d", c.name, c.err, c.status)
		}
	}

	if err := applicationcredentials.Delete(ctx, unrestricted, f.user.ID, second.ID).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	pages, err := applicationcredentials.List(restricted, f.user.ID, nil).AllPages(ctx)
	if !gophercloud.ResponseCodeIs(err, http.StatusNotFound) ||
		!strings.Contains(err.Error(), "Could not find Application Credential: "+second.ID) {
		t.Errorf("the token of a deleted credential works: %v, %v", pages, err)
	}
	if pages, err = applicationcredentials.List(unrestricted, f.user.ID, nil).AllPages(ctx); err != nil {
		t.Fatal(err)
	}
	left, err := applicationcredentials.ExtractApplicationCredentials(pages)
	if err != nil || len(left) != 1 || left[0].ID != first.ID || left[0].Secret != "" {
		t.Errorf("left are %+v, %v", left, err)
	}
}

func TestAccessKeysMakeOthers(t *testing.T) {
	for name, dialect := range map[model.Cloud]Dialect{model.HuaweiCloud: DialectDirect, model.OpenTelekomCloud: DialectScoped} {
		t.Run(string(name), func(t *testing.T) {
			f := newFixture(t, name, nil)
			url := f.identity + "/v3.0/OS-CREDENTIAL/credentials"
			s := f.signer(dialect)
			s.project = ""
			body := func(user string) string {
				return fmt.Sprintf(`{"credential":{"user_id":%q,"description":"test"}}`, user)
			}
			r := get(t, s, "GET", url)
			r.want(t, 200, "credentials/0/access", f.key.ID)
			r.want(t, 200, "credentials/0/user_id", f.user.ID)
			get(t, s, "GET", url+"?user_id=somebody").want(t, 403, "error/code", "403")
			get(t, s, "GET", url, headerDomainID, "another").want(t, 403, "error/code", "403")
			send(t, s, "POST", url, body("somebody")).want(t, 403, "error/code", "403")
			send(t, s, "POST", url, `{}`).want(t, 400, "error/code", "400")
			made := send(t, s, "POST", url, body(f.user.ID), headerDomainID, f.account.ID)
			made.want(t, 201, "credential/user_id", f.user.ID)
			send(t, s, "POST", url, body(f.user.ID)).want(t, 400, "error/message", "akSkNumExceed")

			again := f.signer(dialect)
			again.project, again.access, again.secret = "", fmt.Sprint(made.at("credential/access")), fmt.Sprint(made.at("credential/secret"))
			get(t, s, "GET", url+"/"+again.access).want(t, 200, "credential/description", "test")
			send(t, again, "PUT", url+"/"+f.key.ID, `{"credential":{"status":"inactive","description":"off"}}`).want(t, 200, "credential/status",
				"inactive")
			get(t, again, "GET", url+"/"+f.key.ID).want(t, 200, "credential/description", "off")
			get(t, s, "GET", url).want(t, 401, "error_code", "APIGW.0301")
			send(t, again, "PUT", url+"/"+f.key.ID, `{"credential":{"status":"active"}}`).want(t, 200, "credential/description", "off")
			send(t, again, "PUT", url+"/"+f.key.ID, `{"credential":{"status":"asleep"}}`).want(t, 400, "error/code", "400")
			get(t, again, "GET", url+"/"+f.key.ID).want(t, 200, "credential/status", "active")
			get(t, again, "DELETE", url+"/"+f.key.ID).want(t, 204, "", "")
			get(t, again, "DELETE", url+"/"+f.key.ID).want(t, 404, "error/code", "404")
			get(t, s, "GET", url).want(t, 401, "error_code", "APIGW.0301")
			get(t, again, "GET", f.identity+"/v3/users/"+f.user.ID+"/application_credentials").want(t, 404, "error/code", "404")
		})
	}
	f := newFixture(t, model.OpenStack, nil)
	client := f.keystone(t, f.login())
	get(t, nil, "GET", f.identity+"/v3.0/OS-CREDENTIAL/credentials", headerToken, client.Token()).want(t, 404, "", "")
}

func TestOlderNovaAndItsCatalogue(t *testing.T) {
	f := newFixture(t, model.OpenStack, func(o *Options) {
		o.MaxMicroversion = 15
		o.CatalogURL = func(base, project string) string { return base + "/v2/" + project }
	})
	s := f.windows(t)
	client, err := f.byToken(t, f.login())
	if err != nil {
		t.Fatal(err)
	}
	old := *client
	old.Endpoint = f.compute + "/v2.1/"
	old.Microversion = "2.26"
	_, err = servers.Get(t.Context(), &old, s.ID).Extract()
	var refused gophercloud.ErrUnexpectedResponseCode
	if !errors.As(err, &refused) || refused.Actual != http.StatusNotAcceptable {
		t.Errorf("got %v, want 406", err)
	}
	get(t, nil, "GET", f.compute+"/v2.1").want(t, 200, "version/version", "2.15")
	if want := f.compute + "/v2/" + f.project.ID + "/"; client.Endpoint != want {
		t.Errorf("the catalogue says %s, want %s", client.Endpoint, want)
	}
}
