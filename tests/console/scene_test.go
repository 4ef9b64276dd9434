//go:build console

package console

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

const cloud = model.TencentCloud

// scene is a Vault with a fleet, and a browser.
type scene struct {
	vault   *harness.Vault
	world   *model.World
	account cloudsim.Credentials
	browser *browser
	axe     string
	command string            // path of the built cloudpw
	ids     map[string]string // of the servers, by name
}

// newScene starts Vault with the engine, and simulated clouds in this process.
func newScene(t *testing.T, options ...harness.Option) *scene {
	t.Helper()
	bin := harness.FindBinaries(t)
	command := os.Getenv("CLOUDPW_COMMAND")
	if command == "" {
		t.Fatal("CLOUDPW_COMMAND is not set: run the tests of the console with `make test-console`")
	}
	sim := cloudsim.Start(t, cloudsim.Options{})
	seeded, err := sim.Seed(cloudsim.SeedOptions{NoServers: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{vault: harness.StartVault(t, bin, options...), world: sim.World(), account: seeded[cloud], command: command, ids: map[string]string{}}
	s.vault.RegisterAndMount(t)
	s.vault.Write(t, "cloudpw/config/prod-tencent", map[string]any{
		"provider": string(cloud), "region": s.account.Region, "access_key": s.account.AccessKey, "secret_key": s.account.SecretKey,
		"endpoints": sim.Info().Endpoints[cloud], "max_requests_per_second": 100,
	})
	return s
}

// server launches a server with a tag role=ROLE.
func (s *scene) server(t *testing.T, name, role string) string {
	t.Helper()
	server, err := s.world.AddServer(model.Server{Cloud: cloud, AccountID: s.account.AccountID, Region: s.account.Region, Name: name,
		Platform: model.Linux, OSName: "Ubuntu Server 22.04 LTS 64bit", Tags: map[string]string{"role": role}})
	if err != nil {
		t.Fatal(err)
	}
	s.ids[name] = server.ID
	return server.ID
}

// role writes a role for the servers with its tag.
func (s *scene) role(t *testing.T, name string, more map[string]any) {
	t.Helper()
	fields := map[string]any{"connection": "prod-tencent", "instance_tags": "role=" + name, "force_stop": true, "min_reset_interval": 0}
	for field, value := range more {
		fields[field] = value
	}
	s.vault.Write(t, "cloudpw/roles/"+name, fields)
}

// token makes a token with a policy's rules.
func (s *scene) token(t *testing.T, name, rules string, more map[string]any) string {
	t.Helper()
	s.vault.Write(t, "sys/policies/acl/"+name, map[string]any{"policy": rules})
	fields := map[string]any{"policies": []string{name}, "display_name": name}
	for field, value := range more {
		fields[field] = value
	}
	return s.vault.Write(t, "auth/token/create", fields).Auth.ClientToken
}

// person is a token of a person who logs in by name and password.
func (s *scene) person(t *testing.T, name, rules string) *api.Client {
	t.Helper()
	s.vault.Write(t, "sys/policies/acl/"+name, map[string]any{"policy": rules})
	s.vault.Write(t, "auth/userpass/users/"+name, map[string]any{"password": "not used elsewhere", "token_policies": name})
	login := s.vault.Write(t, "auth/userpass/login/"+name, map[string]any{"password": "not used elsewhere"})
	return s.vault.As(t, login.Auth.ClientToken)
}

// process is a running `cloudpw console`.
type process struct {
	*testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	log   string
	links chan string
	ended chan error

	mu   sync.Mutex
	said strings.Builder // on standard error
}

// console starts the command with a token, and waits for its first link.
func (s *scene) console(t *testing.T, address, token string, args ...string) (*process, string) {
	t.Helper()
	cmd := exec.Command(s.command, append([]string{"console"}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH"), "VAULT_ADDR=" + address, "VAULT_TOKEN=" + token}
	p := &process{T: t, cmd: cmd, links: make(chan string, 16), ended: make(chan error, 1)}
	var stdout, stderr io.ReadCloser
	var err error
	if p.stdin, err = cmd.StdinPipe(); err == nil {
		if stdout, err = cmd.StdoutPipe(); err == nil {
			if stderr, err = cmd.StderrPipe(); err == nil {
				err = cmd.Start()
			}
		}
	}
	if err != nil {
		t.Fatalf("start cloudpw console: %v", err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if _, link, found := strings.Cut(lines.Text(), "http://"); found {
				p.links <- "http://" + link
			}
		}
		close(p.links)
	})
	reading.Go(func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.mu.Lock()
			p.said.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
		}
	})
	go func() {
		reading.Wait()
		p.ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("cloudpw console has ended with %v:\n%s", err, p.errors())
		}
	})
	return p, p.link()
}

// link is the next link that the command prints.
func (p *process) link() string {
	p.Helper()
	link, more := <-p.links
	if !more {
		p.Fatalf("cloudpw console has ended:\n%s", p.errors())
	}
	return link
}

// errors is what the command has said on standard error.
func (p *process) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// stop ends the command as Ctrl-C does, and returns how it has ended. It may be called more than once.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	err := <-p.ended
	p.ended <- err
	return err
}

// gateway is a way to Vault that can be closed.
type gateway struct {
	address string // URL
	target  string // host:port

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

// through opens a way to Vault.
func (s *scene) through(t *testing.T) *gateway {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{address: "http://" + listener.Addr().String(), target: strings.TrimPrefix(s.vault.Address, "http://"),
		conns: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = listener.Close()
		g.set(true)
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go g.carry(conn)
		}
	}()
	return g
}

func (g *gateway) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", g.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	g.mu.Lock()
	if g.down {
		g.mu.Unlock()
		return
	}
	g.conns[near], g.conns[far] = true, true
	g.mu.Unlock()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, near)
	delete(g.conns, far)
}

// set closes the way, and cuts what is open, or opens it again.
func (g *gateway) set(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
	if down {
		for conn := range g.conns {
			_ = conn.Close()
		}
	}
}

// leases counts the live leases of a role.
func (s *scene) leases(t *testing.T, role string) int {
	t.Helper()
	secret, err := s.vault.Client.Logical().ListWithContext(t.Context(), "sys/leases/lookup/cloudpw/creds/"+role)
	if err != nil {
		t.Fatal(err)
	}
	if secret == nil {
		return 0
	}
	keys, _ := secret.Data["keys"].([]any)
	count := 0
	for _, key := range keys {
		if name, _ := key.(string); strings.HasSuffix(name, "/") {
			count += s.leases(t, role+"/"+strings.TrimSuffix(name, "/"))
		} else {
			count++
		}
	}
	return count
}

// await waits until the role has so many leases.
func (s *scene) await(t *testing.T, role string, leases int) {
	t.Helper()
	harness.Eventually(t, patience, fmt.Sprintf("%d leases of %s", leases, role), func() error {
		if n := s.leases(t, role); n != leases {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
}

// policy is the rules of a persona of docs/vault-policies.md.
func policy(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "vault-policies.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n## "+heading+"\n")
	_, rest, code := strings.Cut(rest, "```hcl\n")
	rules, _, end := strings.Cut(rest, "```")
	if !found || !code || !end {
		t.Fatalf("docs/vault-policies.md: no rules under %q", heading)
	}
	return rules
}

// status asks the console as a program does, and returns the answer's status and body.
func status(t *testing.T, method, url, body string, headers map[string]string) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		if name == "Host" {
			request.Host = value
		} else {
			request.Header.Set(name, value)
		}
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content), response.Header
}
