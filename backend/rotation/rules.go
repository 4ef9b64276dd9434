package rotation

// The protocol is a pure transition function from a record and an event to the next record. The events
// are in the files beside this one, each named after what it holds: bound.go, place.go, due.go, attempt.go,
// outcome.go, version.go, barrier.go, group.go and disclose.go. Nothing in them reads a clock, storage or
// a cloud. The numbers are those of the package's doc comment.

// rules are the protocol's deliberate breakages. The zero value is the protocol; only tests set any.
type rules struct {
	callBeforeWrite       bool // (1) the cloud is called before pending and attempt are durable
	newPasswordOnRetry    bool // (2) a retry sends another value
	refusalClearsPending  bool // (3) the refusal of one attempt clears pending
	failureClearsPending  bool // (4) a reported failure clears pending
	unknownIsFailure      bool // (5) an unknown outcome counts as "nothing happened"
	successWithoutID      bool // (6) any success in the record confirms
	promoteForgetsOpen    bool // (7) promotion drops attempts that are still open
	sendWhileUnresolved   bool // (8) a new value is sent while old_unresolved is set
	shortSettleWindow     bool // (9) the settle window is shorter than a request may live
	noCandidates          bool // (10) a replaced pending is dropped
	pruneCandidates       bool // (11) candidates count against max_versions
	nonceAfterAnswer      bool // (12) the nonce is written after the answer
	revokeIgnoresVersion  bool // (13) the end of an older version's lease makes the account due
	exclusiveCurrentOnly  bool // (14) exclusive checks only the current version's nonces
	noSlack               bool // (15) deadlines have no slack
	importWhileOpen       bool // (16) import does not look at open attempts
	dropFailedItems       bool // (17) the scheduler forgets an account whose step failed
	scheduleFromZeroStart bool // (18) the schedule is rebuilt from a missing last rotation
	noBarrier             bool // (19) a change of the reset method does not wait for what the old one may still do
	joinersUnwritten      bool // (20) a joint write does not hold the changes of those who share it
	sendAnywhere          bool // (22) pending is sent wherever the connection leads
	pollAnywhere          bool // (23) attempts are polled where the connection leads now
	dropEveryPlace        bool // (24) a confirmation drops the candidates of every place
	prunePlaces           bool // (25) versions of other places are pruned by count
	noPlaceBarrier        bool // (26) a change of the place does not wait for what the old one may still do
	movedReadable         bool // (27) a version may be read by another role's readers than those who know it
}

// event is something that happened to an account. apply changes the given record, which nobody else
// sees, or returns errNoChange, errStale or an *Error.
type event interface {
	apply(a *Account, r rules) error
}

// transition is the protocol's one entry: the record after the event. The given record is not
// touched. Callers write the result in one storage write (rule 1) before they act on it.
func transition(a *Account, ev event, r rules) (*Account, error) {
	next := a.clone()
	if err := ev.apply(next, r); err != nil {
		return nil, err
	}
	return next, nil
}
