package askpass

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// connectTime bounds how long the helper waits for the process that holds the password. The question itself may wait for a person.
const connectTime = 10 * time.Second

// Wanted reports whether this process was started to ask for a password, and not by a person.
func Wanted() bool { return socket() != "" }

// socket is where the answer comes from: beside the link that this process was started by, or as the environment says. A person's
// command has other arguments than the one text of a question.
func socket() string {
	if links {
		if filepath.Base(os.Args[0]) != helperName {
			return ""
		}
		return filepath.Join(filepath.Dir(os.Args[0]), socketName)
	}
	if len(os.Args) != 2 || !strings.ContainsAny(os.Args[1], " :") {
		return ""
	}
	return os.Getenv(variable)
}

// Main asks for the answer to the question that is this process's argument, writes it to out, and returns the exit code.
// Whoever asked takes another code than 0 for "no answer".
func Main(out, problems io.Writer) int {
	if err := ask(strings.Join(os.Args[1:], " "), out); err != nil {
		if err.Error() != "" {
			fmt.Fprintf(problems, "cloudpw: %v\n", err)
		}
		return 1
	}
	return 0
}

func ask(prompt string, out io.Writer) error {
	q := Question{Prompt: prompt, Kind: os.Getenv("SSH_ASKPASS_PROMPT"), Asker: os.Getppid()}
	conn, err := (&net.Dialer{Timeout: connectTime}).DialContext(context.Background(), "unix", socket())
	if err != nil {
		return errors.New("the cloudpw that has the password is gone")
	}
	defer conn.Close()
	var a Answer
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return errors.New("the cloudpw that has the password is gone")
	}
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		return errors.New("the cloudpw that has the password has not answered")
	}
	switch {
	case a.Terminal:
		return askTerminal(q, out)
	case a.Password != "":
		_, err := fmt.Fprintln(out, a.Password)
		return err
	default:
		return errors.New(a.Refusal)
	}
}
