package backend

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// loginCloud is a mount with a connection to a simulated cloud, whose servers take logins on this machine.
type loginCloud struct {
	*harness
	sim     *cloudsim.Sim
	name    model.Cloud
	account cloudsim.Credentials
}

// onLoginClouds plays a test on clouds of three families: one that sets passwords by commands, and two that have a call for that.
func onLoginClouds(t *testing.T, test func(t *testing.T, c loginCloud)) {
	t.Helper()
	for name, services := range map[model.Cloud][]string{
		model.AWS: {"ec2", "sts", "ssm"}, model.TencentCloud: {"cvm", "sts", "tat"}, model.OpenStack: nil,
	} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			sim := cloudsim.Start(t, cloudsim.Options{Options: model.Options{OperationTime: time.Millisecond}})
			seeded, err := sim.Seed(cloudsim.SeedOptions{})
			if err != nil {
				t.Fatal(err)
			}
			c := loginCloud{newRealHarness(t), sim, name, seeded[name]}
			connection := map[string]any{"provider": string(name), "region": c.account.Region, "max_requests_per_second": 1000}
			if name == model.OpenStack {
				connection["auth_url"] = sim.URL(name, "identity") + "/v3"
				connection[applicationIDField], connection[applicationSecretField] = c.account.AppCredentialID, c.account.AppCredential
			} else {
				endpoints := map[string]any{}
				for _, service := range services {
					endpoints[service] = sim.URL(name, service)
				}
				connection["access_key"], connection["secret_key"], connection["endpoints"] = c.account.AccessKey, c.account.SecretKey, endpoints
			}
			c.write(t, "config/"+string(name), connection)
			test(t, c)
		})
	}
}

