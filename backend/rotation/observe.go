package rotation

import "slices"

// noted keeps the connection's brake, the turns on the server and the checks in step with an account's record. The caller holds e.mu.
func (p *planner) noted(e *entry, before *Account) {
	p.noteBrake(e, before)
	p.keepTurn(e)
	e.check.giveWay(before, e.rec)
	e.cleaning.observe(before, e.rec)
}

// noteBrake keeps the connection's brake in step with an account's record. The caller holds the entry.
func (p *planner) noteBrake(e *entry, before *Account) {
	n := p.connection(e.id.Connection)
	var on, changed bool
	if e.rec == nil {
		on, changed = n.brake.forget(e.id)
	} else {
		on, changed = n.brake.note(before, e.rec)
	}
	if !changed {
		return
	}
	if on {
		accounts, _ := n.brake.state()
		p.opts.Logger.Error("the connection begins no new rotation: the cloud does not show what became of the resets of several accounts",
			"connection", n.name, "braked_accounts", accounts)
		return
	}
	p.resume(n)
}

// resume looks at the accounts that the connection's brake has held back.
func (p *planner) resume(n *connectionState) {
	p.opts.Logger.Info("the connection begins rotations again", "connection", n.name)
	p.background(func() { p.replan(n.name) })
}

// replan puts a connection's accounts into the queue again.
func (p *planner) replan(connection string) {
	p.opts.turn(p.ctx, ID{Connection: connection})
	for _, e := range p.entriesOf(connection) {
		p.ask(e)
	}
}

// keepTurn keeps the turn in step with the account's record, which says on which server. The caller holds e.mu.
func (p *planner) keepTurn(e *entry) {
	if e.rec != nil {
		e.turn.server = serverOf(e.rec)
	}
	switch {
	case e.rec == nil && !e.loaded: // it is read again before anything else is done with it
	case e.rec.AwaitsOutcome():
		p.turns.take(e.turn.server, e.id, &e.turn, e.attempts.turnEnds(e.rec.Pending))
	case !e.turn.sending.Load():
		for _, next := range p.turns.end(e.turn.server, &e.turn) {
			if waits := p.inMemory(next); waits != nil {
				p.ask(waits)
			}
		}
	}
}

// memberChanged asks for a look at a member's group, after the member's record changed.
func (p *planner) memberChanged(a *Account) {
	if id, ok := a.Group(); ok {
		e := p.entry(id)
		e.group.changes.Add(1)
		p.ask(e)
	}
}

// offered has a group's members planned again, and the group look at them, if it offers them another
// value now.
func (p *planner) offered(e *entry, before, after *Account) {
	if before != nil && before.Offers() == after.Offers() && slices.Equal(before.Members, after.Members) {
		return
	}
	e.group.changes.Add(1)
	for _, id := range after.Members {
		p.ask(p.entry(id))
	}
}
