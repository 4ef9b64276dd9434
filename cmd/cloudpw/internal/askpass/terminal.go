package askpass

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// askTerminal shows a question at the terminal that controls this process, and writes what is typed there to out. What is typed is seen
// only if it is no secret.
func askTerminal(q Question, out io.Writer) error {
	in, screen, err := openTerminal()
	if err != nil {
		return fmt.Errorf("there is no terminal at which this could be answered: %s", strings.TrimSpace(output.CleanLines(q.Prompt)))
	}
	defer in.Close()
	defer screen.Close()
	if q.Kind == "none" { // a notice, such as "confirm user presence": it is shown until whoever asked ends this process
		_, err := fmt.Fprintln(screen, output.CleanLines(q.Prompt))
		return err
	}
	answer, err := readAnswer(in, screen, output.CleanLines(q.Prompt), isOpen(q))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, answer)
	return err
}

// isOpen reports whether what is typed may be seen: OpenSSH asks with yes or no about host keys and about the use of keys.
func isOpen(q Question) bool {
	prompt := strings.TrimSpace(q.Prompt)
	for _, end := range []string{
		"(yes/no)?", "(yes/no/[fingerprint])?", "Please type 'yes' or 'no':", "Please type 'yes', 'no' or the fingerprint:",
	} {
		if strings.HasSuffix(prompt, end) {
			return true
		}
	}
	return q.Kind == "confirm"
}

// readAnswer shows a prompt and reads a line. Where it must not be seen, the terminal echoes nothing from before the prompt on. It is as it
// was when this returns, and also if a signal ends the process.
func readAnswer(in, screen *os.File, prompt string, open bool) (string, error) {
	if open {
		if _, err := fmt.Fprint(screen, prompt); err != nil {
			return "", err
		}
		return readLine(in)
	}
	fd := int(in.Fd())
	was, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(fd, was) }()
	if err := hideInput(fd); err != nil {
		return "", err
	}
	if _, err := fmt.Fprint(screen, prompt); err != nil {
		return "", err
	}
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, endings...)
	defer signal.Stop(ends)
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		fmt.Fprintln(screen)
		return string(l.text), l.err
	case <-ends:
		fmt.Fprintln(screen)
		return "", errors.New("interrupted")
	}
}

func readLine(in io.Reader) (string, error) {
	text, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && (err != io.EOF || text == "") {
		return "", err
	}
	return strings.TrimRight(text, "\r\n"), nil
}
