// Package workqueue says which account a worker takes next. It holds the accounts of each connection that have something to do,
// by time, and hands each to one worker at a time. It knows nothing of accounts but the slots that their owners give it: what
// is to be done with one, and when, is for its owner to say.
package workqueue
