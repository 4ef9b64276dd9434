package model

import (
	"container/heap"
	"time"
)

// event is a change of the world that happens at a point of the operation
// clock. Events of equal time happen in the order in which they were added.
type event struct {
	at  time.Time
	seq int
	run func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// at queues run for a point of the operation clock.
func (w *World) at(t time.Time, run func()) {
	w.eventSeq++
	heap.Push(&w.events, event{at: t, seq: w.eventSeq, run: run})
}

// settle runs all events that are due. The caller holds the lock.
func (w *World) settle() {
	now := w.now()
	for len(w.events) > 0 && !w.events[0].at.After(now) {
		heap.Pop(&w.events).(event).run()
	}
	w.fetchWaiting()
}
