// Command cloudsim runs the cloud simulator until it is interrupted, or tries
// a password on one of its servers. It is a test and demo tool, never a
// security boundary.
//
//	cloudsim [flags]             run; prints one line of JSON when ready
//	cloudsim login ADDR USER     read a password from standard input and log in by SSH
//
// login exits with 0 when the password is accepted, with 1 when it is refused
// and with 2 when the server cannot be reached or the usage is wrong.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/azureapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/cocapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/novaapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/sshd"
)

// Exit codes.
const (
	exitOK      = 0
	exitRefused = 1
	exitError   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	if len(args) > 0 && args[0] == "login" {
		return login(ctx, args[1:], in, out, errOut)
	}
	if err := serve(ctx, args, in, out, errOut); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		fmt.Fprintln(errOut, "cloudsim:", err)
		return exitError
	}
	return exitOK
}

// login tries the password on standard input.
func login(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintln(errOut, "usage: cloudsim login ADDR USER < password")
		return exitError
	}
	text, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(errOut, "cloudsim: read the password:", err)
		return exitError
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	switch err := sshd.Login(ctx, args[0], args[1], strings.TrimRight(text, "\r\n")); {
	case err == nil:
		fmt.Fprintf(out, "login accepted: %s on %s\n", args[1], args[0])
		return exitOK
	case errors.Is(err, sshd.ErrRefused):
		fmt.Fprintln(errOut, "cloudsim:", err)
		return exitRefused
	default:
		fmt.Fprintln(errOut, "cloudsim:", err)
		return exitError
	}
}

// config is what the flags say.
type config struct {
	options    cloudsim.Options
	seed       cloudsim.SeedOptions
	empty      bool
	caFile     string
	untilStdin bool
}

func parse(args []string, errOut io.Writer) (config, error) {
	c := config{options: cloudsim.Options{Listen: map[string]string{}}}
	f := flag.NewFlagSet("cloudsim", flag.ContinueOnError)
	f.SetOutput(errOut)
	listeners := "`name=host:port` of a listener (aws, tencentcloud, alibabacloud, azure, azure-login, ..., admin); may be repeated"
	f.Func("listen", listeners, func(v string) error {
		name, addr, ok := strings.Cut(v, "=")
		if !ok {
			return errors.New("want name=host:port")
		}
		c.options.Listen[name] = addr
		return nil
	})
	f.BoolVar(&c.options.TLS, "tls", false, "serve the clouds over HTTPS with a CA of its own")
	f.StringVar(&c.caFile, "ca-file", "", "write the CA certificate to this `file`")
	f.Uint64Var(&c.options.Seed, "seed", 1, "seed of generated ids")
	f.DurationVar(&c.options.OperationTime, "operation-time", model.DefaultOperationTime, "length of an asynchronous operation")
	f.DurationVar(&c.seed.ReadyAfter, "ready-after", 0, "time until an initial password appears")
	f.BoolVar(&c.seed.NoServers, "no-servers", false, "seed accounts without servers")
	f.BoolVar(&c.empty, "empty", false, "seed nothing at all")
	azureLimits := f.Bool("azure-limits", true, "count Azure's requests as its token buckets do")
	tokenLifetime := f.Duration("token-lifetime", novaapi.DefaultTokenLifetime, "lifetime of Keystone tokens")
	keyLifetime := f.Duration("key-lifetime", 0, "lifetime of temporary access keys of Huawei Cloud and Open Telekom Cloud; 0: as asked for")
	azureTokenLifetime := f.Duration("azure-token-lifetime", azureapi.DefaultTokenLifetime, "lifetime of Azure's tokens")
	cocParameters := f.String("coc-parameters", cocapi.Replace, "how COC hands parameters to scripts: replace or environment")
	f.BoolVar(&c.untilStdin, "until-stdin-closes", false, "end when standard input is closed, so that it cannot outlive its parent")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	c.options.Nova = func(o *novaapi.Options) { o.TokenLifetime, o.KeyLifetime = *tokenLifetime, *keyLifetime }
	if *cocParameters != cocapi.Replace && *cocParameters != cocapi.Environment {
		return c, fmt.Errorf("-coc-parameters: %q is neither %s nor %s", *cocParameters, cocapi.Replace, cocapi.Environment)
	}
	c.options.COC = func(o *cocapi.Options) { o.Parameters = *cocParameters }
	c.options.Azure = func(o *azureapi.Options) {
		o.TokenLifetime = *azureTokenLifetime
		if !*azureLimits {
			o.Limits = map[string]azureapi.Limit{}
		}
	}
	return c, nil
}

// serve runs the simulator until ctx ends.
func serve(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	c, err := parse(args, errOut)
	if err != nil {
		return err
	}
	sim, err := cloudsim.New(c.options)
	if err != nil {
		return err
	}
	defer sim.Close()
	if !c.empty {
		if _, err := sim.Seed(c.seed); err != nil {
			return err
		}
	}
	if c.caFile != "" {
		if err := os.WriteFile(c.caFile, []byte(sim.Info().TLS.CAPEM), 0o644); err != nil {
			return fmt.Errorf("write the CA certificate: %w", err)
		}
	}
	if err := json.NewEncoder(out).Encode(sim.Info()); err != nil {
		return fmt.Errorf("write the ready line: %w", err)
	}
	if c.untilStdin {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		go func() {
			defer cancel()
			_, _ = io.Copy(io.Discard, in) // any end will do
		}()
	}
	<-ctx.Done()
	return nil
}
