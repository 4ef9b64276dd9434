package bulk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// Send writes the rows that Check has not refused: all hosts first, then the passwords. When ctx ends, or Vault is away for long, it begins
// nothing new and returns that error; rows that were not begun are NotTried. Failures of rows are no error.
func (j *Job) Send(ctx context.Context, rows []*Row) error {
	var todo []*Row
	for _, r := range rows {
		if r.Result != Failed {
			r.Result = NotTried
			todo = append(todo, r)
		}
	}
	s := &sending{Job: j, total: len(todo)}
	for batch := range slices.Chunk(withHosts(todo), batchSize) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.sendHosts(ctx, batch); err != nil {
			return err
		}
	}
	return s.sendPasswords(ctx, todo)
}

// sending is a run of Send.
type sending struct {
	*Job
	total int

	mu   sync.Mutex
	done int
}

// end notes that rows have their results.
func (s *sending) end(rows ...*Row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		s.done++
		if s.Done != nil {
			s.Done(r)
		}
	}
	s.tell(s.done, s.total, "sent")
}

// sendHosts writes a batch. The mount writes none of a batch if it refuses one: what was good when it was checked may not be any more, so
// the batch is checked again then.
func (s *sending) sendHosts(ctx context.Context, rows []*Row) error {
	answer, err := s.writeHosts(ctx, rows, false)
	if unreached(err) {
		return err
	}
	if err != nil {
		return s.sendApart(ctx, rows, err)
	}
	for i, host := range answer.Hosts {
		s.wrote(rows[i], Result(host.Result), host.Warnings)
	}
	return nil
}

// wrote notes that a host was written. Its row has its result if there is no password to follow.
func (s *sending) wrote(r *Row, result Result, warnings []string) {
	r.hostResult, r.Warnings = result, warnings
	if !r.HasPassword {
		r.Result = result
		s.end(r)
	}
}

// sendApart has a batch that failed checked again. What is unchanged now was written before the failure; the good rest is sent once more,
// if anything is refused now.
func (s *sending) sendApart(ctx context.Context, rows []*Row, why error) error {
	for _, r := range rows {
		r.Result, r.Error = NotTried, ""
	}
	before := map[*Row]Result{}
	for _, r := range rows {
		before[r] = r.planHost
	}
	if err := s.checkHosts(ctx, rows); err != nil {
		for _, r := range rows {
			r.fail(why.Error())
		}
		s.end(rows...)
		if unreached(err) {
			return err
		}
		return nil
	}
	var again []*Row
	refused := 0
	for _, r := range rows {
		switch {
		case r.Result == Failed:
			refused++
			s.end(r)
		case r.planHost == Unchanged:
			s.wrote(r, cmp.Or(before[r], Unchanged), r.Warnings)
		default:
			again = append(again, r)
		}
	}
	if len(again) == 0 {
		return nil
	}
	if refused == 0 && len(again) == len(rows) { // nothing has come of it, and nothing would
		for _, r := range again {
			r.fail(why.Error())
		}
		s.end(again...)
		return nil
	}
	return s.sendHosts(ctx, again)
}

// sendPasswords sends the passwords of rows whose hosts, if they have any, are written.
func (s *sending) sendPasswords(ctx context.Context, rows []*Row) error {
	work := make(chan *Row)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var workers sync.WaitGroup
	for range min(cmp.Or(s.Parallel, DefaultParallel), MaxParallel) {
		workers.Go(func() {
			for r := range work {
				if ctx.Err() != nil { // it ended while the row was handed over
					continue
				}
				if err := s.sendPassword(ctx, r); err != nil {
					stop(err)
				}
			}
		})
	}
	for _, r := range rows {
		if !r.HasPassword || r.Result == Failed {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		select {
		case work <- r:
		case <-ctx.Done():
		}
	}
	close(work)
	workers.Wait()
	return context.Cause(ctx)
}

// sendPassword records one password. The error is that of a Vault that is away; the row is not tried then, as far as anybody knows.
func (s *sending) sendPassword(ctx context.Context, r *Row) error {
	fields := map[string]any{columnPassword: r.Password.Reveal()}
	if r.SkipRotation != nil {
		fields[columnSkip] = *r.SkipRotation
	}
	warnings, err := s.put(ctx, fields, nil, "import", r.Connection, r.instance, cmp.Or(r.user, r.Username))
	switch {
	case unreached(err):
		return err
	case engine.IsGone(err) && r.Host != nil:
		r.fail(fmt.Sprintf("the host is %s, and has no account yet: %s; once a role has it, send the row again", r.hostResult, err))
	case err != nil:
		r.fail(err.Error())
	default:
		r.Result = Recorded
		for _, w := range warnings {
			r.Warnings = append(r.Warnings, r.clean(w))
		}
	}
	s.end(r)
	return nil
}
