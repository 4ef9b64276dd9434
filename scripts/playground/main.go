// Command playground starts simulated clouds with 40 servers and a Vault in dev mode with the plugin, people and some history, so that
// everything in the docs can be tried without a cloud. `make playground` builds what it needs and runs it. When it ends, whatever it has
// started ends, and its folder is removed.
//
//	playground [flags]          in a terminal: a shell with everything set; else it runs until it is interrupted
//	playground -bare DIR        only the clouds, with the simulator's own servers, and Vault, for scripts: see bare
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/term"
)

// options are what the flags say.
type options struct {
	vault   string // the program
	bin     string // the folder with the built programs
	docs    string // the folder with the policies
	version string // of the plugin
	bare    string // see bare
	console bool
	shell   bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	o, err := parse(args, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(errOut, "playground:", err)
		return 2
	}
	forgetVault()
	if o.bare != "" {
		err = bare(ctx, o)
	} else {
		err = play(ctx, o, out)
	}
	if err != nil && ctx.Err() == nil { // else the user has ended it
		fmt.Fprintln(errOut, "playground:", err)
		return 1
	}
	return 0
}

func parse(args []string, errOut io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("playground", flag.ContinueOnError)
	f.SetOutput(errOut)
	f.StringVar(&o.vault, "vault", os.Getenv("VAULT_BIN"), "the Vault `program`; default $VAULT_BIN")
	f.StringVar(&o.bin, "bin", "bin", "the `folder` that `make build` has filled")
	f.StringVar(&o.docs, "docs", "docs", "the `folder` with vault-policies.md")
	f.StringVar(&o.version, "version", "", "the plugin's `version`, as `make version` prints it")
	f.StringVar(&o.bare, "bare", "", "start only the clouds and Vault, and say in this `folder` where they are")
	f.BoolVar(&o.console, "console", true, "open the console")
	f.BoolVar(&o.shell, "shell", true, "end in a shell, if this is a terminal")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.vault == "":
		return o, errors.New("-vault: which Vault? Run `make playground`, which finds or builds one, or set VAULT_BIN")
	case o.version == "":
		return o, errors.New("-version: which version does the plugin have? `make version` prints it")
	}
	for _, path := range []*string{&o.vault, &o.bin, &o.docs, &o.bare} {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return o, err
		}
	}
	return o, nil
}

// plugin is the plugin's program.
func (o options) plugin() string { return filepath.Join(o.bin, pluginName) }

// play runs the playground until the user has enough of it.
func play(ctx context.Context, o options, out io.Writer) error {
	dir, err := os.MkdirTemp("", "cloudpw-playground.")
	if err != nil {
		return fmt.Errorf("a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(out, "Starting 40 servers in seven simulated clouds, and Vault ...")
	p, err := start(ctx, o, dir)
	if err != nil {
		return err
	}
	defer p.stop()
	fmt.Fprintln(out, "Letting some history happen: first passwords, leases, rotations, a drift, a failure ...")
	if err := p.history(ctx); err != nil {
		return err
	}
	campaign, err := p.campaign(ctx)
	if err != nil {
		return err
	}
	link := ""
	if o.console {
		if link, err = p.console(ctx); err != nil { // the rest can be tried all the same
			fmt.Fprintln(out, "The console could not be opened:", err)
		}
	}
	p.guide(out, link, campaign)
	if o.shell && term.IsTerminal(int(os.Stdin.Fd())) {
		return p.shell(ctx)
	}
	fmt.Fprint(out, "Ctrl-C ends it all.\n")
	return p.vault.process.wait(ctx)
}

// start starts everything in a folder, and sets it up.
func start(ctx context.Context, o options, dir string) (*playground, error) {
	w, err := newWorld()
	if err != nil {
		return nil, err
	}
	p := &playground{dir: dir, world: w}
	if p.vault, err = startVault(ctx, o.vault, o.bin, dir); err == nil {
		err = p.vault.register(ctx, o.plugin(), o.version)
	}
	if err == nil {
		err = p.setUp(ctx, o.docs)
	}
	if err == nil {
		err = p.writeFiles(map[string]string{
			"vault": o.vault, "cloudpw": filepath.Join(o.bin, "cloudpw"), "cloudsim": filepath.Join(o.bin, "cloudsim"),
		})
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// stop ends what start and console have started.
func (p *playground) stop() {
	if p.opened != nil {
		p.opened.stop()
	}
	if p.vault != nil {
		p.vault.process.stop()
	}
	p.world.sim.Close()
}
