package ssh

import (
	"io"
	"net"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// cutter passes connections on to a server, and ends each after some bytes in one direction.
type cutter struct {
	listener  net.Listener
	to        string
	up, down  int64 // bytes to the server and from it; negative: no limit
	sent, got atomic.Int64
	all       sync.WaitGroup
}

func newCutter(t testing.TB, to string, up, down int64) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener, to: to, up: up, down: down}
	c.all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c.all.Go(func() { c.pass(conn) })
		}
	})
	return c
}

func (c *cutter) close() {
	_ = c.listener.Close()
	c.all.Wait()
}

func (c *cutter) pass(client net.Conn) {
	defer client.Close()
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
	open sync.WaitGroup
}

func (s *plainServer) serve(tcp net.Conn) {
	defer tcp.Close()
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(s.hostKey)
	_, channels, requests, err := ssh.NewServerConn(tcp, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		s.open.Go(func() { s.session(channel, requests) })
	}
}

func (s *plainServer) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for r := range requests {
		_ = r.Reply(r.Type == "exec", nil)
		if r.Type != "exec" {
			continue
		}
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
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{0}))
		return
	}
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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(conn) })
		}
	})
	c := newCutter(t, listener.Addr().String(), up, down)
	_, port, err := net.SplitHostPort(c.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	h := cloud.Host{Name: "web-1", Address: "127.0.0.1", Port: n, HostKey: lineOf(hostKey.PublicKey()), Platform: cloud.Linux}
	p := connection(t, private, inventoryOf(h), nil)
	id, told := command{p}.Send(t.Context(), guest.Command{InstanceIDs: []string{"web-1"}, Script: script, Purpose: guest.SetPassword})
	_, kept := p.runs.get(id)
	c.close()
	_ = listener.Close()
	all.Wait()
	s.open.Wait()
	return cutReset{told, told == nil && !kept, s.hash == script.Sealed, c.sent.Load(), c.got.Load()}
}

// TestCutAtEveryByte ends the connection after each number of bytes, in each direction. What is told as set is set, and what is told as
// certainly not set is not.
func TestCutAtEveryByte(t *testing.T) {
	private, _ := pair(t)
	_, hostKey := pair(t)
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
