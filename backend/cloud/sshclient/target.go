package sshclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Target is a server, and what is known of it.
type Target struct {
	// Name is for messages: the instance id.
	Name string
	// Address is a name or an IP address, Port 1 to 65535.
	Address string
	Port    int
	// User is who logs in.
	User string
	// HostKey is the pinned key in the form of ParseHostKey; "": First is asked.
	HostKey string
	// First pins the key that the host shows first, and returns what is pinned then; nil: a host without a pinned key is refused.
	// It is called after the host has proved that it has the key, and before anything else is sent.
	First func(ctx context.Context, key string) (pinned string, err error)
	// Jump is the way to it; nil: direct.
	Jump *Jump
}

// Jump is a host that passes connections on (direct-tcpip, as ssh -J). It is logged in to with the same keys.
type Jump struct {
	Address string
	Port    int
	User    string
	// HostKey is the pinned key in the form of ParseHostKey. It must not be empty.
	HostKey string
}

// Options bound what a connection may cost.
type Options struct {
	// Timeout is that of connecting and logging in, for each hop, and of each command. Zero: DefaultTimeout.
	Timeout time.Duration
}

// DefaultTimeout is in force where Options have none. It is longer than sshd's FailDelay and a slow reverse lookup.
const DefaultTimeout = time.Minute

func (o Options) timeout() time.Duration { return cmp.Or(o.Timeout, DefaultTimeout) }

// place is where to connect to.
func place(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }

// errNotAllowed is that of an address that nothing is sent to.
var errNotAllowed = errors.New("the address is refused")

// allowed refuses what nothing is sent to.
func allowed(address string) error {
	if err := CheckAddress(address); err != nil {
		return fmt.Errorf("%w: %w", errNotAllowed, err)
	}
	return nil
}
