// Package protocol decides how an account's password is changed and disclosed: an event and a record give the next record
// ([Transition]), and a record with what the engine knows of the present gives the next step ([Account.Plan], for groups
// [PlanRollout]). All of it is pure: nothing here reads a clock or storage, waits, or calls a cloud, so that every decision can be
// tested as a table and replayed. Package rotation does what is decided, and stores each next record in one write before it acts.
//
// # Where what is
//
// The files are layers. Each one needs only files that stand before it in this list, so they can be read in this order.
//
// What a record consists of:
//
//	id.go, role_set.go, place.go        names: of accounts, sets of roles, places (rule 18)
//	weekday.go, schedule.go             when scheduled rotations happen
//	reason.go                           why an account is due, and who asked for it
//	given.go                            who was given a password
//	check.go                            what a check has shown (rule 22)
//	settings.go                         what an account carries of its role and its instance
//	pending.go                          the value on its way, its attempts, candidates
//	change.go                           how a version came to be
//	account.go                          the record
//	json_writer.go, encode.go           its stored form
//	errors.go, hint.go                  what the package's errors say, and what to type then
//
// Questions about a record, and the small changes of it that events share:
//
//	deadline.go, clock_reading.go       when leases and disclosures end, and by which clock (rule 12)
//	lease.go                            which leases live, and whether there is room for another one
//	readers.go                          who was given the versions, and has the leases
//	version.go                          the next version, and which old ones go
//	account_place.go, candidates.go     which places are trusted, what was made for which one (rules 8, 18)
//	leftovers.go                        what is to be removed at the cloud (rule 21)
//	order.go                            the order of values, which servers keep (rule 19)
//	backoff.go, brake.go                the pauses between attempts (rule 25)
//	fence.go                            what a change of method or place has to wait for (rules 10, 18)
//	group.go                            shared passwords: groups, members, and what a group offers (rule 16)
//	drift.go                            whether the server has another password, and what checks compare with (rule 22)
//	rebuild.go                          whether the server was rebuilt (rule 27)
//	state.go, forget.go                 the state in a word; when the record may go (rule 15)
//
// Events, by subject:
//
//	transition.go                       what an event is
//	due.go                              a rotation is asked for, or its time has come
//	clock_record.go                     times that a wrong clock has stored
//	place_change.go                     the connection leads elsewhere (rule 18)
//	attempt.go                          a value, and attempts to set it (rules 1 to 3, 8, 9)
//	lease_end.go, withdrawal.go         the ends of leases (rules 12, 13)
//	move.go                             from one role to another (rule 23)
//	settled.go                          import, restore, delete (rule 14)
//	initial_password.go                 the cloud's first-boot password (rules 17, 27)
//	group_member.go                     joining, leaving and failing members of a group (rule 16)
//	binding.go                          the account's role and instance (rule 15)
//	move_connection.go                  from one connection to another (rule 26)
//	outcome.go                          what is known of attempts (rules 3 to 8, 10)
//	cleaned.go                          a record at the cloud is removed (rule 21)
//	check_made.go                       what a check of the server has shown (rule 22)
//	group_batch.go                      the values of a group (rule 16)
//
// What is to be done next:
//
//	waiting.go, step.go                 what can be waited for, and what can be done
//	plan_check.go                       when the server is looked at next (rule 22)
//	plan_rotation.go, plan.go           an account's next step
//	group_plan.go                       a group's rollout
//
// Reads, which say what the plan waits for:
//
//	readable.go                         whether a version may be handed out (rule 11)
//	disclosure.go                       handing it out, and renewing its lease (rules 11, 12)
//	group_read.go                       the same for a shared password
//
// # The rules
//
//  1. The account records pending, the attempts that are not closed, candidates, due and leases. Every
//     change is one write; the changes that several clients want of one account at the same moment (reads,
//     renewals and ends of leases) may be one write together.
//  2. Each cloud call that may set a password, retries included, is an attempt, recorded before it is
//     sent. An account has one worker; under its lock every caller re-checks due and pending. No lock
//     is held over a network call.
//  3. Only pending is sent. A retry, by whichever node, sends the same value. The request id is stored
//     on acceptance; after a restart polling goes on with it.
//  4. An attempt is closed only by a certain refusal of that very attempt, by its own request id shown
//     in a final state, or by the settle window.
//  5. A record that still shows the operation seen before the call is not visible yet: keep polling, for
//     a bounded grace. Another id means overwritten: the attempt stays open; retry the same pending. So
//     accounts of one instance take turns (rule 24, rotation/turns.go): they must not overwrite each other's operation.
//  6. Success under the attempt's own id promotes, in one write: pending becomes the newest version,
//     candidates are dropped, due is cleared. Attempts of the promoted value that are still open become
//     old_unresolved.
//  7. A transient refusal or a reported failure keeps pending and its reason for being due: "failed" is
//     no proof that nothing changed.
//  8. A refused password, or three reported failures, rejects pending. It is replaced only when all its
//     attempts are closed, and becomes a candidate unless every attempt was certainly refused.
//     Candidates are neither pruned nor handed out before a later value is confirmed. Where there are
//     20 of them, the oldest one is sent again instead of a new value.
//  9. No new value is sent while old_unresolved is set or a replaced pending has an open attempt, but for attempts whose server
//     keeps the order (rule 19).
//  10. A request is not sent any more once it has waited too long, counted from before its attempt is
//     recorded, by the monotonic clock and by the wall clock. The settle window is the last moment at
//     which a sent request can still arrive, plus the cloud's longest operation where the cloud does not
//     run one operation per instance at a time. It is counted monotonically from when this process first
//     saw the attempt. Where the cloud can be told until when it may accept a request, that moment is fixed before the attempt is
//     recorded, by the cloud's own clock as its last answer told it, and signed: then neither a wait nor a jump or a stop of our
//     clocks makes the request live longer, and the window need contain no more than the time until then and what the clocks of
//     the cloud's hosts may differ. Where the cloud's time is not known, or our two clocks have not agreed since it was told, the
//     attempt is recorded and sent without, and has the longer window.
//     Each attempt has the reset method with which it was sent. A change of the method
//     stands in old_unresolved like an attempt of the old one, whose window contains the longest operation
//     in any case, since no cloud orders what two methods do; unless every attempt of the old one was
//     closed by (a) or (b). Meanwhile nothing is sent, a retry neither.
//  11. A read needs no pending, no reason for being due that forbids reading, a current version, and an account
//     that still belongs to the role that it was asked through.
//     Nonce, disclosure and the reader are durable before the answer. Each version keeps its first 20 readers by name, and whether
//     there were more; a reader that it knows needs no write. The newest 3 versions keep them.
//  12. A lease carries account, version and nonce; the account keeps nonce and latest expiry. Past first
//     disclosure + max_ttl + slack the account becomes due by itself. What happens by the time of day is
//     decided by two clocks (rotation/clock.go): a step of the wall clock against the monotonic one is not acted upon
//     before it has held for 5 minutes. Nothing expires before both say that its time has come, nor in the
//     first 2 minutes of a process, nor in the minute after a step is believed. A stored time that lies in the future
//     though it tells of the past was stored by a clock that was ahead: it is corrected, with what follows from it.
//  13. Revoke never calls the cloud. Only the last nonce of the current version makes the account due, or, where
//     the role says rotate_on_revoke=any, each nonce of it that ends after an answer, in the same write. A rotation
//     that an operator asked for ends the leases of older versions: Vault may not know them.
//     It does when it is confirmed, a group's when that agrees: no member that is checked out exclusively is handed out before.
//     A nonce whose caller has gone before the answer is taken back; if nobody was given the version, it is
//     undisclosed again.
//  14. Import, restore and delete are refused while pending, old_unresolved or candidates exist, delete
//     also while nonces do. They are also refused while a cloud that runs one operation at a time may still carry out one whose
//     attempt its window has closed: until its longest time is over, or the cloud has confirmed a later value.
//  15. Binding is create-if-absent under one lock, unique over provider, instance and user among the
//     connections to the cloud's own hosts, and among those that name the same hosts themselves. The account
//     carries what its rotation needs. An instance that is terminated, or that two looks miss which are five
//     minutes or more apart, retires the account, and its leases still end. A first or scheduled rotation that
//     has not begun when the account loses its role is not made: only the role's readers had use for it. One
//     that has been retired for as long as its connection says is deleted as by an operator, if it has no role,
//     no lease, nothing open and no password of a place that is not trusted, once the cloud has said again that there is no such server.
//  16. Accounts that share a password keep their own records. Their group's record holds leases, due and
//     the batch (id and value), which is written there first and copied to each account before it is
//     sent. The members queue like any account, with the group's record as the source of their value;
//     where the cloud takes many in one request, the group's worker sends those that have not failed.
//     A value is sent only to the members for which it was made: those that were members, at an instance
//     that existed, when it was made. Their own records say so before it is written (group_member.go). A
//     member that joins, comes back, or has lost its record waits, and makes the group due for another value,
//     which does not begin while the present one is checked out exclusively. A member that leaves keeps a
//     password that clients know, so it goes its own way and becomes due.
//     One member's reported failures never replace the batch, which would reset all others: only a
//     refused password does, and each member's first two refusals at most. The group agrees without
//     a member that has refused three passwords by itself, or that has not confirmed within five
//     minutes of its first attempt (or of the batch, where something keeps it from one), if another one has
//     confirmed. Such a member is left out: shown as such, and not waited for by the next batch
//     either, until it confirms. It is tried on, with the newest value. That was made while it was a
//     member, so it may have it without costing the others another reset; were it a joiner, a server
//     that hangs and recovers could have all others reset again and again. Only an operator's word
//     forgives refusals, for a member that refuses every other value could do the same.
//  17. The initial password is readable but not confirmed; the cloud's copy is cleared only after the
//     version is stored, and not while the server seems to have been rebuilt (rule 27): it may be another password then.
//  18. A value is made for one place. Pending, candidates, versions, attempts and facts carry the fingerprint
//     of their place: names and the cloud account, never keys. Fingerprint and client come from one
//     snapshot of the connection. While the connection's place is another one pending is neither sent nor
//     polled, and what that place says closes and confirms none of its attempts: they end by the settle
//     window that was stored when they were recorded. If the place comes back before that, pending goes
//     on. Else it is given up once all are closed (rule 8), and the next value is new. A change of place is
//     a barrier as a change of method is (rule 10). A confirmation drops the candidates of its place only,
//     and the newest version of every other place is kept whatever max_versions says. A version is current
//     for its place: where the connection's place has a version or candidate of its own, or is trusted and
//     the version's is not, another place's is not readable and the account is due; else a read says that
//     it is not confirmed here. "Candidates" of rule 14 are those of the connection's place. A group's
//     value is such a value. What a place says about existing servers (gone, initial password, addresses) is
//     trusted where the account was bound, where it is proven to be the same account of the cloud, or at
//     an operator's word.
//  19. Where a method's server keeps the order, every value has an order number: at least the time in seconds, and larger than all
//     before it of the account and than one that the server is known to have had. Another attempt of the value has the same one. The
//     server works under a lock, refuses a value with a smaller order than it has, and begins with no change past 10 minutes after
//     the attempt's start, by its own clock. So what was sent may be carried out late, and again: no other value waits for it (rule
//     9), and nothing is waited for after a success. But of an attempt that has ended in any other way nothing is proven, for its
//     command may be run again: it stays open until its settle window is over, that is the deadline and what the clocks may differ.
//     A change of the method or the place has to wait for that window, also after a success (rules 10, 18). A password that a person
//     sets has no order: within the window an earlier value may replace it.
//  20. Where the cloud lets the caller name a request, its name is recorded with the attempt before the call, and no other request
//     has it. After a lost answer the attempt is polled under it. A record under that name confirms or closes it like one under the
//     cloud's id; that there is none closes nothing. Once the name has not been shown for the whole grace, the same value may
//     be sent again, under another name; that is no outcome which the cloud ought to have shown (rule 25).
//  21. Records at the cloud that are limited in number, or can be run again, are removed behind an attempt. What is to be removed is
//     noted in the write that has the attempt's outcome, so nothing is removed before that is durable: before a success or another
//     end of it is recorded, or, where none was shown, before its window is over. A record that is not final stays, since removing
//     it would end what it shows, and is tried again. Removing comes after all else that is to be done, holds up neither a rotation
//     nor a deletion, and pauses longer after each failure. The 30 newest are remembered. Those of another place wait until the
//     connection leads there, those of a server that is gone until it comes back, and those of a place that is forgotten are not
//     removed. That a record is not there, was removed or its operation was ended by somebody is no outcome.
//  22. A check is evidence of a value at a moment, not of an attempt. What it shows is recorded only if versions, pending,
//     candidates, attempts and place are as they were when it began, except that pending's value counts in any case: pending is
//     promoted, and open attempts become old_unresolved. It closes no attempt, and another value refutes nothing while one is open,
//     or has been closed by its window alone where the cloud runs one operation at a time: there the operation may go on. With
//     nothing open it settles which of our values the server has: the current one (pending and this place's candidates never came
//     and are dropped, what the account is due for stays), or a candidate or this place's own last version (it becomes current). At
//     rest, another value than the current version, which this place has, means drifted: it is not readable unless the role says
//     so, and the role's drift_action says what is done: nothing, the older version of ours that the server has is recorded as the
//     current one, or the account is due. Of a user who is locked, expired or missing a check only tells. A member of a group is
//     told of only, but for pending's value. An account is checked at most once in a minute; one that the brake has stopped is
//     checked by itself. A method that logs in is given one value, as a wrong one counts towards the user's lockout: pending's if
//     it may be set, else the current version, and only one that was made for this place, while that is trusted. It speaks for that
//     value alone: what was not tried is not refuted. That a value is tried is stored before it leaves, and until the method's
//     interval after its end, or after the last moment at which the server may make a try whose end was not seen, no other is. Where
//     a role has logins by SSH, the write that confirms a version by an attempt's outcome asks for one, which only reports. A version
//     that was made for a drift, and that two logins in a row have not got in with, is reported and not replaced by itself.
//  23. Each version keeps the roles to whose readers it was given; a group's batch counts as given to those
//     of the group's role, an import or a restore as given to those of the role that the account has then. A
//     version is readable only for a role that is the only one; else the account is due (moved), where a
//     password can be set, and a read is refused where none can. An account that belongs, or last belonged,
//     to another role is bound only on an operator's word, which stands in its record until it is used; the
//     role that has it keeps it until then. Leases of the old role end with the move. An
//     initial password is known by its value, whichever account reads it: the first role that does is noted before the
//     account's record has it, and every version with that value counts as given to that role. In a leased role a second
//     account with the value is due, since a lease of the first one ends without it. An account that is deleted, or
//     taken over, leaves this behind; one that is forgotten since its server is gone does for a year.
//  24. Turns on a server are taken by provider and instance id, not by connection, also after a restart. A
//     turn begins before the look at the server and ends with the outcome, or at the latest when the
//     attempt's window, with the longest operation, is over.
//  25. After 3 attempts of one rotation whose outcome the cloud did not show (overwritten, or absent for the
//     whole grace or window), nothing is sent for an hour, and after each further one for twice as long, up
//     to a day. Pending and the count stay in the record; a value that replaces a rejected one goes on with
//     the count. The account is braked: it is not readable, and goes on by itself with the same value, or at
//     an operator's word at once. An attempt that may have reset the server to no avail also lets
//     min_reset_interval start again. Timeouts and refusals do not count: they have their backoff. A
//     connection with 3 braked accounts begins no new rotation until one of them ends well or an operator
//     says so; those that have begun go on.
//  26. An account goes on at another connection if both lead to one place, or are proven to be one account of the cloud, if what they
//     say of existing servers is trusted, and if the other one shows the server; and not while a value is on its way, an attempt is
//     open, or a group gives it its password. One write says so, in the record that the account has: there it is as it goes on, with
//     its new name, and nothing else is done with that record any more. Then follow, in this order, each only where it is not done
//     yet, also after a restart: the record under the new name; that name in what is known of the initial password; that name in
//     the claim on the server's user; the end of the old record. Whoever deletes or takes over such an account finishes that first.
//     All versions, candidates and reasons go along. The account has no role then, leases end as those of a role that the account
//     leaves, with the end of the last one it is due, and what Vault still has of them ends without any effect.
//  27. A server that is rebuilt keeps its id and has another password. On an operator's word the cloud is asked for the initial
//     password again, which changes nothing there. What it shows is recorded only for an account whose role has initial passwords,
//     that is settled as for an import (rule 14) and not due, whose current version is an initial password and the one that it was
//     when the cloud was asked, and at a trusted place: a value that was set or recorded is never replaced by it. The current
//     version's password is no news. Another one becomes the newest version, not confirmed; the one before it is kept as any
//     version is, and who knows the value counts as at a first read (rules 17, 23). Leases of the version before go on as after an
//     import, and their ends change nothing. Where a look at the cloud shows another image or system disk than a look before it, or
//     that the server was launched again, the account says so, and with a check method the server is checked; it stays readable,
//     since a password need not have changed. What was not told before is no change, nor is a difference between two places. A
//     password that is imported, restored or asked for again with success is that of the system which the next look shows: whoever
//     acts before a look has seen the rebuild is not told of it. The notice ends with a password that is recorded or asked for again,
//     with the success of an attempt that was begun after it was noticed, or with a check, begun after it, that finds the current
//     version.
//
// Where a rule is added or changed, add a file to rotation/testdata/mutants that breaks it, and see with make test-mutants
// that a test notices.
package protocol
