package cloudsim

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/adminapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/alibabaapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/awsapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/azureapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/cocapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/tencentapi"
)

// Options configure a simulator. The zero value is usable.
type Options struct {
	model.Options
	// TLS serves the clouds over HTTPS with a certificate for 127.0.0.1,
	// localhost and *.localhost from a CA made for this simulator; see
	// Sim.CAPEM. The admin API stays plain.
	TLS bool
	// Listen gives fixed addresses by listener name: aws, tencentcloud, alibabacloud,
	// huaweicloud, huaweicloud-iam, huaweicloud-coc, opentelekomcloud, opentelekomcloud-iam,
	// openstack, openstack-identity, azure, azure-login, azure-tls, azure-login-tls,
	// huaweicloud-metadata, opentelekomcloud-metadata,
	// admin. Others get a free port on 127.0.0.1. Only loopback addresses are accepted, and for metadata 169.254.169.254,
	// which a test may have given to the loopback interface of a network of its own.
	Listen map[string]string
	// Nova changes the options of the Keystone clouds before they are made.
	Nova func(*novaapi.Options)
	// COC changes the options of Huawei Cloud's Cloud Operations Center before it is made.
	COC func(*cocapi.Options)
	// Azure changes the options of Azure before it is made.
	Azure func(*azureapi.Options)
}

// Sim is a running simulator.
type Sim struct {
	world *model.World
	ssh   *sshd.Host
	ca    *authority
	tls   bool // as Options.TLS
	nova  map[model.Cloud]*novaapi.Cloud
	login *azureapi.Login
	coc   *cocapi.API

	mu      sync.Mutex
	servers []*http.Server
	urls    map[string]string // by listener name
	seeded  Seeded
	serving sync.WaitGroup
}

// services maps each cloud's services to listeners.
var services = map[model.Cloud]map[string]string{
	model.AWS:              {"ec2": "aws", "sts": "aws", "iam": "aws", "ssm": "aws"},
	model.TencentCloud:     {"cvm": "tencentcloud", "tat": "tencentcloud", "sts": "tencentcloud", "cam": "tencentcloud"},
	model.AlibabaCloud:     {"ecs": "alibabacloud", "sts": "alibabacloud", "ram": "alibabacloud"},
	model.HuaweiCloud:      {"ecs": "huaweicloud", "iam": "huaweicloud-iam", "coc": "huaweicloud-coc"},
	model.OpenTelekomCloud: {"ecs": "opentelekomcloud", "iam": "opentelekomcloud-iam"},
	model.OpenStack:        {"compute": "openstack", "identity": "openstack-identity"},
	model.Azure:            {"arm": "azure", "login": "azure-login"},
}

// New starts a simulator with an empty world.
func New(o Options) (*Sim, error) {
	world := model.NewWorld(o.Options)
	host, err := sshd.New(world)
	if err != nil {
		return nil, err
	}
	s := &Sim{world: world, ssh: host, tls: o.TLS, nova: map[model.Cloud]*novaapi.Cloud{}, urls: map[string]string{}}
	if s.ca, err = newAuthority(); err == nil {
		err = s.start(o)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Sim) start(o Options) error {
	arm := s.azure(o)
	handlers := map[string]http.Handler{
		"azure": arm, "azure-login": s.login,
		"aws": awsapi.New(s.world), "tencentcloud": tencentapi.New(s.world), "alibabacloud": alibabaapi.New(s.world),
		"admin": adminapi.New(adminapi.Options{
			World: s.world, SSHAddr: s.ssh.Addr, Info: func() any { return s.Info() }, RevokeTokens: s.RevokeTokens,
		}),
	}
	for _, c := range []model.Cloud{model.HuaweiCloud, model.OpenTelekomCloud, model.OpenStack} {
		opts := novaapi.Options{
			Cloud:       c,
			IdentityURL: func() string { return s.URL(c, cmp.Or(identityOf[c], "iam")) },
			ComputeURL:  func() string { return s.URL(c, cmp.Or(computeOf[c], "ecs")) },
		}
		if o.Nova != nil {
			o.Nova(&opts)
		}
		n, err := novaapi.New(s.world, opts)
		if err != nil {
			return err
		}
		s.nova[c] = n
		if c != model.OpenStack {
			handlers[metadataOf(c)] = novaapi.Metadata(novaapi.MetadataOptions{
				World: s.world, Lifetime: opts.KeyLifetime, Find: func() (model.Agency, bool) { return s.serversAgency(c) },
			})
		}
		handlers[services[c][cmp.Or(computeOf[c], "ecs")]] = n.Compute()
		handlers[services[c][cmp.Or(identityOf[c], "iam")]] = n.Identity()
	}
	coc := cocapi.Options{Identity: s.nova[model.HuaweiCloud]}
	if o.COC != nil {
		o.COC(&coc)
	}
	s.coc = cocapi.New(s.world, coc)
	handlers[services[model.HuaweiCloud]["coc"]] = s.coc
	for _, name := range alsoSecure() {
		handlers[secure(name)] = handlers[name]
	}
	for name := range o.Listen {
		if handlers[name] == nil {
			return fmt.Errorf("listen: %q is no listener; they are %v", name, names(handlers))
		}
	}
	for _, name := range names(handlers) {
		if err := s.listen(name, cmp.Or(o.Listen[name], "127.0.0.1:0"), handlers[name]); err != nil {
			return err
		}
	}
	return nil
}

// Names of the services where a cloud departs from iam and ecs.
var (
	identityOf = map[model.Cloud]string{model.OpenStack: "identity"}
	computeOf  = map[model.Cloud]string{model.OpenStack: "compute"}
)

// listen opens one listener. HTTP/2 stays off: dropping a connection needs
// the connection to belong to one request.
func (s *Sim) listen(name, addr string, h http.Handler) error {
	if err := checkLoopback(addr); err != nil && (!isMetadata(name) || !strings.HasPrefix(addr, metadataHost+":")) {
		return fmt.Errorf("listen %s: %w", name, err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen %s: %w", name, err)
	}
	scheme := "http"
	if s.tls && name != "admin" && !isMetadata(name) || isSecure(name) {
		scheme = "https"
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{s.ca.leaf}, MinVersion: tls.VersionTLS12})
	}
	// Clients keep connections that they have opened in advance. One that is closed the moment it is used would look like a lost
	// answer, so none is closed for not being used.
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Hour, TLSNextProto: map[string]func(*http.Server, *tls.Conn,
		http.Handler){}}
	s.mu.Lock()
	s.servers = append(s.servers, server)
	s.urls[name] = scheme + "://" + l.Addr().String()
	s.mu.Unlock()
	s.serving.Go(func() {
		// Serve returns when Close closes the listener.
		_ = server.Serve(l)
	})
	return nil
}

