package workqueue

import (
	"container/heap"
	"time"
)

// Class says what an item's next step needs, and so with which others it competes.
type Class int

const (
	// Local steps need no cloud: deadlines are kept whatever the cloud does.
	Local Class = iota
	// Begun are items whose work goes on with a look at the cloud: they pass before Remote, so that in a storm of work each
	// item ends soon after it began.
	Begun
	// Remote are others that call the cloud.
	Remote
	// Spare are those that call the cloud when nothing else does that has come: they never keep a rotation waiting.
	Spare
	classes
)

// Slot is an item's place in its queue. The queue's lock guards it; its owner only keeps it.
type Slot[T any] struct {
	item   T
	at     time.Time
	heap   *items[T] // the heap that it is in; nil: none
	index  int       // its place there
	busy   bool      // a worker has it
	urgent bool      // a client waits for it
	spare  bool      // the worker that has it took it from the Spare ones
	wake   time.Time // when it is looked at again though it is a Spare item; zero: then only when its turn comes
}

// leave takes a slot out of its heap.
func (s *Slot[T]) leave() {
	if s.heap != nil {
		heap.Remove(s.heap, s.index)
	}
}

// items is a heap: urgent items first, then by time.
type items[T any] []*Slot[T]

func (h items[T]) Len() int { return len(h) }
func (h items[T]) Less(i, j int) bool {
	a, b := h[i], h[j]
	if a.urgent != b.urgent {
		return a.urgent
	}
	return a.at.Before(b.at)
}
func (h items[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *items[T]) Push(x any) {
	s := x.(*Slot[T])
	s.heap, s.index = h, len(*h)
	*h = append(*h, s)
}

// Pop implements heap.Interface.
func (h *items[T]) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	s.heap = nil
	return s
}
