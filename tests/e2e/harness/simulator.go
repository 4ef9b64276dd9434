package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/adminapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

// Simulator is a running cloud simulator and a client of its control API.
type Simulator struct {
	adminapi.Client
	// Info tells its endpoints, and the accounts and servers that it began with.
	Info cloudsim.Info

	process *Process
}

// StartSimulator runs the simulator with its seeded world. Flags are those of cmd/cloudsim.
func StartSimulator(tb testing.TB, bin Binaries, flags ...string) *Simulator {
	tb.Helper()
	dir := tb.TempDir()
	logPath := filepath.Join(dir, "cloudsim.log")
	s := &Simulator{process: startProcess(tb, "cloudsim", logPath, environment(dir), bin.Simulator, flags...)}
	err := poll(startWithin, func() error {
		if err := s.process.alive(); err != nil {
			return err
		}
		output, err := os.ReadFile(logPath)
		if err != nil {
			return err
		}
		line, _, whole := strings.Cut(string(output), "\n")
		if !whole {
			return errors.New("it has not said that it is ready")
		}
		return json.Unmarshal([]byte(line), &s.Info)
	})
	if err != nil {
		tb.Fatalf("start the cloud simulator: %v", err)
	}
	s.URL = s.Info.Admin
	return s
}

// ServerID is the id of a seeded server, such as "windows-1".
func (s *Simulator) ServerID(tb testing.TB, cloud model.Cloud, name string) string {
	tb.Helper()
	id := s.Info.Seeded[cloud].Servers[name]
	if id == "" {
		tb.Fatalf("the simulator has no server %s in %s", name, cloud)
	}
	return id
}

// Login tries a password on a server over SSH. The error is sshd.ErrRefused when the server was reached and said no.
func (s *Simulator) Login(tb testing.TB, id, user, password string) error {
	tb.Helper()
	server, err := s.Server(tb.Context(), id)
	if err != nil {
		tb.Fatalf("SSH address of server %s: %v", id, err)
	}
	return sshd.Login(tb.Context(), server.SSHAddr, user, password)
}

// Accepts fails the test unless the server accepts the password.
func (s *Simulator) Accepts(tb testing.TB, id, user, password string) {
	tb.Helper()
	if err := s.Login(tb, id, user, password); err != nil {
		tb.Fatalf("server %s should accept the password: %v", id, err)
	}
}

// Refuses fails the test unless the server is reached and refuses the password.
func (s *Simulator) Refuses(tb testing.TB, id, user, password string) {
	tb.Helper()
	switch err := s.Login(tb, id, user, password); {
	case err == nil:
		tb.Fatalf("server %s still accepts the old password of %s", id, user)
	case !errors.Is(err, sshd.ErrRefused):
		tb.Fatalf("log in to server %s: %v", id, err)
	}
}

// Fault adds a fault and returns its id.
func (s *Simulator) Fault(tb testing.TB, fault model.Fault) int {
	tb.Helper()
	id, err := s.AddFault(tb.Context(), fault)
	if err != nil {
		tb.Fatalf("add a fault: %v", err)
	}
	return id
}

// LastEntry is the number of the newest request in the log, 0 if there is none.
func (s *Simulator) LastEntry(tb testing.TB) int {
	tb.Helper()
	entries := s.Since(tb, 0)
	if len(entries) == 0 {
		return 0
	}
	return entries[len(entries)-1].Seq
}

// Since returns the requests to clouds after the one with that number.
func (s *Simulator) Since(tb testing.TB, number int) []model.Entry {
	tb.Helper()
	entries, err := s.Log(tb.Context(), number)
	if err != nil {
		tb.Fatalf("the simulator's request log: %v", err)
	}
	return entries
}

// PasswordAttempts are the requests that wanted to set a server's password, oldest first.
func (s *Simulator) PasswordAttempts(tb testing.TB, id string) []model.Attempt {
	tb.Helper()
	attempts, err := s.Attempts(tb.Context(), id)
	if err != nil {
		tb.Fatalf("the simulator's attempts: %v", err)
	}
	return attempts
}

// AwaitHeld waits until the simulator holds back n requests or answers.
func (s *Simulator) AwaitHeld(tb testing.TB, n int, within time.Duration) {
	tb.Helper()
	Eventually(tb, within, fmt.Sprintf("%d held answers", n), func() error {
		stats, err := s.Stats(tb.Context())
		if err == nil && stats.Held < n {
			err = fmt.Errorf("%d are held", stats.Held)
		}
		return err
	})
}
