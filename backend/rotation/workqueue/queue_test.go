package workqueue

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var t0 = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// free is a connection whose calls nothing holds back.
func free() time.Duration { return 0 }

func TestCallers(t *testing.T) {
	for rate, want := range map[float64]int{0.1: 4, 1: 4, 2.5: 10, 10: 40, 1000: 128} {
		if got := Callers(rate); got != want {
			t.Errorf("%d workers at %v requests a second, want %d", got, rate, want)
		}
	}
}

func TestQueueOrder(t *testing.T) {
	var h items[int]
	var urgent *Slot[int]
	for i := range 200 {
		s := &Slot[int]{at: t0.Add(time.Duration(rand.IntN(1000)) * time.Second)}
		if heap.Push(&h, s); i == 100 {
			urgent = s
		}
	}
	urgent.urgent = true
	heap.Fix(&h, urgent.index)
	heap.Remove(&h, h[50].index)
	if first := heap.Pop(&h).(*Slot[int]); first != urgent {
		t.Error("the item that a client waits for is not the first")
	}
	for last := t0; len(h) > 0; {
		s := heap.Pop(&h).(*Slot[int])
		if s.at.Before(last) || s.heap != nil {
			t.Errorf("at %s, after %s; still in a heap: %v", s.at, last, s.heap != nil)
		}
		last = s.at
	}
}

// TestBegunPassOthers: what has begun goes on first, and leaves others a turn after every few.
func TestBegunPassOthers(t *testing.T) {
	q, past := newQueue[string]("conn"), t0.Add(-time.Hour)
	for range 3 * maxBegun {
		q.put(&Slot[string]{}, "begun", Begun, past, t0)
	}
	for range 2 {
		q.put(&Slot[string]{}, "other", Remote, past.Add(-time.Hour), t0) // for longer
	}
	var others []int
	for turn := range 3*maxBegun + 2 {
		s, remote, _ := q.take(t.Context(), t0, 1, free)
		if s == nil || !remote {
			t.Fatalf("turn %d: %v, to call the cloud: %v", turn, s, remote)
		}
		if s.item == "other" {
			others = append(others, turn)
		}
		q.done(s, remote)
	}
	if want := []int{maxBegun, 2*maxBegun + 1}; !slices.Equal(others, want) {
		t.Errorf("the others had the turns %v, want %v", others, want)
	}
}

// TestWhatHoldsAnItemBack: each of these keeps an item in its queue, and says for how long.
func TestWhatHoldsAnItemBack(t *testing.T) {
	for name, x := range map[string]struct {
		class Class
		at    time.Time
		limit int
		held  time.Duration
		waits time.Duration // 0: it is given out
	}{
		"nothing":                             {class: Remote, at: t0, limit: 1},
		"nothing, past its time":              {class: Begun, at: t0.Add(-time.Hour), limit: 1},
		"its time":                            {class: Remote, at: t0.Add(time.Minute), limit: 1, waits: time.Minute},
		"its time, though local":              {class: Local, at: t0.Add(time.Minute), limit: 1, waits: time.Minute},
		"a cloud that is left alone":          {class: Remote, at: t0, limit: 1, held: time.Second, waits: time.Second},
		"no caller is free":                   {class: Begun, at: t0, waits: idle},
		"no caller is free, which local need": {class: Local, at: t0, held: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			q, s := newQueue[string]("conn"), &Slot[string]{}
			q.put(s, "it", x.class, x.at, t0)
			got, remote, wait := q.take(t.Context(), t0, x.limit, func() time.Duration { return x.held })
			if given := got == s; given != (x.waits == 0) || wait != x.waits {
				t.Errorf("given out: %v, wait %s; want to wait %s", given, wait, x.waits)
			}
			if want := got != nil && x.class != Local; remote != want {
				t.Errorf("may call the cloud: %v, want %v", remote, want)
			}
		})
	}
}

// TestABusyItemIsNotGivenOutAgain until its worker has put it back, whoever else puts it into the queue meanwhile.
func TestABusyItemIsNotGivenOutAgain(t *testing.T) {
	q, s := newQueue[string]("conn"), &Slot[string]{}
	q.put(s, "it", Local, t0, t0)
	if got, _, _ := q.take(t.Context(), t0, 1, free); got != s {
		t.Fatal("it is not given out")
	}
	q.put(s, "it", Local, t0, t0)
	if got, _, _ := q.take(t.Context(), t0, 1, free); got != nil {
		t.Error("a second worker has it")
	}
	q.done(s, false)
	q.put(s, "it", Local, t0, t0)
	if got, _, _ := q.take(t.Context(), t0, 1, free); got != s {
		t.Error("it did not come back")
	}
}

