package sshclient

import (
	"context"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Client is a connection that somebody has logged in to. It is safe for concurrent use.
type Client struct {
	target  Target
	timeout time.Duration
	line    *line
	ssh     *ssh.Client
	signer  ssh.Signer
}

// line is a TCP connection, and what runs through it.
type line struct {
	tcp  net.Conn
	jump *ssh.Client // nil: none
	end  sync.Once
}

// close ends the connection. The TCP connection goes first: whatever waits to write into it ends then.
func (l *line) close() {
	l.end.Do(func() {
		_ = l.tcp.Close()
		if l.jump != nil {
			_ = l.jump.Close()
		}
	})
}

// within ends the line when the context does, until stop is called.
func (l *line) within(ctx context.Context) (stop func() bool) { return context.AfterFunc(ctx, l.close) }

// Dial connects to a server whose host key is the pinned one, and logs in with the first of the signers that the server takes. Errors
// are *cloud.Error of kind Refused, or Unavailable where the jump host is the reason: nothing was done on the server.
func Dial(ctx context.Context, t Target, signers []ssh.Signer, o Options) (*Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, abandoned(t, err)
	}
	l, conn, err := reach(ctx, t, signers, o)
	if err != nil {
		return nil, err
	}
	keys := &recorder{}
	client, err := login(ctx, l, conn, hop{
		address: place(t.Address, t.Port), user: t.User, hostKey: t.HostKey, first: t.First, timeout: o.timeout(),
		auth: []ssh.AuthMethod{keys.method(signers)},
	})
	if err != nil {
		l.close()
		return nil, explain(ctx, t, signers, err)
	}
	return &Client{target: t, timeout: o.timeout(), line: l, ssh: client, signer: keys.used()}, nil
}

// Signer is the one of Dial's signers that the server took.
func (c *Client) Signer() ssh.Signer { return c.signer }

// Close logs out. It does not wait for the server.
func (c *Client) Close() {
	c.line.close()
	_ = c.ssh.Close()
}

// reach opens a connection to the server's port, directly or by its jump host.
func reach(ctx context.Context, t Target, signers []ssh.Signer, o Options) (*line, net.Conn, error) {
	if err := allowed(t.Address); err != nil {
		return nil, nil, unreachable(t, err)
	}
	if t.Jump == nil {
		tcp, err := connect(ctx, t.Address, t.Port, o)
		if err != nil {
			return nil, nil, explain(ctx, t, nil, &stageError{stage: stageConnect, err: err})
		}
		return &line{tcp: tcp}, tcp, nil
	}
	tcp, err := connect(ctx, t.Jump.Address, t.Jump.Port, o)
	if err != nil {
		return nil, nil, explainJump(ctx, t, signers, &stageError{stage: stageConnect, err: err})
	}
	l := &line{tcp: tcp}
	jump, err := login(ctx, l, tcp, hop{
		address: place(t.Jump.Address, t.Jump.Port), user: t.Jump.User, hostKey: t.Jump.HostKey, timeout: o.timeout(),
		auth: []ssh.AuthMethod{ssh.PublicKeys(signers...)},
	})
	if err != nil {
		l.close()
		return nil, nil, explainJump(ctx, t, signers, err)
	}
	l.jump = jump
	conn, err := through(ctx, l, t, o)
	if err != nil {
		l.close()
		return nil, nil, err
	}
	return l, conn, nil
}

// through has the jump host connect to the server.
func through(ctx context.Context, l *line, t Target, o Options) (net.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	defer l.within(bounded)()
	conn, err := l.jump.DialContext(bounded, "tcp", place(t.Address, t.Port))
	if err != nil {
		return nil, explainBehind(ctx, t, err)
	}
	return conn, nil
}
