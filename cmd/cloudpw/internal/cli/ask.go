package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// errNo is a question that was answered no.
var errNo = errors.New("nothing was done")

// ask asks a person, and returns nil only for a yes. Without a terminal nobody can answer: required says whether that is an error, or
// whether who wrote the command line has said enough by it.
func (a *app) ask(yes, required bool, question string) error {
	switch {
	case yes:
		return nil
	case !a.interactive() && required:
		return usagef("nobody can be asked, since standard input is no terminal: give --yes")
	case !a.interactive():
		return nil
	}
	_, _ = fmt.Fprint(a.stdio.Err, output.Clean(question)+" [y/N] ")
	line, err := bufio.NewReader(a.stdio.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errNo
}
