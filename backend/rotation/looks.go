package rotation

import (
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/guard"
)

// record asks for the operation record of one instance. Questions that come while a request is under
// way or waits for the limiter go out together, in the cloud's batches; where the cloud takes one at a time
// they go out side by side.
func (cs *connections) record(ctx context.Context, to session, ref cloud.ResetRef) (cloud.ResetRecord, bool, error) {
	n, r, timeout := to.state, to.reset, to.RequestTimeout
	if pollBatch(r) == 1 {
		call, cancel := context.WithTimeout(ctx, timeout+limiterTimeout)
		defer cancel()
		records, err := guard.Get(cs.opts.Logger, "asking connection "+n.name+" for an operation record",
			func() (map[string]cloud.ResetRecord, error) {
				return r.ResetRecords(call, []cloud.ResetRef{ref})
			})
		n.breaker.reportCall(ctx, cs.opts.Now(), err)
		cs.opts.turn(ctx, ID{Connection: n.name, InstanceID: ref.InstanceID, Username: ""})
		rec, ok := records[ref.InstanceID]
		return rec, ok, err
	}
	answer := make(chan lookAnswer, 1)
	if n.looks.add(look{ref, r, timeout, answer}) {
		cs.wg.Add(1)
		go cs.collect(n) //nolint:contextcheck // it serves many callers, so it ends with the core and not with one of them
	}
	select {
	case a := <-answer:
		cs.opts.turn(ctx, ID{Connection: n.name, InstanceID: ref.InstanceID, Username: ""})
		return a.record, a.found, a.err
	case <-ctx.Done():
		return cloud.ResetRecord{}, false, &cloud.Error{Kind: cloud.Unavailable, Err: ctx.Err(),
			Message: "the operation record was not waited for"}
	}
}

// collect sends the collected questions until there are none.
func (cs *connections) collect(n *connectionState) {
	defer cs.wg.Done()
	for {
		now, err := guard.Get(cs.opts.Logger, "collecting questions for operation records", func() ([]look, error) { return n.looks.next(), nil })
		if err != nil {
			n.looks.fail(err)
		}
		if len(now) == 0 {
			return
		}
		cs.askFor(n, now)
	}
}

// askFor sends one request for all the questions.
func (cs *connections) askFor(n *connectionState, now []look) {
	refs := make([]cloud.ResetRef, len(now))
	for i, l := range now {
		refs[i] = l.ref
	}
	ctx, cancel := context.WithTimeout(cs.ctx, now[0].timeout+limiterTimeout)
	records, err := guard.Get(cs.opts.Logger, "asking connection "+n.name+" for operation records",
		func() (map[string]cloud.ResetRecord, error) {
			return now[0].resetter.ResetRecords(ctx, refs)
		})
	cancel()
	n.breaker.reportCall(cs.ctx, cs.opts.Now(), err)
	for _, l := range now {
		rec, ok := records[l.ref.InstanceID]
		l.answer <- lookAnswer{rec, ok, err}
	}
}
