package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// consoleLink is the link that the console prints.
var consoleLink = regexp.MustCompile(`http://127\.0\.0\.1:\d+/\S*`)

// console starts the console as the person whose shell this is, and returns its link.
func (p *playground) console(ctx context.Context) (string, error) {
	log := filepath.Join(p.dir, "console.log")
	env := append(bareEnvironment(), p.environment(nil)...)
	for _, name := range []string{"HOME", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "BROWSER"} {
		if value := os.Getenv(name); value != "" { // a browser needs them
			env = append(env, name+"="+value)
		}
	}
	var err error
	if p.opened, err = startProcess("the console", log, env, filepath.Join(p.dir, "bin", "cloudpw"), "console"); err != nil {
		return "", err
	}
	link := ""
	err = poll(ctx, 30*time.Second, "the console's link", func() error {
		if err := p.opened.ended(); err != nil {
			return permanent{err}
		}
		printed, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		if link = consoleLink.FindString(string(printed)); link == "" {
			return errors.New("it has not printed one")
		}
		return nil
	})
	return link, err
}
