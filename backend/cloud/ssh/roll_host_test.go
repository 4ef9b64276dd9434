package ssh

import (
	"context"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/keyhost"
)

// spotOf is a host as the roller knows it.
func spotOf(h *keyhost.Host) spot {
	return spot{name: h.Name, serial: "s", platform: cloud.Linux, target: h.Target()}
}

// newRoller makes a roller of two keys.
func newRoller(before, now ssh.Signer) *roller {
	return &roller{
		now: now, before: before,
		login: func(ctx context.Context, at spot, signers ...ssh.Signer) (session, error) {
			c, err := sshclient.Dial(ctx, at.target, signers, sshclient.Options{Timeout: 5 * time.Second})
			if err != nil {
				return nil, err
			}
			return c, nil
		},
	}
}
