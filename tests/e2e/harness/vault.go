package harness

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

const (
	// startWithin bounds the start of a server on a busy machine.
	startWithin = 60 * time.Second
	// startAttempts: a free port is found, closed and then given to Vault, so another program may take it in between.
	startAttempts = 3
)

// Vault is a running Vault server with an audit log and a trace log, and a client that holds its root token.
type Vault struct {
	// Client retries nothing: a test sees every answer that Vault gives.
	Client *api.Client
	// Address is the server's URL.
	Address string
	// Dir is the server's own folder.
	Dir string
	// TraceLog is the server log at trace level, AuditLog the file audit device, ErrorLog every body that the server
	// answered to Client with a status of 400 or more.
	TraceLog, AuditLog, ErrorLog string

	name    string // in messages, and its node id
	bin     Binaries
	token   string
	process *Process
	args    []string
	env     []string
	closed  bool     // see WithoutLoopbackHTTP
	extra   []string // NAME=value entries of its environment besides the usual ones
	quiet   bool
	unseal  string  // the one unseal key share; empty in dev mode, which unseals itself
	machine machine // where it runs
	inside  string  // host:port of its API as other nodes reach it
	member  bool    // of a cluster, in which another node may be active
}

// An Option changes how a server is started.
type Option func(*Vault)

// Quiet starts the server without an audit log and with a log at debug level, for a benchmark: it costs every request
// the same and would hide the differences between them.
func Quiet(v *Vault) { v.quiet = true }

// WithoutLoopbackHTTP starts a server as production has it: its environment does not allow plain http to loopback,
// where the simulated clouds listen.
func WithoutLoopbackHTTP(v *Vault) { v.closed = true }

// Environment starts a server with further NAME=value entries in its environment, which plugins get from it.
func Environment(entries ...string) Option {
	return func(v *Vault) { v.extra = append(v.extra, entries...) }
}

// loopback allows plain http to loopback in the environment, or leaves the variable out: OpenBao has a variable of the server win over
// one of the plugin's registration, with Vault it is the other way round.
func (v *Vault) loopback() []string {
	if v.closed {
		return nil
	}
	return []string{"CLOUDPW_ALLOW_LOOPBACK_HTTP=true"}
}

// StartVault runs a dev-mode server (storage in memory, unsealed).
func StartVault(tb testing.TB, bin Binaries, options ...Option) *Vault {
	tb.Helper()
	token := "root-" + rand.Text()
	v := newVault(tb, bin, options, func(v *Vault) {
		listen := freePort(tb)
		v.Address = "http://" + listen
		config := v.writeConfig(tb, "dev.hcl", fmt.Sprintf("plugin_directory = %q\n%s", filepath.Dir(bin.Plugin), v.auditByAPI()))
		v.args = []string{
			"server", "-dev", "-dev-no-store-token", "-dev-listen-address=" + listen, v.logLevel(), "-config=" + config,
		}
		v.env = environment(v.Dir, slices.Concat(v.loopback(), []string{"VAULT_DEV_ROOT_TOKEN_ID=" + token}, v.extra)...)
	})
	v.setToken(token)
	v.enableAudit(tb)
	return v
}

// StartRaftVault runs a server of one node on integrated storage, initialised with one unseal key share. Unlike a
// dev-mode server it can be killed and started again with what it stored.
func StartRaftVault(tb testing.TB, bin Binaries, options ...Option) *Vault {
	tb.Helper()
	v := startRaftNode(tb, bin, "one", thisMachine, options)
	v.initialise(tb)
	v.unsealNow(tb)
	v.enableAudit(tb)
	return v
}

// startRaftNode runs a server on integrated storage, neither initialised nor a member of a cluster yet.
func startRaftNode(tb testing.TB, bin Binaries, name string, on machine, options []Option) *Vault {
	tb.Helper()
	options = append([]Option{func(v *Vault) { v.name, v.machine = name, on }}, options...)
	return newVault(tb, bin, options, func(v *Vault) {
		data := filepath.Join(v.Dir, "raft")
		if err := os.MkdirAll(data, 0o700); err != nil {
			tb.Fatalf("raft folder: %v", err)
		}
		api, cluster, listenAPI, listenCluster := on.addresses(tb)
		v.Address = "http://" + api
		v.inside = net.JoinHostPort(on.inside, port(api))
		config := v.writeConfig(tb, "raft.hcl", v.auditByAPI()+fmt.Sprintf(`
plugin_directory = %q
disable_mlock    = true
api_addr         = "http://%s"
cluster_addr     = "http://%s"
storage "raft" {
  path                   = %q
  node_id                = %q
  performance_multiplier = %d
}
listener "tcp" {
  address         = %q
  cluster_address = %q
  tls_disable     = true
}
`, filepath.Dir(bin.Plugin), api, cluster, data, name, v.multiplier(), listenAPI, listenCluster))
		v.args = []string{"server", v.logLevel(), "-config=" + config}
		v.env = environment(v.Dir, slices.Concat(v.loopback(), v.extra)...)
	})
}

// initialise makes the unseal key and the root token.
func (v *Vault) initialise(tb testing.TB) {
	tb.Helper()
	initialised, err := v.Client.Sys().Init(&api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		tb.Fatalf("initialise Vault: %v", err)
	}
	v.unseal = initialised.KeysB64[0]
	v.setToken(initialised.RootToken)
}

