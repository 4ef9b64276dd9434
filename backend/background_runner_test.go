package backend

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRounds(roundLimit)
		var begun, ended atomic.Int64
		round := func(ctx context.Context) { // one whose cloud does not answer
			begun.Add(1)
			<-ctx.Done()
			ended.Add(1)
		}
		r.start(round) // returns although the round goes on
		synctest.Wait()
		r.start(round)
		synctest.Wait()
		if begun.Load() != 1 || ended.Load() != 0 {
			t.Errorf("%d rounds begun, %d ended; want one that runs", begun.Load(), ended.Load())
		}
		<-time.After(roundLimit) // of virtual time
		synctest.Wait()
		if ended.Load() != 1 {
			t.Error("a round outlives its limit")
		}
		r.start(round)
		synctest.Wait()
		r.stop()
		if begun.Load() != 2 || ended.Load() != 2 {
			t.Errorf("%d rounds begun, %d ended; want two", begun.Load(), ended.Load())
		}
		r.start(round)
		synctest.Wait()
		if begun.Load() != 2 {
			t.Error("a round begins after the end")
		}
	})
}
