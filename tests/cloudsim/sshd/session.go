package sshd

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/term"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// maxSide bounds what a client may say of its window, in characters.
const maxSide = 1000

// session is one session of a user who has logged in.
type session struct {
	world    *model.World
	id, user string
	channel  ssh.Channel
	// window is what the client has asked for; nil: its input is no terminal.
	window *window
}

// window is the size of a terminal.
type window struct{ columns, rows int }

// size makes a window of what a client says.
func size(columns, rows uint32) *window {
	side := func(n, otherwise uint32) int {
		if n == 0 { // the client does not know it: RFC 4254, 6.2
			n = otherwise
		}
		return int(min(n, maxSide))
	}
	return &window{columns: side(columns, 80), rows: side(rows, 24)}
}

// serve answers a session's requests until its command or shell has ended, or the client has gone.
func (s *session) serve(in <-chan *ssh.Request) {
	for r := range in {
		var pty struct {
			Term                         string
			Columns, Rows, Width, Height uint32
			Modes                        string
		}
		run := r.Type == "exec" || r.Type == "shell"
		known := run || r.Type == "env"
		if r.Type == "pty-req" && ssh.Unmarshal(r.Payload, &pty) == nil {
			known, s.window = true, size(pty.Columns, pty.Rows)
		}
		if r.WantReply {
			_ = r.Reply(known, nil)
		}
		if !run {
			continue
		}
		status := 0
		if r.Type == "exec" {
			fmt.Fprintf(s.channel, "%s on %s\r\n", s.user, s.id)
			go ssh.DiscardRequests(in)
		} else {
			status = s.shell(in)
		}
		_, _ = s.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
		return
	}
}

// shell reads commands until the user has enough of them, or the client goes, and returns the exit status.
func (s *session) shell(in <-chan *ssh.Request) int {
	server, ok := s.world.Server(s.id)
	if !ok { // removed after the login
		fmt.Fprintf(s.channel, "%s is gone\r\n", s.id)
		go ssh.DiscardRequests(in)
		return 1
	}
	sh := &shell{world: s.world, server: server, user: s.user}
	if s.window == nil {
		go ssh.DiscardRequests(in)
		lines := bufio.NewScanner(s.channel)
		sh.out = s.channel
		sh.secret = func(string) (string, error) { return scan(lines) }
		return sh.run(func() (string, error) { return scan(lines) })
	}
	t := term.NewTerminal(&keys{ReadWriter: s.channel}, sh.prompt())
	_ = t.SetSize(s.window.columns, s.window.rows) // an error is that the client has gone, which the first line read says, too
	go func() {
		for r := range in {
			var to struct{ Columns, Rows, Width, Height uint32 }
			if r.Type == "window-change" && ssh.Unmarshal(r.Payload, &to) == nil {
				w := size(to.Columns, to.Rows)
				_ = t.SetSize(w.columns, w.rows)
			}
			if r.WantReply {
				_ = r.Reply(false, nil)
			}
		}
	}()
	sh.out = t
	sh.secret = t.ReadPassword
	fmt.Fprintf(t, "%s\nThis server is simulated. Type help for its commands.\n", sh.title())
	return sh.run(t.ReadLine)
}

// scan returns the next line, or io.EOF.
func scan(lines *bufio.Scanner) (string, error) {
	if lines.Scan() {
		return lines.Text(), nil
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", io.EOF
}

// keys has Ctrl-C throw away the line that was begun, as a shell does: x/term would end the input.
type keys struct {
	io.ReadWriter
	typed []byte // and not yet passed on
}

// Ctrl-C, and what is made of it: Ctrl-U and Enter.
const (
	interrupt = "\x03"
	forget    = "\x15\r"
)

func (k *keys) Read(p []byte) (int, error) {
	if len(k.typed) == 0 {
		buffer := make([]byte, max(len(p), 1))
		n, err := k.ReadWriter.Read(buffer)
		k.typed = []byte(strings.ReplaceAll(string(buffer[:n]), interrupt, forget))
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, k.typed)
	k.typed = k.typed[n:]
	return n, nil
}