// launch adds a Linux server that takes logins, and returns its id and the port.
func (c loginCloud) launch(t *testing.T) (id string, port int) {
	t.Helper()
	server, err := c.sim.World().AddServer(model.Server{Cloud: c.name, AccountID: c.account.AccountID, Region: c.account.Region,
		ProjectID: c.account.ProjectID, Platform: model.Linux, PrivateIP: "127.0.0.1", Logins: map[string]string{"root": "what the image has"}})
	if err != nil {
		t.Fatal(err)
	}
	address, err := c.sim.SSHAddr(server.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if port, err = strconv.Atoi(text); err != nil {
		t.Fatal(err)
	}
	return server.ID, port
}

func (c loginCloud) hostKey(t *testing.T, id string) string {
	t.Helper()
	key, err := c.sim.SSHHostKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// logins are those that a server has seen.
func (c loginCloud) logins(id string) model.LoginCount { return c.sim.World().Stats().Logins[id] }

func (c loginCloud) role(t *testing.T, id string, port int, changes map[string]any) (account string) {
	t.Helper()
	data := map[string]any{"connection": string(c.name), "instance_ids": id, "username": "root", "mode": "static", "source": "reset",
		"check_method": "ssh", "check_port": port}
	if c.name == model.TencentCloud {
		data["reset_method"] = "command"
	}
	data = merged(data, changes)
	if data["source"] == "import" {
		delete(data, "reset_method")
	}
	c.write(t, "roles/r-"+id, data)
	return string(c.name) + "/" + id + "/root"
}

// checked waits for a check of an account.
func (c loginCloud) checked(t *testing.T, account, result string) map[string]any {
	t.Helper()
	return c.waitFor(t, "accounts/"+account, func(a map[string]any) bool { return a["check_result"] == result })
}

// Every rotation is followed by a login with the new password, on each cloud, once the host key is pinned or trusted.
func TestALoginProvesARotation(t *testing.T) {
	t.Parallel()
	onLoginClouds(t, func(t *testing.T, c loginCloud) {
		id, port := c.launch(t)
		c.write(t, "hosts/"+id, map[string]any{"connection": string(c.name), "host_key": c.hostKey(t, id)})
		account := c.role(t, id, port, nil)
		got := c.checked(t, account, "matches")
		if got["current_version"] != 1 || got["state"] != "ready" || got["drifted"] != false {
			t.Errorf("%v", got)
		}
		if n := c.logins(id); n != (model.LoginCount{Accepted: 1}) {
			t.Errorf("the server has seen %+v", n)
		}
		// Another one within ten minutes is not made, whoever asks.
		c.refused(t, logical.UpdateOperation, "verify/r-"+id+"/"+id, nil, http.StatusConflict, "is left alone until")

		first, port := c.launch(t)
		account = c.role(t, first, port, map[string]any{"check_trust_on_first_use": true})
		c.checked(t, account, "matches")
		if host := c.read(t, "hosts/"+first); host["host_key"] != c.hostKey(t, first) || host["key_pinned"] != "first use" {
			t.Errorf("%v", host)
		}
	})
}

// A host whose key is not the pinned one, or not known, is sent nothing.
func TestNothingIsSentToAServerWithAnotherHostKey(t *testing.T) {
	t.Parallel()
	onLoginClouds(t, func(t *testing.T, c loginCloud) {
		id, port := c.launch(t)
		account := c.role(t, id, port, nil)
		got := c.checked(t, account, "unknown")
		if reason := got["check_reason"].(string); !strings.Contains(reason, "no host key of "+id+" is pinned") ||
			!strings.Contains(reason, "hosts/"+id) || got["drifted"] != false {
			t.Errorf("%v", got)
		}
		changed, port := c.launch(t)
		c.write(t, "hosts/"+changed, map[string]any{"connection": string(c.name), "host_key": c.hostKey(t, id)})
		account = c.role(t, changed, port, map[string]any{"check_trust_on_first_use": true})
		got = c.checked(t, account, "unknown")
		reason := got["check_reason"].(string)
		if !strings.Contains(reason, "pinned is SHA256:") || !strings.Contains(reason, "host-key/"+changed) || got["drifted"] != false {
			t.Errorf("%v", got)
		}
		for _, server := range []string{id, changed} {
			if n := c.logins(server); n != (model.LoginCount{}) {
				t.Errorf("the server has seen %+v", n)
			}
		}
	})
}

// A password that the server does not have differs, of a user whom it lets in, and one wrong login is all that the server sees. Password
// logins that are off are no finding.
func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	t.Parallel()
	onLoginClouds(t, func(t *testing.T, c loginCloud) {
		id, port := c.launch(t)
		if err := c.sim.World().SetLogin(id, "ops", "Right-Password-1"); err != nil {
			t.Fatal(err)
		}
		c.write(t, "hosts/"+id, map[string]any{"connection": string(c.name), "host_key": c.hostKey(t, id)})
		c.role(t, id, port, map[string]any{"source": "import", "username": "ops"})
		account := string(c.name) + "/" + id + "/ops"
		c.write(t, "import/"+account, map[string]any{"password": "Wrong-Password-1"})
		c.write(t, "verify/r-"+id+"/"+id, nil)
		got := c.checked(t, account, "differs")
		if got["drifted"] != true || !strings.Contains(got["check_reason"].(string), "AllowUsers or PAM") {
			t.Errorf("%v", got)
		}
		c.refused(t, logical.UpdateOperation, "verify/r-"+id+"/"+id, nil, http.StatusConflict, "is left alone until")
		c.write(t, "import/"+account, map[string]any{"password": "Right-Password-1"})
		c.refused(t, logical.UpdateOperation, "verify/r-"+id+"/"+id, nil, http.StatusConflict, "is left alone until")
		if n := c.logins(id); n != (model.LoginCount{Refused: 1}) {
			t.Errorf("the server has seen %+v", n)
		}

		off, port := c.launch(t)
		guest := model.Guest{}
		guest.NoPasswordLogin = true
		if err := c.sim.World().SetGuest(off, guest); err != nil {
			t.Fatal(err)
		}
		account = c.role(t, off, port, map[string]any{"check_trust_on_first_use": true})
		got = c.checked(t, account, "unknown")
		if got["drifted"] != false || !strings.Contains(got["check_reason"].(string), "takes no passwords of this user") {
			t.Errorf("%v", got)
		}
		if n := c.logins(off); n != (model.LoginCount{}) {
			t.Errorf("the server has seen %+v", n)
		}
	})
}
