package askpass

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

const (
	socketName = "socket"
	// helperName is the link to this binary beside the socket: a process of this name is a helper.
	helperName = "cloudpw-askpass"
	// variable names the socket where a user may make no links (Windows).
	variable = "CLOUDPW_ASKPASS"
	// questionTime bounds how long a helper takes to say what it wants.
	questionTime = 10 * time.Second
	// longestSocket is what fits into the address of a socket on every system (macOS: 104 bytes with the end mark).
	longestSocket = 103
)

// links says that users may make symbolic links.
const links = runtime.GOOS != "windows"

// Server answers helpers.
type Server struct {
	dir      string
	helper   string
	listener *net.UnixListener
	answer   func(Question) Answer
	running  sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
}

// Listen begins to answer. answer may be called by several helpers at once.
func Listen(answer func(Question) Answer) (*Server, error) {
	dir, err := makeFolder()
	if err != nil {
		return nil, fmt.Errorf("a folder for the socket that hands the password over: %w", err)
	}
	path := filepath.Join(dir, socketName)
	if len(path) > longestSocket {
		err := fmt.Errorf("the path of the temporary folder (%s) is too long for a socket: set XDG_RUNTIME_DIR or TMPDIR to a shorter one", dir)
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the socket that hands the password over: %w", err), os.RemoveAll(dir))
	}
	s := &Server{dir: dir, listener: listener, answer: answer, open: map[net.Conn]struct{}{}}
	if s.helper, err = os.Executable(); err == nil && links {
		to := filepath.Join(dir, helperName)
		err, s.helper = os.Symlink(s.helper, to), to
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the helper that hands the password over: %w", err), listener.Close(), os.RemoveAll(dir))
	}
	s.running.Go(s.serve)
	return s, nil
}

// makeFolder makes a folder that only the user may enter: below the one of the login session, where there is one of this user, else below
// the temporary folder.
func makeFolder() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && checkParent(dir) == nil {
		if made, err := os.MkdirTemp(dir, "cloudpw-"); err == nil {
			return made, nil
		}
	}
	if err := checkParent(os.TempDir()); err != nil {
		return "", err
	}
	return os.MkdirTemp("", "cloudpw-")
}

// Helper is the path of the program that asks this server. Its only argument is the question.
func (s *Server) Helper() string { return s.helper }

// Environment is what a program needs besides Helper: NAME=value entries, none of them secret.
func (s *Server) Environment() []string {
	if links {
		return nil
	}
	return []string{variable + "=" + filepath.Join(s.dir, socketName)}
}

// Close ends all that is asked, and removes the socket.
func (s *Server) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *Server) serve() {
	for {
		conn, err := s.listener.AcceptUnix()
		if err != nil {
			return // closed
		}
		if !s.track(conn) {
			return
		}
		s.running.Go(func() {
			defer s.forget(conn)
			s.talk(conn)
		})
	}
}

func (s *Server) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return false
	}
	s.open[conn] = struct{}{}
	return true
}

func (s *Server) forget(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
}

// talk hears one question and answers it.
func (s *Server) talk(conn *net.UnixConn) {
	if !sameUser(conn) {
		return
	}
	if conn.SetDeadline(time.Now().Add(questionTime)) != nil {
		return
	}
	var q Question
	if json.NewDecoder(conn).Decode(&q) != nil {
		return
	}
	a := s.answer(q)
	// The answer may have taken a while.
	if conn.SetDeadline(time.Now().Add(questionTime)) != nil {
		return
	}
	_ = json.NewEncoder(conn).Encode(a) //nolint:gosec // to give the password to the helper is what the socket is for
}
