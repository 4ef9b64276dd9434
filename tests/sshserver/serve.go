package sshserver

import (
	"errors"
	"io"
	"net"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
)

var errNotThisKey = errors.New("not this key")

// Config is that of a server that lets in whoever has one of some keys.
func Config(letsIn func(ssh.PublicKey) bool, hostKeys ...ssh.Signer) *ssh.ServerConfig {
	c := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !letsIn(key) {
			return nil, errNotThisKey
		}
		return nil, nil
	}}
	for _, k := range hostKeys {
		c.AddHostKey(k)
	}
	return c
}

// Serve is the server's side of a connection. It asks what serves a channel that the client wants, and has that run in a goroutine of its
// own; nil: the channel is refused, unless it has been already. Serve returns when the connection and all that it started have ended.
func Serve(tcp net.Conn, config *ssh.ServerConfig, channel func(*ssh.ServerConn, ssh.NewChannel) (serve func())) {
	conn, channels, requests, err := ssh.NewServerConn(tcp, config)
	if err != nil {
		return
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	var all sync.WaitGroup
	defer all.Wait()
	for c := range channels {
		if serve := channel(conn, c); serve != nil {
			all.Go(serve)
		} else {
			_ = c.Reject(ssh.Prohibited, "not here")
		}
	}
}

// RefuseAll is for Serve: logging in is all that a client can do.
func RefuseAll(*ssh.ServerConn, ssh.NewChannel) (serve func()) { return nil }

// Command is what a client wants to be run.
type Command struct {
	Text string
	// Terminal says that the client has asked for one.
	Terminal bool
}

// Lost, as any negative one, is the exit code of a session that ends without one.
const Lost = -1

// Session takes a session, and has its command run.
func Session(c ssh.NewChannel, run func(Command, ssh.Channel) (exitCode int)) {
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	terminal := false
	for r := range requests {
		if r.Type != "exec" {
			terminal = terminal || r.Type == "pty-req"
			_ = r.Reply(r.Type == "pty-req", nil)
			continue
		}
		var command struct{ Command string }
		if ssh.Unmarshal(r.Payload, &command) != nil {
			return
		}
		_ = r.Reply(true, nil)
		if code := run(Command{command.Command, terminal}, channel); code >= 0 {
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
		}
		return
	}
}

// Forward passes a channel on to where it is to go (direct-tcpip), as a jump host does.
func Forward(c ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if c.ChannelType() != "direct-tcpip" || ssh.Unmarshal(c.ExtraData(), &to) != nil {
		_ = c.Reject(ssh.UnknownChannelType, "no such thing")
		return
	}
	out, err := net.Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = c.Reject(ssh.ConnectionFailed, "connection refused")
		return
	}
	defer out.Close()
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(out, channel)
		_ = out.Close()
	})
	_, _ = io.Copy(channel, out)
	_ = channel.Close()
	back.Wait()
}
