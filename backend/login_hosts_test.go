package backend

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// passwordServer takes logins of anybody with one password, on loopback, and returns its port and its host key.
func passwordServer(t *testing.T, password string) (port int, key string) {
	t.Helper()
	signer := sshserver.NewKey(t)
	config := &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
		if string(given) != password {
			return nil, errors.New("no")
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	l := sshserver.Listen(t)
	l.Start(func(conn net.Conn) { sshserver.Serve(conn, config, sshserver.RefuseAll) })
	return l.Port, sshserver.Line(signer.PublicKey())
}

// A server of the inventory is logged in to where hosts/ says, which the role cannot say otherwise.
func TestAHostOfTheInventoryIsCheckedByALogin(t *testing.T) {
	port, key := passwordServer(t, "Right-Password-1")
	h := newRealHarness(t)
	h.write(t, "config/dc", map[string]any{"provider": "ssh", "login_user": "cloudpw", "generate_key": true, "verify_connection": false})
	h.write(t, "hosts/web-1", map[string]any{"connection": "dc", "address": "127.0.0.1", "port": port, "host_key": key})
	role := map[string]any{"connection": "dc", "instance_ids": "web-1", "username": "ops", "source": "import", "mode": "static",
		"check_method": "ssh"}
	for field, value := range map[string]any{"check_address": "public_ip", "check_port": 2222, "check_trust_on_first_use": true} {
		h.refusedWrite(t, "roles/web", merged(role, map[string]any{field: value}), field, "have that in hosts/")
	}
	h.write(t, "roles/web", role)
	if got := h.read(t, "roles/web"); got["check_method"] != "ssh" || got["check_port"] != nil || got["check_address"] != nil {
		t.Errorf("%v", got)
	}
	h.write(t, "import/dc/web-1/ops", map[string]any{"password": "Right-Password-1"})
	h.write(t, "verify/web/web-1", nil)
	h.waitFor(t, "accounts/dc/web-1/ops", func(a map[string]any) bool { return a["check_result"] == "matches" })
}
