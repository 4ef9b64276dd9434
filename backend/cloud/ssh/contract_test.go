package ssh

import (
	"context"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// TestResetsKeepTheContract runs over SSH servers that stand in the places of the simulator's servers.
func TestResetsKeepTheContract(t *testing.T) {
	contract.Resets(t, contract.Subject{
		Descriptor: Descriptor(), Method: cloud.MethodCommand, Synchronous: true, Direct: true, Plays: model.AlibabaCloud,
		Refusal: model.Fault{Code: "sudo"},
		InProcess: func(cfg cloud.Config, world *model.World) (cloud.Provider, error) {
			private, login := sshserver.NewPair(t)
			key, _ := world.AccessKey(model.AlibabaCloud, cfg.Text(cloud.AccessKey))
			if key.Secret != cfg.Text(cloud.SecretKey) {
				private, _ = sshserver.NewPair(t) // that no server lets in
			}
			return newProvider(cloud.Config{
				Provider: Name, Values: cloud.Values{"login_user": "cloudpw", "private_key": private}, RequestTimeout: cfg.RequestTimeout,
				Limiter: cfg.Limiter, Hosts: &playedHosts{t: t, world: world, key: key, login: login, servers: map[string]*server{}},
			})
		},
	})
}

// playedHosts is an inventory of the simulator's servers. Each has an SSH server from when it is first asked for.
type playedHosts struct {
	t     testing.TB
	world *model.World
	key   model.AccessKey
	login ssh.Signer

	mu      sync.Mutex
	servers map[string]*server
}

// Host implements cloud.Hosts. A server that is terminated is taken out of the inventory.
func (p *playedHosts) Host(_ context.Context, name string) (*cloud.Host, error) {
	of, ok := p.world.Server(name)
	if !ok || of.State == model.StateTerminated {
		return nil, nil //nolint:nilnil // there is no such host
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.servers[name]
	if s == nil {
		s = newServer(p.t, p.login, func(s *server) {
			s.played, s.system.Windows = &playedServer{p, name}, of.IsWindows()
		})
		p.servers[name] = s
	}
	h := s.host(name)
	if of.IsWindows() {
		h.Platform = cloud.Windows
	}
	return &h, nil
}

// Hosts implements cloud.Hosts. The contract finds no servers by tags.
func (p *playedHosts) Hosts(context.Context) ([]cloud.Host, error) { return nil, nil }

// PinHostKey implements cloud.Hosts: each has its key.
func (p *playedHosts) PinHostKey(context.Context, string, string) (string, error) {
	return "", errNoInventory
}

// playedServer is one of the simulator's servers. nil is none: an SSH server with a system of its own.
type playedServer struct {
	hosts *playedHosts
	name  string
}

// away reports whether nothing listens there.
func (p *playedServer) away() bool {
	if p == nil {
		return false
	}
	of, ok := p.hosts.world.Server(p.name)
	return !ok || of.AgentState() != model.AgentOnline
}

// begin begins a session with the server, once somebody has logged in to run something; nil for nil.
func (p *playedServer) begin() *contract.Session {
	if p == nil {
		return nil
	}
	return contract.Begin(p.hosts.world, p.hosts.key, model.Call{
		Cloud: model.AlibabaCloud, Service: Name, Action: actionSession, Account: p.hosts.key.AccountID, AccessKey: p.hosts.key.ID,
		Instances: []string{p.name},
	})
}
