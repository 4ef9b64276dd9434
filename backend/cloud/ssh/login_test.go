package ssh

import (
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshlogin"
)

var _ sshlogin.Jumper = (*provider)(nil)

// TestLoginsTakeTheConnectionsWay: a login that tries a password goes by the jump host, with the connection's keys.
func TestLoginsTakeTheConnectionsWay(t *testing.T) {
	p := &provider{}
	if jump, signers := p.LoginJump(); jump != nil || len(signers) > 0 {
		t.Errorf("%+v, %d keys", jump, len(signers))
	}
	text, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := parseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	p = &provider{jump: &sshclient.Jump{Address: "jump.example.com", Port: 22}, keys: keys{key}}
	jump, signers := p.LoginJump()
	if jump != p.jump || len(signers) != 1 || signers[0] != key {
		t.Errorf("%+v, %d keys", jump, len(signers))
	}
}
