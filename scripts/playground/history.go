package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// rotatesWithin bounds a rotation on a busy machine.
const rotatesWithin = 2 * time.Minute

// history lets some of what happens to a fleet happen. The people of it are those who order or read.
func (p *playground) history(ctx context.Context) error {
	if err := p.reads(ctx); err != nil {
		return err
	}
	var all []func(context.Context) error
	all = append(all, p.givenBack, p.byHand, p.left, p.recorded, p.drifted, p.stopped)
	if err := together(ctx, all); err != nil {
		return err
	}
	return p.allAtRest(ctx)
}

// together runs functions side by side.
func together(ctx context.Context, all []func(context.Context) error) error {
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, f := range all {
		running.Go(func() { errs[i] = f(ctx) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// read is one password, and the lease that it came under.
type read struct {
	password, lease string
}

// take reads a server's password as somebody. A server's first password takes a while.
func (p *playground) take(ctx context.Context, who, role, name string) (read, error) {
	path := mount + "/creds/" + role + "/" + p.world.servers[name].ID
	var out read
	err := poll(ctx, rotatesWithin, "the password of "+name, func() error {
		answer, err := p.people[who].Logical().ReadWithDataWithContext(ctx, path, map[string][]string{"wait": {"30s"}})
		if refused := new(api.ResponseError); errors.As(err, &refused) && refused.StatusCode != http.StatusServiceUnavailable {
			return permanent{err}
		}
		if err != nil {
			return err
		}
		out.lease = answer.LeaseID
		out.password, _ = answer.Data["password"].(string)
		return nil
	})
	if err != nil {
		return read{}, fmt.Errorf("%s reads creds/%s for %s: %w", who, role, name, err)
	}
	return out, nil
}

// takes is take for several servers at a time.
func (p *playground) takes(ctx context.Context, who, role string, names ...string) error {
	var all []func(context.Context) error
	for _, name := range names {
		all = append(all, func(ctx context.Context) error {
			_, err := p.take(ctx, who, role, name)
			return err
		})
	}
	return together(ctx, all)
}

// reads are the first passwords, and the leases that are held.
func (p *playground) reads(ctx context.Context) error {
	of := func(who, role string, names ...string) func(context.Context) error {
		return func(ctx context.Context) error { return p.takes(ctx, who, role, names...) }
	}
	return together(ctx, []func(context.Context) error{
		of("alice", "web", "web-1", "web-2", "web-5"), of("bob", "web", "web-2", "web-4"), of("alice", "db", "db-1"),
		of("bob", "windows", "win-app-1"), of("ivan", "mail", "mail-1", "mail-2"), of("ivan", "lab", "lab-1"),
		of(me, "sap-windows", "sap-win-1"), of(me, "files", "files-1"),
	})
}

// givenBack has alice read a password and give it back.
func (p *playground) givenBack(ctx context.Context) error {
	held, err := p.take(ctx, "alice", "web", "web-3")
	if err != nil {
		return err
	}
	if _, err := p.people["alice"].Logical().WriteWithContext(ctx, "sys/leases/revoke/"+held.lease, nil); err != nil {
		return fmt.Errorf("alice gives the password of web-3 back: %w", err)
	}
	return nil
}

// byHand has olivia rotate a server.
func (p *playground) byHand(ctx context.Context) error {
	_, err := write(ctx, p.people["olivia"], "rotate-role/erp/"+p.world.servers["erp-3"].ID, nil)
	return err
}

// left has sam rotate what ivan has had, who has left.
func (p *playground) left(ctx context.Context) error {
	_, err := write(ctx, p.people["sam"], "rotate-reader", map[string]any{"display_name": "userpass-ivan"})
	return err
}

// recorded has rita record what people have set on the servers of the role sap.
func (p *playground) recorded(ctx context.Context) error {
	for _, name := range []string{"sap-1", "sap-2"} {
		s := p.world.servers[name]
		for i, password := range []string{"Set-By-Hand-1-" + name, "Set-By-Hand-2-" + name} {
			if err := p.world.sim.World().SetLogin(s.ID, s.DefaultUser(), password); err != nil {
				return err
			}
			_, err := write(ctx, p.people["rita"], "import/prod-otc/"+s.ID+"/"+s.DefaultUser(), map[string]any{"password": password})
			if err != nil {
				return err
			}
			if name == "sap-2" && i == 0 {
				break // only once
			}
		}
	}
	return nil
}

// drifted has somebody change a password inside a server, and olivia look.
func (p *playground) drifted(ctx context.Context) error {
	s := p.world.servers["erp-2"]
	err := poll(ctx, rotatesWithin, "the password of erp-2", func() error {
		all, err := p.accounts(ctx)
		if err == nil && all[s.Name].State != "ready" {
			err = fmt.Errorf("it is %s: %s", all[s.Name].State, all[s.Name].LastError)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := p.world.sim.World().SetLogin(s.ID, s.DefaultUser(), "Changed-By-Hand-1"); err != nil {
		return err
	}
	_, err = write(ctx, p.people["olivia"], "verify/erp/"+s.ID, nil)
	return err
}

// stopped stops a server whose password is due.
func (p *playground) stopped(ctx context.Context) error {
	s := p.world.servers["web-6"]
	if _, err := p.take(ctx, "bob", "web", "web-6"); err != nil {
		return err
	}
	if err := p.world.sim.World().SetState(s.ID, model.StateStopped); err != nil {
		return err
	}
	_, err := write(ctx, p.people["olivia"], "rotate-role/web/"+s.ID, nil)
	return err
}

// account is what the engine says of an account.
type account struct {
	Name, Role, State string
	Drifted           bool
	LastError         string `json:"last_error"`
}

// accounts are all of the engine, by the names of their servers.
func (p *playground) accounts(ctx context.Context) (map[string]account, error) {
	answer, err := p.vault.root.Logical().ReadWithContext(ctx, mount+"/report")
	if err != nil {
		return nil, fmt.Errorf("the report: %w", err)
	}
	text, err := json.Marshal(answer.Data["accounts"])
	if err != nil {
		return nil, fmt.Errorf("the report: %w", err)
	}
	var list []account
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("the report: %w", err)
	}
	out := map[string]account{}
	for _, a := range list {
		out[a.Name] = a
	}
	return out, nil
}

// allAtRest waits until what was ordered is done: each account is ready or has none yet, but for the one that fails, and the drift is seen.
func (p *playground) allAtRest(ctx context.Context) error {
	return poll(ctx, rotatesWithin, "the fleet", func() error {
		all, err := p.accounts(ctx)
		if err != nil {
			return err
		}
		var open []string
		for name, a := range all {
			failing := name == "web-6"
			switch {
			case failing && a.LastError == "", !failing && a.Role != "cache" && a.State != "ready" && a.State != "empty",
				name == "erp-2" && !a.Drifted:
				open = append(open, fmt.Sprintf("%s is %s: %s", name, a.State, a.LastError))
			}
		}
		if len(open) > 0 {
			return errors.New(strings.Join(open, ", "))
		}
		return nil
	})
}

// campaign orders one that goes on for about a minute.
func (p *playground) campaign(ctx context.Context) (string, error) {
	if err := p.slow(ctx); err != nil {
		return "", err
	}
	answer, err := write(ctx, p.people["olivia"], "rotate-role/batch", nil)
	if err != nil {
		return "", err
	}
	id, _ := answer.Data["campaign"].(string)
	return id, nil
}
