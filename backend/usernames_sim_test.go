package backend

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Users whose names have letters of any script, blanks and quotes are served by every path and method, on servers of both
// platforms, through the real SDKs.
func TestUsersOfAnyScript(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cloud    model.Cloud
		services []string
		method   string
		platform string
		users    []string
	}{
		{model.AWS, []string{"ec2", "sts", "ssm"}, cloud.MethodCommand, model.Windows, []string{"Администратор", "Administratör",
			"Build User", "O'Brien (x)"}},
		{model.AWS, []string{"ec2", "sts", "ssm"}, cloud.MethodCommand, model.Linux, []string{"Администратор", "Build User"}},
		{model.TencentCloud, []string{"cvm", "sts", "tat"}, cloud.MethodCommand, model.Windows,
			[]string{"Администратор", "Build User"}},
		{model.TencentCloud, []string{"cvm", "sts", "tat"}, cloud.MethodCommand, model.Linux, []string{"Jürgen Groß"}},
		{model.TencentCloud, []string{"cvm", "sts", "tat"}, cloud.MethodAPI, model.Windows, []string{"Администратор", "Build User"}},
		{model.AlibabaCloud, []string{"ecs", "sts"}, cloud.MethodCommand, model.Windows, []string{"Администратор", "Build User"}},
		{model.AlibabaCloud, []string{"ecs", "sts"}, cloud.MethodCommand, model.Linux, []string{"Jürgen Groß"}},
	} {
		t.Run(string(c.cloud)+" "+c.method+" "+c.platform, func(t *testing.T) {
			t.Parallel()
			h, w, account := commandHarness(t, c.cloud, c.services...)
			for _, user := range c.users {
				serveUser(t, h, w, account, c.cloud, c.method, c.platform, user)
			}
		})
	}
}

// serveUser rotates one user and reads everything about it.
func serveUser(t *testing.T, h *harness, w *model.World, account cloudsim.Credentials, name model.Cloud, method, platform, user string) {
	t.Helper()
	server, err := w.AddServer(model.Server{Cloud: name, AccountID: account.AccountID, Region: account.Region, Platform: platform,
		Logins: map[string]string{user: "what the image has"}})
	if err != nil {
		t.Fatal(err)
	}
	role := map[string]any{"connection": string(name), "instance_ids": server.ID, "reset_method": method, "username": user, "source": "reset"}
	if name == model.TencentCloud && method == cloud.MethodAPI {
		role["force_stop"], role["min_reset_interval"] = true, 0
	}
	h.write(t, "roles/r-"+server.ID, role)
	answer := h.lease(t, "creds/r-"+server.ID)
	if now, _ := w.Server(server.ID); answer.Data["username"] != user || !now.HasPassword(user, answer.Data["password"].(string)) {
		t.Fatalf("%s: the server has another password than %v was given", user, answer.Data["username"])
	}
	id := string(name) + "/" + server.ID + "/" + user
	if users := h.list(t, "accounts/"+string(name)+"/"+server.ID); !slices.Equal(users, []string{user}) {
		t.Errorf("accounts of the server: %q", users)
	}
	if got := h.read(t, "accounts/"+id); got["username"] != user || got["state"] != "ready" {
		t.Errorf("%s: %v", user, got)
	}
	if versions := h.list(t, "versions/"+id); !slices.Equal(versions, []string{"1"}) {
		t.Errorf("%s: versions %q", user, versions)
	}
	h.revoke(t, answer)
	h.waitFor(t, "accounts/"+id, func(a map[string]any) bool { return a["current_version"] == 2 && a["state"] == "ready" })
	if old := h.read(t, "versions/"+id+"/1"); old["password"] != answer.Data["password"] || old["username"] != user {
		t.Errorf("%s: version 1 is %v's", user, old["username"])
	}
	h.write(t, "import/"+id, map[string]any{"password": "Set-by-hand-1", "skip_import_rotation": true})
	h.write(t, "versions/"+id+"/2/restore", map[string]any{"skip_import_rotation": true})
	if platform == model.Windows { // which does not tell upper from lower case, in no script
		for _, same := range []string{strings.ToUpper(user), strings.ToLower(user)} {
			if same != user {
				h.refused(t, logical.UpdateOperation, "roles/other", merged(role, map[string]any{"username": same}), http.StatusConflict,
					"one account belongs to one role")
			}
		}
	}
	// The command that an error ends with is one line that a shell takes.
	resp, err := h.request(t, logical.DeleteOperation, "accounts/"+id, nil)
	if _, message := statusOf(resp, err); strings.Contains(user, " ") && strings.Contains(message, "accounts/"+id) {
		t.Errorf("a path with a blank is not quoted: %s", message)
	}
	h.delete(t, "roles/r-"+server.ID)
	h.ok(t, logical.DeleteOperation, "accounts/"+id, map[string]any{"force": "true"})
	h.absent(t, "accounts/"+id)
}

// Nobody has to know how a Windows names its built-in administrator.
func TestBuiltinAdministrator(t *testing.T) {
	t.Parallel()
	for name, services := range map[model.Cloud][]string{model.AWS: {"ec2", "sts", "ssm"}, model.TencentCloud: {"cvm", "sts", "tat"}} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			h, w, account := commandHarness(t, name, services...)
			add := func(platform string) string {
				server, err := w.AddServer(model.Server{Cloud: name, AccountID: account.AccountID, Region: account.Region, Platform: platform,
					InitialUser: "Администратор"})
				if err != nil {
					t.Fatal(err)
				}
				return server.ID
			}
			windows, linux := add(model.Windows), add(model.Linux)
			role := map[string]any{"connection": string(name), "instance_ids": windows, "reset_method": "command",
				"username": cloud.BuiltinAdministrator, "source": "reset"}
			h.write(t, "roles/admin", role)
			answer := h.lease(t, "creds/admin")
			if now, _ := w.Server(windows); !now.HasPassword("Администратор", answer.Data["password"].(string)) {
				t.Error("the built-in administrator has another password")
			}
			// It is the same user under its own name.
			h.refused(t, logical.UpdateOperation, "roles/named", merged(role, map[string]any{"username": "администратор"}),
				http.StatusConflict, "one account belongs to one role")
			h.write(t, "roles/named", merged(role, map[string]any{"username": "another"}))

			h.refusedWrite(t, "roles/x", merged(role, map[string]any{"instance_ids": linux}), "Windows servers only")
			h.refusedWrite(t, "roles/x", merged(role, map[string]any{"username": "@builtin-guest"}), "domain account")
			if name == model.TencentCloud {
				h.refusedWrite(t, "roles/x", merged(role, map[string]any{"reset_method": "api", "force_stop": true}), "reset_method=command")
			} else {
				h.refusedWrite(t, "roles/x", merged(role, map[string]any{"reset_method": "", "source": "initial", "mode": "static"}),
					"reset_method=command")
			}
		})
	}
}
