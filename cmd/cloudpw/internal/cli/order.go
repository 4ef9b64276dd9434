package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// orderTarget is what rotate and verify are about: some servers, or all of a role or a connection.
type orderTarget struct {
	servers                []string
	connection, role, user string
}

// whole is the role or the connection, if no servers are named.
func (t *orderTarget) whole() (role, connection string, err error) {
	switch {
	case t.user != "":
		return "", "", usagef("--user: name a SERVER, too")
	case (t.role == "") == (t.connection == ""):
		return "", "", usagef("name one or more SERVERs, or give --role or --connection for all of one")
	}
	return t.role, t.connection, nil
}

// places finds all servers before anything is ordered of one.
func (t *orderTarget) places(ctx context.Context, c *engine.Client) ([]engine.Place, error) {
	var places []engine.Place
	for _, server := range t.servers {
		place, err := c.Resolve(ctx, engine.Target{Text: server, Connection: t.connection, Role: t.role, User: t.user})
		if err != nil {
			return nil, err
		}
		if place.Role == "" {
			return nil, fmt.Errorf("%s belongs to no role, so that nothing can be ordered of it", place.Argument())
		}
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	return places, nil
}

// job is an order about one server, and how far it is.
type job struct {
	place engine.Place
	// order gives the order, with a wait if the outcome can be told by its answer only. It returns whether all is done.
	order func(ctx context.Context, wait time.Duration) (bool, error)
	// look reports whether it is done, from what accounts/ says.
	look func(d engine.Detail) bool
	// result says how it ended, from the same, and whether that is as wanted.
	result func(d engine.Detail) (words string, good bool)

	detail engine.Detail
	done   bool
	err    error
}

func (j *job) name() string {
	if j.place.Name != "" {
		return j.place.Name
	}
	return j.place.Argument()
}

// do orders each job, and follows those that Vault took.
func (a *app) do(ctx context.Context, c *engine.Client, jobs []*job, title string, f *followFlags) error {
	ordered := 0
	for _, j := range jobs {
		wait := time.Duration(0)
		if j.place.Connection == "" && !f.noWait { // there is no account to look at, so the answer has to tell
			wait = engine.MaxWait
			if f.timeout > 0 {
				wait = min(wait, f.timeout)
			}
		}
		if j.done, j.err = j.order(ctx, wait); j.err != nil {
			if len(jobs) == 1 || ctx.Err() != nil {
				return j.err
			}
			continue
		}
		ordered++
	}
	if f.noWait {
		a.note("ordered: %s", plural(ordered, "server"))
		return joined(jobs)
	}
	if ordered > 0 {
		if err := a.followJobs(ctx, c, jobs, title, f); err != nil && !errors.Is(err, errNotDone) {
			return err
		}
	}
	return a.finishJobs(jobs)
}

// joined are the errors of jobs that Vault refused.
func joined(jobs []*job) error {
	var all []error
	for _, j := range jobs {
		if j.err != nil {
			all = append(all, fmt.Errorf("%s: %w", j.name(), j.err))
		}
	}
	return errors.Join(all...)
}

// followJobs waits until all that Vault took is done.
func (a *app) followJobs(ctx context.Context, c *engine.Client, jobs []*job, title string, f *followFlags) error {
	ctx, cancel := f.within(ctx)
	defer cancel()
	p := output.NewProgress(a.stdio.Err, isTerminal(a.stdio.Err), title)
	defer p.Stop()
	return a.until(ctx, p, func() (bool, error) {
		finished, last := 0, ""
		for _, j := range jobs {
			if err := j.ask(ctx, c); err != nil {
				return false, err
			}
			switch {
			case j.err != nil || j.done || j.place.Connection == "":
				finished++
			default:
				last = j.name() + " is " + j.detail.State
				if j.detail.WaitingFor != "" {
					last += ", waits for " + waiting(j.detail.WaitingFor)
				}
				if j.detail.LastError != "" {
					last += ": " + j.detail.LastError
				}
			}
		}
		words := fmt.Sprintf("%d of %d done", finished, len(jobs))
		if last != "" {
			words += "; " + last
		}
		p.Update(finished, len(jobs), words)
		return finished == len(jobs), nil
	})
}

// ask looks how far a job is, unless that is known.
func (j *job) ask(ctx context.Context, c *engine.Client) error {
	if j.err != nil || j.place.Connection == "" || j.done && j.detail.InstanceID != "" {
		return nil //nolint:nilerr // that error is the job's outcome, not this call's
	}
	d, err := c.Account(ctx, j.place.Connection, j.place.InstanceID, j.place.Username)
	switch {
	case engine.IsDenied(err): // what the answer to the order said is all that this token learns
		j.place.Connection = ""
		return nil
	case engine.IsGone(err):
		j.err = errors.New("the account was deleted meanwhile")
		return nil
	case err != nil:
		return err
	}
	j.detail = d
	j.done = j.done || j.look(d)
	return nil
}

// ended is how a job ended.
type ended struct {
	Account string `json:"account"`
	Server  string `json:"instance_name,omitzero"`
	Done    bool   `json:"done"`
	Good    bool   `json:"good"` // done, and as wanted
	Version int    `json:"current_version,omitzero"`
	Result  string `json:"result"` // in words
}

func (j *job) end() ended {
	e := ended{Account: j.place.Argument(), Server: j.place.Name, Version: j.detail.CurrentVersion}
	switch {
	case j.err != nil:
		e.Result = j.err.Error()
	case j.done:
		e.Done = true
		e.Result, e.Good = j.result(j.detail)
	default:
		e.Result = "not done yet"
		if j.detail.State != "" {
			e.Result += ", " + j.detail.State
		}
		if j.detail.LastError != "" {
			e.Result += ": " + j.detail.LastError
		}
	}
	return e
}

// finishJobs says how each ended.
func (a *app) finishJobs(jobs []*job) error {
	format, err := a.format(output.Table, output.JSON)
	if err != nil {
		return err
	}
	bad, all := 0, []ended{}
	for _, j := range jobs {
		e := j.end()
		all = append(all, e)
		if !e.Good && j.err == nil {
			bad++
		}
		if format == output.Table {
			a.say("%s: %s", j.name(), e.Result)
		}
	}
	if format == output.JSON {
		if err := output.WriteJSON(a.stdio.Out, all); err != nil {
			return err
		}
	}
	if err := joined(jobs); err != nil {
		return err
	}
	if bad > 0 {
		return try(fmt.Errorf("%d of %s not as wanted; what is due goes on in Vault", bad, plural(len(jobs), "server")), "cloudpw show %s",
			output.Word(jobs[0].place.Argument()))
	}
	return nil
}
