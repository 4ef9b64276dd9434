package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// guide says what is there, and what to type.
func (p *playground) guide(out io.Writer, link, campaign string) {
	fmt.Fprintf(out, "\nVault is at %s.\n", p.vault.address)
	if link != "" {
		fmt.Fprintf(out, "The console, once: %s\n", link)
	}
	fmt.Fprintf(out, `
Try:

  cloudpw servers                        the fleet
  cloudpw ssh web-1                      a shell on a server; the lease ends with it
  cloudpw who web-2                      who holds its password
  cloudpw show web-3                     its versions, why they were made, who read them
  cloudpw why web-6                      why it fails: it is stopped
  cloudpw servers --drifted              somebody changed a password by hand
  cloudpw campaigns %s --follow    a rotation of eight servers that goes on for about a minute
  cloudpw console                        the same in a browser

`, campaign)
	var names []string
	for _, who := range people() {
		if who.name != me {
			names = append(names, who.name)
		}
	}
	fmt.Fprintf(out, "To be somebody else (%s): . %s\n", strings.Join(names, ", "), quote(filepath.Join(p.dir, "alice")))
	fmt.Fprintf(out, "In another terminal:   . %s\n", quote(filepath.Join(p.dir, "env.sh")))
	fmt.Fprintf(out, "To break things:       docs/playground.md\n\n")
}
