package sshclient

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// connectTime bounds a TCP connection: a host that is off answers nothing at all, and is not waited for as long as one that works.
const connectTime = 10 * time.Second

// connect opens a TCP connection.
func connect(ctx context.Context, address string, port int, o Options) (net.Conn, error) {
	dialer := net.Dialer{Timeout: min(o.timeout(), connectTime), KeepAlive: 15 * time.Second}
	cloud.GuardDialer(&dialer)
	return dialer.DialContext(ctx, "tcp", place(address, port))
}

// hop is one login on the way.
type hop struct {
	address, user, hostKey string
	first                  func(context.Context, string) (string, error)
	timeout                time.Duration
	auth                   []ssh.AuthMethod
	choose                 ssh.ClientAuthCallback
}

// login does the key exchange and logs in, within the time of one hop. Errors are *stageError. It does not close the line.
func login(ctx context.Context, l *line, conn net.Conn, h hop) (*ssh.Client, error) {
	bounded, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	algorithms, check, err := hostKeys(bounded, h.hostKey, h.first)
	if err != nil {
		return nil, &stageError{stage: stageHostKey, err: err}
	}
	stage := stageExchange
	config := &ssh.ClientConfig{
		User: h.user, Auth: h.auth, AuthCallback: h.choose, HostKeyAlgorithms: algorithms, ClientVersion: "SSH-2.0-cloudpw",
		HostKeyCallback: func(name string, remote net.Addr, key ssh.PublicKey) error {
			if err := check(name, remote, key); err != nil {
				stage = stageHostKey
				return err
			}
			stage = stageAuth
			return nil
		},
	}
	stop := l.within(bounded)
	c, channels, requests, err := ssh.NewClientConn(conn, h.address, config)
	if !stop() && err == nil {
		// The time ended in the very moment of success: the line is closed already.
		_ = c.Close()
		err = bounded.Err()
	}
	if err != nil {
		if bounded.Err() != nil {
			err = bounded.Err()
		}
		return nil, &stageError{stage: stage, err: err}
	}
	return ssh.NewClient(c, channels, requests), nil
}

// recorder notes which signer signed last.
type recorder struct {
	mu   sync.Mutex
	last ssh.Signer
}

func (r *recorder) used() ssh.Signer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// method is the login with the signers, in their order.
func (r *recorder) method(signers []ssh.Signer) ssh.AuthMethod {
	noted := make([]ssh.Signer, len(signers))
	for i, s := range signers {
		noted[i] = note(r, s)
	}
	return ssh.PublicKeys(noted...)
}

// note wraps a signer. A server is asked first whether it would take the key, and only then something is signed with it.
func note(r *recorder, s ssh.Signer) ssh.Signer {
	n := noting{s, r}
	if many, ok := s.(ssh.MultiAlgorithmSigner); ok {
		return notingMany{n, many}
	}
	if algorithms, ok := s.(ssh.AlgorithmSigner); ok {
		return notingAlgorithms{n, algorithms}
	}
	return n
}

type noting struct {
	ssh.Signer
	r *recorder
}

func (n noting) note() {
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	n.r.last = n.Signer
}

func (n noting) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	n.note()
	return n.Signer.Sign(rand, data)
}

type notingAlgorithms struct {
	noting
	algorithms ssh.AlgorithmSigner
}

func (n notingAlgorithms) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	n.note()
	return n.algorithms.SignWithAlgorithm(rand, data, algorithm)
}

type notingMany struct {
	noting
	many ssh.MultiAlgorithmSigner
}

func (n notingMany) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	n.note()
	return n.many.SignWithAlgorithm(rand, data, algorithm)
}

func (n notingMany) Algorithms() []string { return n.many.Algorithms() }