// newVault makes the folder and starts the server whose address and arguments configure chooses, until its HTTP listener answers.
func newVault(tb testing.TB, bin Binaries, options []Option, configure func(v *Vault)) *Vault {
	tb.Helper()
	dir := tb.TempDir()
	v := &Vault{
		name:     "vault",
		machine:  thisMachine,
		Dir:      dir,
		TraceLog: filepath.Join(dir, "vault.log"),
		AuditLog: filepath.Join(dir, "audit.log"),
		ErrorLog: filepath.Join(dir, "errors.log"),
		bin:      bin,
	}
	for _, option := range options {
		option(v)
	}
	tb.Cleanup(func() { v.endOrphans(tb) }) // runs after the server has ended
	for attempt := 1; ; attempt++ {
		configure(v)
		v.Client = v.newClient(tb)
		v.start(tb)
		err := poll(startWithin, v.listening)
		if err == nil {
			return v
		}
		if !errors.Is(err, errExited) || attempt == startAttempts || !strings.Contains(tail(v.TraceLog, 40), "address already in use") {
			tb.Fatalf("start Vault: %v", err)
		}
	}
}

// Kill ends the server with SIGKILL. Its plugin's process stays behind, cut off from storage: what it does then is part
// of what a test can look at. It ends with the test.
func (v *Vault) Kill() { v.process.Kill() }

// start runs the server's process.
func (v *Vault) start(tb testing.TB) {
	tb.Helper()
	bin, args := v.machine.command(v.bin.Vault, v.args...)
	v.process = startProcess(tb, v.name, v.TraceLog, v.env, bin, args...)
}

// Restart starts a raft server that has ended again on the same address and unseals it.
func (v *Vault) Restart(tb testing.TB) {
	tb.Helper()
	if v.unseal == "" {
		tb.Fatal("only a raft server can be restarted: a dev-mode server keeps nothing")
	}
	v.process.restarted = true
	v.start(tb)
	if err := poll(startWithin, v.listening); err != nil {
		tb.Fatalf("restart Vault: %v", err)
	}
	v.unsealNow(tb)
}

// Seal seals the server: the plugin's process ends, and nobody is served until Unseal.
func (v *Vault) Seal(tb testing.TB) {
	tb.Helper()
	if err := v.Client.Sys().Seal(); err != nil {
		tb.Fatalf("seal Vault: %v", err)
	}
}

// Unseal unseals a sealed raft server and waits until it is active or, in a cluster, serves again.
func (v *Vault) Unseal(tb testing.TB) {
	tb.Helper()
	v.unsealNow(tb)
}

// StepDown has the active node give its leadership up. A raft server of one node elects itself again.
func (v *Vault) StepDown(tb testing.TB) {
	tb.Helper()
	if err := v.Client.Sys().StepDown(); err != nil {
		tb.Fatalf("step down: %v", err)
	}
	if !v.member {
		v.awaitActive(tb)
	}
}

// listening returns nil once the server answers, sealed or not.
func (v *Vault) listening() error {
	if err := v.process.alive(); err != nil {
		return err
	}
	_, err := v.Client.Sys().SealStatus()
	return err
}

// unsealNow unseals and waits until the node serves: a lone one when it is active.
func (v *Vault) unsealNow(tb testing.TB) {
	tb.Helper()
	if _, err := v.Client.Sys().Unseal(v.unseal); err != nil {
		tb.Fatalf("unseal %s: %v", v.name, err)
	}
	if !v.member {
		v.awaitActive(tb)
		return
	}
	Eventually(tb, startWithin, v.name+" unsealed", func() error {
		status, err := v.Client.Sys().SealStatus()
		if err == nil && status.Sealed {
			err = errors.New("it is sealed")
		}
		return err
	})
}

// multiplier is how many times longer than raft's shortest times the node waits before it takes another for lost: alone
// there is nobody to lose, and among others a busy machine must not look like the end of one.
func (v *Vault) multiplier() int {
	if v.member {
		return 2
	}
	return 1
}

func (v *Vault) awaitActive(tb testing.TB) {
	tb.Helper()
	Eventually(tb, startWithin, "an active Vault", func() error {
		leader, err := v.Client.Sys().Leader()
		if err == nil && !leader.IsSelf {
			err = errors.New("the node is standby")
		}
		return err
	})
}

func (v *Vault) setToken(token string) {
	v.token = token
	v.Client.SetToken(token)
}

// PID is the server's process id.
func (v *Vault) PID() int { return v.process.PID() }

// RootToken is the token that Client uses.
func (v *Vault) RootToken() string { return v.token }

func (v *Vault) enableAudit(tb testing.TB) {
	tb.Helper()
	if v.quiet {
		return
	}
	err := v.Client.Sys().EnableAuditWithOptions("file", &api.EnableAuditOptions{
		Type:    "file",
		Options: map[string]string{"file_path": v.AuditLog},
	})
	if err != nil {
		tb.Fatalf("enable the audit log: %v", err)
	}
}

// auditByAPI is the setting without which OpenBao (2.3.2 or later) takes audit devices from its configuration only. Vault does not
// know it.
func (v *Vault) auditByAPI() string {
	if v.bin.OpenBao {
		return "unsafe_allow_api_audit_creation = true\n"
	}
	return ""
}

func (v *Vault) logLevel() string {
	if v.quiet {
		return "-log-level=debug" // at which Vault still names the plugin's processes
	}
	return "-log-level=trace"
}

func (v *Vault) writeConfig(tb testing.TB, name, content string) string {
	tb.Helper()
	path := filepath.Join(v.Dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatalf("Vault's configuration: %v", err)
	}
	return path
}

// freePort returns a loopback address whose port nobody listens on at the moment.
func freePort(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// port is the port of host:port.
func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
