package sshd

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Exit statuses of commands, as a shell has them.
const (
	statusFailed   = 1
	statusMisused  = 2
	statusNotFound = 127
)

// shell is what a person finds in a simulated server: enough to see who and where one is, and to change a password by hand.
type shell struct {
	world  *model.World
	server model.Server
	user   string
	out    io.Writer
	// secret reads a line that is not shown.
	secret func(prompt string) (string, error)
	status int // of the last command
}

// errExit says that the user wants to leave.
var errExit = errors.New("exit")

// shellCommands are what can be typed, with what help says of it.
func shellCommands() []struct {
	name, help string
	run        func(*shell, []string) error
} {
	return []struct {
		name, help string
		run        func(*shell, []string) error
	}{
		{"help", "show this list", (*shell).help},
		{"whoami", "show the user who has logged in", func(s *shell, _ []string) error { return s.say(s.user) }},
		{"hostname", "show the server's name", func(s *shell, _ []string) error { return s.say(s.name()) }},
		{"uname", "show what the server runs", func(s *shell, _ []string) error { return s.say(s.title()) }},
		{"passwd", "change the password of this user by hand, without Vault's knowledge", (*shell).passwd},
		{"exit", "leave; exit NUMBER sets the exit status", (*shell).exit},
	}
}

// run reads commands by next until it fails, which Ctrl-D and a client that goes do, or the user leaves. It returns the exit status.
func (s *shell) run(next func() (string, error)) int {
	for {
		line, err := next()
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			return s.status
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if s.command(words) != nil {
			return s.status
		}
	}
}

// command runs one command. An error ends the shell.
func (s *shell) command(words []string) error {
	name := words[0]
	if name == "logout" || name == "quit" {
		name = "exit"
	}
	for _, c := range shellCommands() {
		if c.name == name {
			s.status = 0
			return c.run(s, words[1:])
		}
	}
	s.status = statusNotFound
	return s.say(printable(name) + ": command not found; type help")
}

func (s *shell) say(line string) error {
	_, err := fmt.Fprintln(s.out, line)
	return err
}

func (s *shell) help([]string) error {
	for _, c := range shellCommands() {
		if err := s.say(fmt.Sprintf("%-10s %s", c.name, c.help)); err != nil {
			return err
		}
	}
	return nil
}

// exit leaves with the status of the last command, or with a number. More than a byte wraps around, as in a shell.
func (s *shell) exit(words []string) error {
	if len(words) == 0 {
		return errExit
	}
	n, err := strconv.Atoi(words[0])
	if err != nil {
		s.status = statusMisused
		return s.say("exit: " + printable(words[0]) + " is no number")
	}
	s.status = n & 0xff
	return errExit
}

// passwd changes the password of the user who types it.
func (s *shell) passwd(words []string) error {
	if len(words) > 0 {
		s.status = statusMisused
		return s.say("passwd: it changes the password of the user who has logged in, and takes no arguments")
	}
	var typed [2]string
	for i, prompt := range []string{"New password: ", "Retype new password: "} {
		var err error
		if typed[i], err = s.secret(prompt); err != nil {
			return err
		}
	}
	switch {
	case typed[0] == "":
		s.status = statusFailed
		return s.say("passwd: no password was typed; the password is unchanged")
	case typed[0] != typed[1]:
		s.status = statusFailed
		return s.say("passwd: the two are not the same; the password is unchanged")
	}
	if err := s.world.SetLogin(s.server.ID, s.user, typed[0]); err != nil {
		s.status = statusFailed
		return s.say("passwd: " + err.Error())
	}
	return s.say("passwd: password updated")
}

// name is the server's name, for a terminal.
func (s *shell) name() string { return printable(s.server.Name) }

// title says what the server runs, and where.
func (s *shell) title() string {
	return printable(fmt.Sprintf("%s (%s), %s in %s", s.server.Name, s.server.ID, s.server.Platform, s.server.Region))
}

// prompt is as the platform's own shell has it.
func (s *shell) prompt() string {
	switch {
	case s.server.IsWindows():
		return `C:\Users\` + printable(s.user) + ">"
	case s.user == "root":
		return "root@" + s.name() + ":~# "
	default:
		return printable(s.user) + "@" + s.name() + ":~$ "
	}
}

// printable leaves out what a terminal would take for more than text: names are anybody's.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}
