package sshd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// ErrRefused says that a server did not accept user and password.
var ErrRefused = errors.New("login refused")

// Login logs in to an SSH server with a password and out again. The error is
// ErrRefused when the server was reached and said no. The host key is not
// checked: the simulator's is new in every run.
func Login(ctx context.Context, addr, user, password string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("log in to %s: %w", addr, err)
	}
	defer conn.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(handshakeTime)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return fmt.Errorf("log in to %s: %w", addr, err)
	}
	c, channels, requests, err := ssh.NewClientConn(conn, addr, &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.Password(password)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "unable to authenticate"):
		// x/crypto/ssh has no type for this failure.
		return fmt.Errorf("%w: user %q on %s", ErrRefused, user, addr)
	default:
		return fmt.Errorf("log in to %s: %w", addr, err)
	}
	client := ssh.NewClient(c, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return fmt.Errorf("log in to %s: %w", addr, err)
	}
	defer session.Close()
	if err := session.Run("true"); err != nil {
		return fmt.Errorf("log in to %s: run a command: %w", addr, err)
	}
	return nil
}
