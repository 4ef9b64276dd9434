package request

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestInParallel(t *testing.T) {
	var done [100]atomic.Int64
	if err := InParallel(hclog.NewNullLogger(), len(done), func(i int) error { done[i].Add(1); return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range done {
		if n := done[i].Load(); n != 1 {
			t.Errorf("%d was done %d times", i, n)
		}
	}
	planned := errors.New("planned")
	var calls atomic.Int64
	err := InParallel(hclog.NewNullLogger(), 10_000, func(i int) error {
		calls.Add(1)
		if i >= 50 {
			return planned
		}
		return nil
	})
	if n := calls.Load(); !errors.Is(err, planned) || n > 50+workers {
		t.Errorf("error %v after %d calls", err, n)
	}
	if err := InParallel(hclog.NewNullLogger(), 0, func(int) error { return planned }); err != nil {
		t.Error(err)
	}
}