// TestHurry: an item that a client waits for passes the others, but not before its time.
func TestHurry(t *testing.T) {
	q, first, second := newQueue[string]("conn"), &Slot[string]{}, &Slot[string]{}
	q.put(first, "first", Remote, t0.Add(-2*time.Hour), t0)
	q.put(second, "second", Remote, t0.Add(-time.Hour), t0)
	q.hurry(second, t0)
	if got, _, _ := q.take(t.Context(), t0, 2, free); got != second {
		t.Error("it did not pass the other")
	}
	early := &Slot[string]{}
	q.put(early, "early", Remote, t0.Add(time.Minute), t0)
	q.hurry(early, t0)
	if got, _, _ := q.take(t.Context(), t0, 2, free); got != first {
		t.Error("what is not due yet went first")
	}
}

// BenchmarkTake puts an item into a queue of many, and takes the first one out.
func BenchmarkTake(b *testing.B) {
	for _, size := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			q, now := newQueue[int]("conn"), time.Now()
			for i := range size + 1 {
				q.put(&Slot[int]{}, i, Remote, now.Add(-time.Duration(i*7919%size)*time.Second), now)
			}
			b.ReportAllocs()
			for b.Loop() {
				s, remote, _ := q.take(b.Context(), now, 1, free)
				q.done(s, remote)
				q.put(s, s.item, Remote, time.Now(), now)
			}
		})
	}
}

// TestSpareItemsComeLast: what else calls the cloud goes first, and finds free callers.
func TestSpareItemsComeLast(t *testing.T) {
	q, past := newQueue[string]("conn"), t0.Add(-time.Hour)
	for range 5 {
		q.put(&Slot[string]{}, "spare", Spare, past.Add(-time.Hour), t0)
	}
	q.put(&Slot[string]{}, "other", Remote, past, t0)
	q.put(&Slot[string]{}, "begun", Begun, past, t0)
	var order []string
	var slots []*Slot[string]
	for range 7 {
		s, _, _ := q.take(t.Context(), t0, 6, free)
		if s == nil {
			break
		}
		order, slots = append(order, s.item), append(slots, s)
	}
	if want := []string{"begun", "other", "spare", "spare", "spare"}; !slices.Equal(order, want) {
		t.Errorf("taken: %v, want %v", order, want)
	}
	q.put(&Slot[string]{}, "late", Remote, past, t0)
	if s, _, _ := q.take(t.Context(), t0, 6, free); s == nil || s.item != "late" {
		t.Errorf("no caller is free for %v", s)
	}
	q.done(slots[2], true)
	if s, _, _ := q.take(t.Context(), t0, 6, free); s == nil || s.item != "spare" {
		t.Errorf("after one has ended: %v", s)
	}
}

// TestASpareItemIsLookedAtInTime: what else it has to do does not wait for its turn.
func TestASpareItemIsLookedAtInTime(t *testing.T) {
	q, past := newQueue[string]("conn"), t0.Add(-time.Hour)
	held := func() time.Duration { return time.Minute } // the connection's breaker is open
	var s, other Slot[string]
	q.put(&s, "checked", Spare, past, t0)
	q.again(&s, t0.Add(10*time.Second))
	q.again(&s, t0.Add(5*time.Second))
	q.again(&s, t0.Add(20*time.Second)) // an earlier one stands
	q.put(&other, "other", Spare, past, t0)
	q.again(&other, t0.Add(time.Second))
	q.put(&other, "other", Remote, past, t0) // it does not wait as a spare one any more
	if taken, _, wait := q.take(t.Context(), t0, 4, held); taken != nil || wait > time.Second {
		t.Errorf("before its time: %v, in %s", taken, wait)
	}
	if taken, _, wait := q.take(t.Context(), t0.Add(2*time.Second), 4, held); taken != nil || wait > 3*time.Second {
		t.Errorf("after the other's time: %v, in %s", taken, wait)
	}
	taken, remote, _ := q.take(t.Context(), t0.Add(5*time.Second), 4, held)
	if taken != &s || remote {
		t.Fatalf("at its time: %v, to call the cloud: %t", taken, remote)
	}
	q.done(&s, remote)
	q.put(&s, "checked", Spare, past, t0.Add(5*time.Second))
	if taken, _, _ := q.take(t.Context(), t0.Add(11*time.Second), 4, held); taken != nil {
		t.Errorf("at a time that it has given up: %v", taken)
	}
}