// checkLoopback refuses to show the simulator to other machines.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("the simulator listens on loopback addresses only")
	}
	return nil
}

// World is the simulated clouds' state.
func (s *Sim) World() *model.World { return s.world }

// URL is the base URL of a cloud's service, without a final slash, or "" for
// a service that is not simulated. Services are those of the plugin's
// endpoints field: ec2, sts, iam, ssm; cvm, tat, sts, cam; ecs, sts, ram; ecs, iam, coc; compute, identity; arm, login.
func (s *Sim) URL(c model.Cloud, service string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.urls[services[c][service]]
}

// AdminURL is the base URL of the control API.
func (s *Sim) AdminURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.urls["admin"]
}

// CAPEM is the CA certificate to trust, in PEM; "" without TLS.
func (s *Sim) CAPEM() string {
	if !s.tls {
		return ""
	}
	return s.ca.pem
}

// SSHAddr is host:port of a server's SSH port.
func (s *Sim) SSHAddr(id string) (string, error) { return s.ssh.Addr(id) }

// SSHHostKey is a server's public host key in the form of authorized_keys. A server that is rebuilt has another one.
func (s *Sim) SSHHostKey(id string) (string, error) { return s.ssh.HostKey(id) }

// Login tries a password on a server over SSH; sshd.ErrRefused means no.
func (s *Sim) Login(ctx context.Context, id, user, password string) error {
	addr, err := s.ssh.Addr(id)
	if err != nil {
		return err
	}
	return sshd.Login(ctx, addr, user, password)
}

// RevokeTokens makes a Keystone cloud or Azure forget its tokens and returns how
// many there were.
func (s *Sim) RevokeTokens(c model.Cloud) int {
	if c == model.Azure {
		return s.login.RevokeTokens()
	}
	if n := s.nova[c]; n != nil {
		return n.RevokeTokens()
	}
	return 0
}

// COC is Huawei Cloud's Cloud Operations Center, whose scripts a test can have approved or changed.
func (s *Sim) COC() *cocapi.API { return s.coc }

// Info is what a client of the simulator needs to know.
type Info struct {
	Ready bool   `json:"ready"`
	Admin string `json:"admin"`
	// CAPEM is empty without TLS.
	CAPEM string `json:"ca_pem,omitempty"`
	// Endpoints are base URLs by cloud and service.
	Endpoints map[model.Cloud]map[string]string `json:"endpoints"`
	// TLS is for clients that refuse plain HTTP. Connections are made of Endpoints.
	TLS TLS `json:"tls"`
	// Metadata are the metadata services of servers that have the seeded agency, by cloud.
	Metadata map[model.Cloud]string `json:"metadata,omitempty"`
	// Seeded is what Seed has made.
	Seeded Seeded `json:"seeded,omitempty"`
}

// Info tells where everything is.
func (s *Sim) Info() Info {
	out := Info{
		Ready: true, Admin: s.AdminURL(), CAPEM: s.CAPEM(), Endpoints: map[model.Cloud]map[string]string{}, TLS: s.secureInfo(),
	}
	for c, list := range services {
		out.Endpoints[c] = map[string]string{}
		for service := range list {
			out.Endpoints[c][service] = s.URL(c, service)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Metadata = s.metadataURLs()
	out.Seeded = maps.Clone(s.seeded)
	return out
}

// Close ends all listeners, sessions and held requests.
func (s *Sim) Close() {
	s.world.Close()
	s.mu.Lock()
	servers := s.servers
	s.servers = nil
	s.mu.Unlock()
	for _, server := range servers {
		_ = server.Close() // ends connections too
	}
	s.serving.Wait()
	s.ssh.Close()
}

// TB is the part of testing.TB that Start uses.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start runs a simulator until the test ends.
func Start(t TB, o Options) *Sim {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatalf("start the cloud simulator: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}
