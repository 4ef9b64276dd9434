package backend

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, begun, ended := newRounds(), 0, 0
		round := func(ctx context.Context) { // one whose cloud does not answer
			begun++
			<-ctx.Done()
			ended++
		}
		r.start(round) // returns although the round goes on
		synctest.Wait()
		r.start(round)
		synctest.Wait()
		if begun != 1 || ended != 0 {
			t.Errorf("%d rounds begun, %d ended; want one that runs", begun, ended)
		}
		<-time.After(roundLimit) // of virtual time
		synctest.Wait()
		if ended != 1 {
			t.Error("a round outlives its limit")
		}
		r.start(round)
		synctest.Wait()
		r.stop()
		if begun != 2 || ended != 2 {
			t.Errorf("%d rounds begun, %d ended; want two", begun, ended)
		}
		r.start(round)
		synctest.Wait()
		if begun != 2 {
			t.Error("a round begins after the end")
		}
	})
}
