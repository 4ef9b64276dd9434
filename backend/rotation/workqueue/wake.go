package workqueue

import (
	"container/heap"
	"time"
)

// A Spare item may wait for long while others are worked on. If it has something else to do at a time, it is looked at then.

// wake is a time at which a Spare item is looked at again.
type wake[T any] struct {
	at   time.Time
	slot *Slot[T]
}

// wakes is a heap of them, by time. One whose slot does not wait for it any more is passed over.
type wakes[T any] []wake[T]

func (w wakes[T]) Len() int           { return len(w) }
func (w wakes[T]) Less(i, j int) bool { return w[i].at.Before(w[j].at) }
func (w wakes[T]) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }

// Push implements heap.Interface.
func (w *wakes[T]) Push(x any) { *w = append(*w, x.(wake[T])) }

// Pop implements heap.Interface.
func (w *wakes[T]) Pop() any {
	old := *w
	last := old[len(old)-1]
	old[len(old)-1] = wake[T]{}
	*w = old[:len(old)-1]
	return last
}

// wakeAt has a Spare item looked at again at a time. The caller holds q.mu.
func (q *queue[T]) wakeAt(s *Slot[T], at time.Time) {
	if !s.wake.IsZero() && !s.wake.After(at) {
		return // it is looked at before that, and asks again then
	}
	s.wake = at
	heap.Push(&q.wakes, wake[T]{at, s})
}

// wakeUp moves the Spare items whose time has come to the Local ones, and says how long there is none. The caller holds q.mu.
func (q *queue[T]) wakeUp(now time.Time) time.Duration {
	for len(q.wakes) > 0 {
		next := q.wakes[0]
		if left := next.at.Sub(now); left > 0 {
			return left
		}
		heap.Pop(&q.wakes)
		s := next.slot
		if !s.wake.Equal(next.at) {
			continue // it has an earlier one
		}
		s.wake = time.Time{}
		if s.heap == &q.heaps[Spare] {
			s.leave()
			s.at = now
			heap.Push(&q.heaps[Local], s)
		}
	}
	return idle
}
