// Package rotation is the engine of cloudpw: it keeps the records of accounts, hands out their passwords, and is the only
// way in which a password is changed. It knows storage, clocks and [cloud.Provider]; it knows no path of Vault and no SDK of a
// cloud. What may be done with a record, and what is to be done next, is decided in package protocol, whose rules this
// package's comments name by their numbers.
//
// # The promise
//
// The package never loses a password. At every instant, whatever crashed, the password that the
// server really has is in storage: a version, the pending, or a candidate (or, before the first
// reset, the initial password is still at the cloud). And nobody is handed a password that the server
// does not have. It rests on one assumption: storage rejects the writes of a deposed node.
//
// # Where what is
//
// The engine stands in layers. Each knows those below it only; where a lower one has to tell an upper one something, it does so
// through an interface of its own ([workqueue.Host], planning).
//
//	Core        what callers ask for
//	              read.go, wait.go, reader.go, answer.go       reads; group_read.go for shared passwords
//	              recent_reads.go                              reads that need no write
//	              read_initial.go, not_yet.go                  the first read of an initial password
//	              initial.go                                   which roles know an initial password, by its value (rule 23)
//	              reread.go                                    asking for it again, of a server that was rebuilt (rule 27)
//	              lease.go                                     leases and their ends
//	              bind.go, group_bind.go, unbind.go            which role has an account
//	              move_connection.go                           from one connection to another (rule 26)
//	              claim.go, claim_marker.go                    one account for each user of a server
//	              verify.go                                    has servers looked at (rule 22)
//	              make_due.go, operator.go, places.go          what operators ask for; forget.go: servers that are gone
//	              order.go, standing.go                        orders over many accounts: what each wants of one, and how far that is
//	              requester.go, given_to.go                    who asks, and what somebody was given
//	              view.go, status.go, lookup.go                what people are shown; figures.go: the gauges of metrics
//	              provider.go                                  connections, for the questions of others
//	executor    the steps that plans name
//	              serve.go, worker.go                          from the queue to the step, and back
//	              ready.go, begin.go, send.go                  attempts, from the look before them to their record
//	              poll.go, settle.go                           what the cloud shows of them, and the end of their windows
//	              check.go, server_check.go                    looks at servers (rule 22)
//	              finished.go                                  the line in the log for a finished rotation
//	              clean.go                                     the cloud's records of attempts that have ended (rule 21)
//	              server_turn.go                               one reset at a time for each server (rule 24)
//	              finish_move.go                               the end of a move to another connection (rule 26)
//	              group_batch.go, group_send.go, group_rollout.go  a shared password on its way to the members
//	planner     what is to be done next, and when
//	              plan_input.go, schedule.go                   the present for the plan of a record, and its place in the queue
//	              observe.go                                   what follows from a record that was read or written
//	              locate.go                                    where the connection leads (rule 18)
//	              load.go, clock_watch.go, delay.go            starts, steps of the clock, failures
//	accountStore  the records
//	              accounts.go, records.go, walk.go, store.go   in memory and in storage; one write for each event
//	              monitor.go                                   what a written record shows, for metrics and events
//	              coalesce.go                                  changes that several clients want at once share a write
//	              entry.go                                     an account in memory, and whose each part of it is: cached_record.go,
//	                                                           attempt_clocks.go, transient_delay.go, group_look.go, turns.go,
//	                                                           cleaning.go
//	connections the providers
//	              connections.go, connection_state.go          made once for each configuration
//	              connection.go, session.go                    one snapshot of a configuration, and what one step uses of it
//	              looks.go, look_queue.go                      one request for the looks of many accounts
//	              limiter.go, breaker.go                       what a cloud is asked, and how often; brake_connection.go (rule 25)
//	              settle_window.go                             how long a request can still take effect (rule 10)
//	env         options.go, env.go; clock.go: the time of day, by two clocks
//
// # The invariants
//
// The tests play the package in a simulated world, over crashes at every write and every call and over
// random schedules of trouble, and check:
//
//   - I1: the password that a server has is in its account's record. Until the first reset is confirmed
//     the cloud's own copy of the initial password counts as well.
//   - I2: nobody is handed a password that the server does not have.
//   - I3: an account or group with exclusive check-out has at most one live lease, of any version. Those of versions
//     before a confirmed rotation that an operator asked for do not count.
//   - I4: no disclosed version stays live for more than 60 s past its deadline (rule 12), once the cloud
//     answers and the settle windows have passed; 2 minutes more after a start of the process, and up to 7 more
//     while the wall clock disagrees with the monotonic one.
//   - I5: without faults, but with jumps of the wall clock of less than 5 minutes, each completed lease (with
//     rotate_on_revoke=any: each end of a lease of the current version), first read, correction, scheduled time
//     and operator's word causes exactly one reset, unless one was due already, and nothing else causes any.
//   - I6: an account that is being rotated, or is due for a reason that forbids reading, is not handed out.
//   - I7: no process sends more requests than its connection's limit allows, for any action.
//   - I8: once faults stop, every account comes to rest: its server has the current version, nothing is
//     due or open, and in leased mode nobody knows that version.
//   - I9: when the cloud takes a value, nothing that was sent before can still set another one.
//   - I10: a value leaves only while its account's record holds it with an open attempt.
//   - I11: an answer leaves only when storage shows its version as disclosed and holds its nonce.
//   - I12: the text about a failure that an account keeps holds no password, whatever the cloud says.
//   - I13: no value that others have is given to an account that joined their group after it was made.
//   - I14: whatever the cloud says or shows, no server is reset more than 12 times in an hour for each of its accounts
//     (24 where it says that it refuses each of them) without a confirmed version or an operator's word in between.
//   - I15: no value is ever sent to two places.
//   - I16: no reader of one role is given a value that readers of another know, except on an operator's
//     word about that value, and no account comes to another role without such a word.
//   - I17: each version that the cloud set says why, since when it was due, and with how many attempts.
//   - I18: an answer leaves only when storage shows to whom its version, and its lease, was given.
//   - I19: a check closes no attempt, and makes only a value current that it has seen on the server.
//   - I20: an account that goes on at another connection is live at one of the two only, with all that it was given: every
//     version, and each number.
//   - I21: a check that logs in has one password with it, and storage holds the next one back before it leaves.
//   - I22: no record of the cloud is removed before storage has the outcome of its attempt, and at rest none is left that can be
//     removed.
//   - I23: no version that a reset set, or that somebody recorded, gives way to an initial password that the cloud keeps, nor does any
//     version while something is open, and what is recorded is what the cloud has shown.
//
// testdata/mutants breaks each of the rules on purpose: make test-mutants shows that a test notices.
package rotation
