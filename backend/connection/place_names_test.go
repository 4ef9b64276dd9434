package connection

import (
	"maps"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/aws"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/ssh"
)

func TestNewCredentialsOfTheSamePlaceAreNoChange(t *testing.T) {
	d := cloud.Descriptor{Name: "p", Fields: everyField()}
	a := &Record{Provider: "p", Endpoints: map[string]string{"x": "https://a/"},
		Own: cloud.Values{"region": "r", "access_key": "one", "secret_key": "s", "role_arn": "arn:aws:iam::123456789012:role/a"}}
	own := func(changes cloud.Values) func(*Record) {
		return func(c *Record) { c.Own = c.Own.With(changes) }
	}
	for name, c := range map[string]struct {
		change func(*Record)
		same   bool
	}{
		"keys":                        {own(cloud.Values{"access_key": "two", "secret_key": "t"}), true},
		"a user":                      {own(cloud.Values{"username": "u", "password": "p"}), true},
		"a role of the same account":  {own(cloud.Values{"role_arn": "arn:aws:iam::123456789012:role/b"}), true},
		"a final slash":               {func(c *Record) { c.Endpoints = map[string]string{"x": "https://a"} }, true},
		"what is no place":            {func(c *Record) { c.AllowedRoles, c.MaxRequestsPerSecond = []string{"a"}, 3 }, true},
		"a role of another account":   {own(cloud.Values{"role_arn": "arn:aws:iam::210987654321:role/a"}), false},
		"another endpoint":            {func(c *Record) { c.Endpoints = map[string]string{"x": "https://b"} }, false},
		"one more endpoint":           {func(c *Record) { c.Endpoints = map[string]string{"x": "https://a", "y": "https://a"} }, false},
		"an endpoint of another name": {func(c *Record) { c.Endpoints = map[string]string{"y": "https://a"} }, false},
		"another identity service":    {own(cloud.Values{"auth_url": "https://k"}), false},
		"another region":              {own(cloud.Values{"region": "q"}), false},
		"another project":             {own(cloud.Values{"project_id": "q"}), false},
		"another project by name":     {own(cloud.Values{"project_name": "q"}), false},
		"another domain":              {own(cloud.Values{"user_domain_name": "q"}), false},
		"another account is told":     {func(c *Record) { c.AccountID = "2" }, false},
	} {
		told := a.Clone()
		told.AccountID = "1"
		b := told.Clone()
		b.Endpoints = maps.Clone(a.Endpoints)
		c.change(b)
		if same := told.Place(d) == b.Place(d); same != c.same {
			t.Errorf("%s: the same place is %v", name, same)
		}
	}
}

// TestOnlyTheCloudsOwnHostsProveAnAccount: an endpoint that the connection names may say anything.
func TestOnlyTheCloudsOwnHostsProveAnAccount(t *testing.T) {
	d := cloud.Descriptor{Name: "p", Fields: everyField()}
	for name, c := range map[string]struct {
		connection Record
		proven     bool
	}{
		"the cloud's own hosts": {Record{AccountID: "1"}, true},
		"an endpoint":           {Record{AccountID: "1", Endpoints: map[string]string{"sts": "https://a"}}, false},
		"an identity service":   {Record{AccountID: "1", Own: cloud.Values{"auth_url": "https://k"}}, false},
		"no account told":       {Record{}, false},
	} {
		if _, proven := c.connection.Place(d).Account(); proven != c.proven {
			t.Errorf("%s: proven is %v", name, proven)
		}
	}
}

// everyField are the fields of all families of clouds, without their checks.
func everyField() []cloud.Field {
	var fields []cloud.Field
	known := map[string]bool{}
	for _, d := range append(openstack.Descriptors(), aws.Descriptor()) {
		for _, field := range d.Fields {
			if !known[field.Name] {
				field.Check = nil
				fields = append(fields, field)
			}
			known[field.Name] = true
		}
	}
	return fields
}

// TestAnotherLoginUserIsAnotherPlace: whoever logs in to a server is given what is set there.
func TestAnotherLoginUserIsAnotherPlace(t *testing.T) {
	d := ssh.Descriptor()
	a := &Record{Provider: ssh.Name, Own: cloud.Values{"login_user": "cloudpw", "private_key": "one"}}
	for name, c := range map[string]struct {
		own  cloud.Values
		same bool
	}{
		"another key":        {cloud.Values{"private_key": "two"}, true},
		"another login user": {cloud.Values{"login_user": "mallory"}, false},
		"a jump host":        {cloud.Values{"proxy_jump": "jump.example.com"}, false},
	} {
		b := a.Clone()
		b.Own = b.Own.With(c.own)
		if same := a.Place(d).Same(b.Place(d)); same != c.same {
			t.Errorf("%s: the same place is %v", name, same)
		}
	}
}
