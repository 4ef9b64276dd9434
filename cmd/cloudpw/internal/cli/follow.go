package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// followFlags are those of the commands that wait for an end.
type followFlags struct {
	noWait  bool
	timeout time.Duration
}

func (f *followFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.noWait, "no-wait", false, "do not wait for the end; print the campaign's id, if there is one")
	f.addTimeout(cmd)
}

func (f *followFlags) addTimeout(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Minute, "wait no longer than this; 0: until the end. Vault goes on by itself")
}

func (f *followFlags) check() error {
	if f.timeout < 0 {
		return usagef("--timeout: must not be negative")
	}
	return nil
}

// within is a context that ends with the time of --timeout.
func (f *followFlags) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, f.timeout)
}

// barWait is how often a bar is told how far a campaign is.
const barWait = 2 * time.Second

// errNotDone is what follow returns if the time was over, or a person did not want to wait, before the end.
var errNotDone = errors.New("not done")

// follow shows how a campaign goes on until it ends. Vault may be sealed, restarted or replaced meanwhile: it asks again. When the time
// is over first, it returns errNotDone with the last state that it knows.
func (a *app) follow(ctx context.Context, c *engine.Client, id, title string, f *followFlags) (engine.Campaign, error) {
	ctx, cancel := f.within(ctx)
	defer cancel()
	p := output.NewProgress(a.stdio.Err, isTerminal(a.stdio.Err), title)
	defer p.Stop()
	longest := engine.MaxWait
	if p.Terminal() {
		longest = barWait
	}
	wait := time.Duration(0) // at first, so that there are numbers whatever happens then
	last := engine.Campaign{ID: id}
	err := a.until(ctx, p, func() (bool, error) {
		now, err := c.Campaign(ctx, id, wait)
		wait = longest
		if end, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(end)-time.Second)
		}
		if engine.IsGone(err) {
			return false, fmt.Errorf("there is no campaign %q; Vault keeps the last 100", id)
		}
		if err != nil {
			return false, err
		}
		last = now
		p.Update(now.Done+now.Skipped, now.Total, progressWords(now))
		return !now.Ended.IsZero(), nil
	})
	return last, err
}

// until asks again and again until the answer is yes. What passes by itself (see engine.IsPassing) is noted and asked again.
func (a *app) until(ctx context.Context, p *output.Progress, ask func() (bool, error)) error {
	noted, pause := "", a.pause
	for {
		done, err := ask()
		switch {
		case ctx.Err() != nil && !done:
			return errNotDone
		case err == nil && done:
			return nil
		case err == nil:
			noted, pause = "", a.pause
		case engine.IsPassing(err):
			if err.Error() != noted {
				noted = err.Error()
				p.Note("Vault cannot be asked now, trying again: " + noted)
			}
			pause = min(pause*2, 10*a.pause)
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return errNotDone
		case <-time.After(pause):
		}
	}
}

// progressWords are the numbers of a campaign.
func progressWords(c engine.Campaign) string {
	parts := []string{output.Digits(c.Done) + " done"}
	for _, of := range []struct {
		n     int
		words string
	}{{c.Failed, "failing"}, {c.Waiting, "waiting"}, {c.NotYetOrdered, "not begun"}, {c.Skipped, "skipped"}} {
		if of.n > 0 {
			parts = append(parts, output.Digits(of.n)+" "+of.words)
		}
	}
	words := fmt.Sprintf("%s of %s", strings.Join(parts, ", "), output.Digits(c.Total))
	if c.EstimatedSecs > 0 && c.Ended.IsZero() {
		words += ", about " + output.Age(time.Duration(c.EstimatedSecs)*time.Second) + " left"
	}
	return words
}

// finish shows how a campaign stands, and returns an error unless all of it is done.
func (a *app) finish(c engine.Campaign, err error) error {
	if err != nil && !errors.Is(err, errNotDone) {
		return err
	}
	format, ferr := a.format(output.Table, output.JSON)
	if ferr != nil {
		return ferr
	}
	if format == output.JSON {
		if err := output.WriteJSON(a.stdio.Out, c); err != nil {
			return err
		}
	} else {
		a.say("%s", progressWords(c))
		for _, line := range outcome(c) {
			a.say("  %s", line)
		}
	}
	switch {
	case errors.Is(err, errNotDone):
		return try(errors.New("not all is done yet; Vault goes on"), "cloudpw campaigns %s --follow", output.Word(c.ID))
	case c.EndReason != "completed" && c.EndReason != "":
		return try(fmt.Errorf("the campaign has ended before all was done: %s", endWords(c.EndReason)), "cloudpw campaigns")
	case c.Done+c.Skipped < c.Total:
		return try(errors.New("not all is done"), "cloudpw campaigns %s", output.Word(c.ID))
	}
	if n := mismatches(c); n > 0 {
		return try(fmt.Errorf("%s without the current password, or which could not be checked", plural(n, "server")),
			"cloudpw servers --drifted, and cloudpw show SERVER")
	}
	return nil
}

// outcome are lines about what was skipped, found and failed.
func outcome(c engine.Campaign) []string {
	var lines []string
	for _, reason := range keysOf(c.SkipReasons) {
		lines = append(lines, fmt.Sprintf("skipped: %d, %s", c.SkipReasons[reason], skipWords(reason)))
	}
	for _, result := range keysOf(c.Results) {
		lines = append(lines, fmt.Sprintf("%s: %d, %s", result, c.Results[result], found(result)))
	}
	for _, cause := range c.Causes {
		example := cause.ExampleAccount
		if example == "" {
			example = "role " + cause.ExampleRole
		}
		lines = append(lines, fmt.Sprintf("failing: %d, %s (for example %s)", cause.Accounts, cause.Cause, example))
	}
	return lines
}

func keysOf(counts map[string]int) []string {
	var keys []string
	for key, n := range counts {
		if n > 0 {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// mismatches is how many checks of a campaign did not find the current password.
func mismatches(c engine.Campaign) int {
	n := 0
	for result, count := range c.Results {
		if result != "matches" {
			n += count
		}
	}
	return n
}

// skipWords explains the words of skip_reasons.
func skipWords(reason string) string {
	words := map[string]string{
		"deleted":        "the account was deleted",
		"gone":           "the server is gone",
		"no_reset":       "nothing can set the password",
		"not_checkable":  "nothing can check the password, or there is none yet",
		"not_bound":      "the account has left the role",
		"not_due":        "what it was due for was dropped",
		"check_replaced": "somebody recorded the password meanwhile",
		"lost":           "storage lost a part of the campaign's list",
	}[reason]
	if words == "" {
		return reason
	}
	return words
}

func endWords(reason string) string {
	words := map[string]string{
		"superseded": "the same was ordered again later",
		"expired":    "it was open for 30 days",
		"lost":       "storage lost a part of its list; give the order again",
	}[reason]
	if words == "" {
		return reason
	}
	return words
}
