// Package campaign keeps the orders that are about many accounts: what was ordered, by whom, of which accounts, and how far it
// has come. What is done with each account is the engine's.
//
// An order is stored with the list of its accounts before anybody is told of it, so that it is carried out whatever crashes
// afterwards. Then one goroutine carries it out for one account after the other. That can be repeated: the list has the number of
// the version that each account had, and an account that has a newer one is left as it is.
//
// The list is stored in parts, each far below what Vault's storage takes as one entry. A part is written again when it was carried
// out, and once more when nothing of it is left to be done: then only its counts remain. A campaign ends when that is so of all
// parts; it keeps its counts, and its parts are deleted. Nothing of a list stays in memory.
//
//	record.go     what is stored
//	store.go      how it is read, written and deleted
//	campaigns.go  the campaigns of a mount, from the start of the process to its end
//	begin.go      an order is taken
//	room.go       which campaigns make room for it
//	walk.go       it is carried out
//	count.go      how far it has come
//	progress.go   what is told of that
//	wait.go       waiting for its end
package campaign
