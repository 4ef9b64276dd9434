// Package model holds the state of the simulated clouds: accounts and their
// credentials, key pairs, servers, running operations, injected faults and
// the log of everything that was asked of them. It knows no wire format; the
// API packages beside it translate HTTP into calls of a World.
//
// The package belongs to a test and demo tool. It keeps passwords and secret
// keys in clear, on purpose, and is no security boundary.
//
// # Rules
//
//   - All state lives in one World, behind one mutex. Every value that a
//     method returns is a copy.
//   - Nothing runs in the background. Operations put events with a due time
//     into a queue, and whoever looks at the world next settles those that
//     are due first. So what a test sees depends on the clock alone.
//   - The wall clock (World.Now) judges signatures and tokens. The operation
//     clock (World.OperationNow) can be advanced by tests and drives
//     operations, commands and the time at which an initial password appears.
//   - Identifiers come from a seeded source, so equal runs have equal ids.
//
// # Serving a request
//
// A handler authenticates the request, then:
//
//	x := world.Begin(model.Call{Cloud: ..., Service: ..., Action: ..., ...})
//	if r := x.Before(); r != nil { answer r in the cloud's own words }
//	... read or change the world ...
//	if x.After() { drop the connection: the change is made, the answer is lost }
//	... write the answer ...
//	x.Done(status, code, requestID)
//
// Begin writes the log and counts the rate; Before waits out injected delays
// and returns injected or rate-limit refusals; After holds an answer back.
package model
