// Package host stores the mount's inventory of servers: those that no cloud manages, with their addresses, and the pinned host keys
// of all servers that a login by SSH reaches ([Store]). Providers see the part of their connection ([Store.View]).
//
// # Who may change what
//
// A login by SSH hands a new password to whoever has the pinned host key, in a session of the login user. So who may write an entry
// decides to whom passwords go, and who reads no password must not come to one by writing entries:
//
//   - A pinned key, and once there are accounts the login user and the connection, are changed by [Store.Repin] only, for which the
//     mount asks for sudo ([Store.Write] refuses them, and names both ways out).
//   - Where accounts have passwords and nothing is pinned (they were recorded by hand), address, port, key and trust on first use are
//     not changed by Write, either.
//   - [Store.Delete] leaves a tombstone of an entry whose accounts exist: the key, the login user and the connection. The name is
//     written again with the same key only, and is then the same server (the same serial).
//   - Trust on first use pins a key where there is none, under the entry's lock ([View.PinHostKey]); it never replaces one.
//
// Writers that reach storage hold the entry's lock. The whole inventory is in memory once somebody has asked for all of it, see index.
//
// # Layers
//
// A file uses only its own layer and those below it:
//
//	bulk.go                          many writes at once
//	write.go, pin.go, clean.go       what is done with entries, and what is refused
//	view.go, store.go, index.go      entries as stored and in memory
//	fields.go, check.go, response.go the fields of a write, and of an answer
//	record.go                        an entry
package host
