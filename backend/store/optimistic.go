package store

import (
	"errors"
	"reflect"
)

// A lock serves many names, and a cloud may take a minute to answer. So no lock is held while a cloud is asked: what is
// stored is read, the cloud is asked, and under the lock it is looked whether what is stored is the same.

// ErrChanged is returned where it is not.
var ErrChanged = errors.New("was changed by others while the cloud was asked")

// WriteTries is how often a write asks the cloud again where somebody else was faster.
const WriteTries = 3

// Same reports whether two entries hold the same; nil is no entry.
func Same[T any](a, b *T) bool {
	return a == b || a != nil && b != nil && reflect.DeepEqual(a, b)
}
