package example

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Memory is a cloud in the memory of the process. It is safe for concurrent use, and its zero value has no servers.
type Memory struct {
	mu        sync.Mutex
	servers   []*memoryServer
	operation int
}

type memoryServer struct {
	Server
	passwords map[string]string // by user
	pending   map[string]string // what the running operation sets
}

var _ API = (*Memory)(nil)

// Add adds a running server, which has one user.
func (m *Memory) Add(s Server, user, password string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.State = "running"
	m.servers = append(m.servers, &memoryServer{Server: s, passwords: map[string]string{user: password}})
}

// Accepts reports whether a user can log in with a password.
func (m *Memory) Accepts(id, user, password string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.server(id)
	return s != nil && password != "" && s.passwords[user] == password
}

func (m *Memory) server(id string) *memoryServer {
	i := slices.IndexFunc(m.servers, func(s *memoryServer) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return m.servers[i]
}

// ListServers implements API. An operation that runs is shown so once, and has ended then.
func (m *Memory) ListServers(_ context.Context, ids []string) ([]Server, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Server
	for _, s := range m.servers {
		if ids == nil || slices.Contains(ids, s.ID) {
			found = append(found, s.Server)
			s.end()
		}
	}
	return found, nil
}

// end ends the server's operation.
func (s *memoryServer) end() {
	for user, password := range s.pending {
		if _, known := s.passwords[user]; !known {
			s.Operation.State, s.Operation.Message = "failed", "the server has no user "+user
			continue
		}
		s.passwords[user] = password
		s.Operation.State = "done"
	}
	s.pending, s.State = nil, "running"
}

// SetPassword implements API.
func (m *Memory) SetPassword(_ context.Context, ids []string, user, password string, mayStop bool) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		switch s := m.server(id); {
		case s == nil:
			return "", &APIError{codeNotFound, "server " + id}
		case s.pending != nil:
			return "", &APIError{codeBusy, "server " + id}
		case !mayStop:
			return "", &APIError{codeState, "server " + id + " is running"}
		}
	}
	m.operation++
	operation := fmt.Sprintf("operation-%d", m.operation)
	for _, id := range ids {
		s := m.server(id)
		s.pending, s.State = map[string]string{user: password}, "stopping"
		s.Operation.ID, s.Operation.State, s.Operation.Message = operation, "running", ""
	}
	return operation, nil
}
