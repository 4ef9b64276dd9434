package ssh

import (
	"io"
	"net"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/sshserver"
)

// cutter passes connections on to a server, and ends each after some bytes in one direction.
type cutter struct {
	*sshserver.Listener
	to        string
	up, down  int64 // bytes to the server and from it; negative: no limit
	sent, got atomic.Int64
}

func newCutter(t testing.TB, to string, up, down int64) *cutter {
	t.Helper()
	c := &cutter{to: to, up: up, down: down}
	c.Listener = sshserver.Listen(t)
	c.Start(c.pass)
	return c
}

func (c *cutter) pass(client net.Conn) {
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	copying := func(to, from net.Conn, most int64, count *atomic.Int64) {
		var in io.Reader = from
		if most >= 0 {
			in = io.LimitReader(from, most)
		}
		n, _ := io.Copy(to, in)
		count.Add(n)
		_ = client.Close()
		_ = server.Close()
	}
	both.Go(func() { copying(server, client, c.up, &c.sent) })
	both.Go(func() { copying(client, server, c.down, &c.got) })
	both.Wait()
}

// scripted is what the cut server makes of its input: what a shell would, that reads it to its end.
var scripted = regexp.MustCompile(`(?m)^hash='([^']+)'$`)

// plainServer is a server whose shell is played, not run: a script that is whole sets its password.
type plainServer struct {
	hostKey ssh.Signer

	mu   sync.Mutex
	hash string
}

func (s *plainServer) serve(tcp net.Conn) {
	anybody := func(ssh.PublicKey) bool { return true }
	sshserver.Serve(tcp, sshserver.Config(anybody, s.hostKey), func(_ *ssh.ServerConn, c ssh.NewChannel) func() {
		return func() { sshserver.Session(c, s.run) }
	})
}

func (s *plainServer) run(_ sshserver.Command, channel ssh.Channel) int {
	text, _ := io.ReadAll(channel) // a connection that ends is the end of the input, as for a shell
	switch script := strings.TrimSuffix(string(text), "\n"); {
	case string(text) == paths+rootProbe:
		_, _ = io.WriteString(channel, rootSeen+"\n")
	case strings.HasSuffix(script, "\nmain"):
		s.mu.Lock()
		s.hash = scripted.FindStringSubmatch(script)[1]
		s.mu.Unlock()
		_, _ = io.WriteString(channel, "cloudpw: exit 0 password set\n")
	}
	return 0
}

// cutReset is what came of a reset: what the client was told, whether the server has the password when it has ended, too, and how many
// bytes went each way.
type cutReset struct {
	told      error
	done, has bool
	sent, got int64
}

// cut plays one reset over a connection that ends after some bytes.
func cut(t testing.TB, private string, hostKey ssh.Signer, script guest.Script, up, down int64) cutReset {
	t.Helper()
	s := &plainServer{hostKey: hostKey}
	l := sshserver.Listen(t)
	l.Start(s.serve)
	c := newCutter(t, l.Endpoint(), up, down)
	h := cloud.Host{Name: "web-1", Address: c.Address, Port: c.Port, HostKey: sshserver.Line(hostKey.PublicKey()), Platform: cloud.Linux}
	p := connection(t, private, inventoryOf(h), nil)
	id, told := command{p}.Send(t.Context(), guest.Command{InstanceIDs: []string{"web-1"}, Script: script, Purpose: guest.SetPassword})
	_, kept := p.runs.get(id)
	c.Stop()
	l.Stop()
	return cutReset{told, told == nil && !kept, s.hash == script.Sealed, c.sent.Load(), c.got.Load()}
}

// TestCutAtEveryByte ends the connection after each number of bytes, in each direction. What is told as set is set, and what is told as
// certainly not set is not.
func TestCutAtEveryByte(t *testing.T) {
	private, _ := sshserver.NewPair(t)
	hostKey := sshserver.NewKey(t)
	script, err := guest.Linux(guest.Change{Username: "app", Secret: "Some-Secret-123", Order: order, NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	uncut := cut(t, private, hostKey, script, -1, -1)
	if uncut.told != nil || !uncut.done || !uncut.has {
		t.Fatalf("without a cut: %+v", uncut)
	}
	step := int64(1)
	if testing.Short() {
		step = 29
	}
	before := runtime.NumGoroutine()
	var unknown, refused, set, late atomic.Int64
	for direction, whole := range map[string]int64{"to the server": uncut.sent, "from the server": uncut.got} {
		var next atomic.Int64
		var all sync.WaitGroup
		for range 2 * runtime.GOMAXPROCS(0) {
			all.Go(func() {
				for {
					bytes := next.Add(step) - step
					if bytes > whole {
						return
					}
					up, down := bytes, int64(-1)
					if direction == "from the server" {
						up, down = -1, bytes
					}
					r := cut(t, private, hostKey, script, up, down)
					switch kind := cloud.KindOf(r.told); {
					case r.done && !r.has:
						t.Errorf("%d bytes %s: told as set, and is not", bytes, direction)
					case r.done:
						set.Add(1)
					case r.told == nil:
						t.Errorf("%d bytes %s: neither done nor an error", bytes, direction)
					case kind == cloud.Unknown:
						unknown.Add(1)
						if r.has {
							late.Add(1)
						}
					case kind != cloud.Refused:
						t.Errorf("%d bytes %s: kind %q: %v", bytes, direction, kind, r.told)
					case r.has:
						t.Errorf("%d bytes %s: told as certainly not set, and is: %v", bytes, direction, r.told)
					default:
						refused.Add(1)
					}
				}
			})
		}
		all.Wait()
	}
	t.Logf("%d bytes to the server, %d from it: refused %d, unknown %d (%d of them set), set %d", uncut.sent, uncut.got, refused.Load(),
		unknown.Load(), late.Load(), set.Load())
	if refused.Load() == 0 || unknown.Load() == 0 || late.Load() == 0 {
		t.Error("one of the outcomes was never seen: this test proves nothing")
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+2; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
}
