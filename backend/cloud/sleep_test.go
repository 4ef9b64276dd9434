package cloud

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		if err := Sleep(ctx, time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("error %v after %s", err, time.Since(began))
		}
		time.AfterFunc(time.Second, cancel)
		began = time.Now()
		if err := Sleep(ctx, time.Minute); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("error %v after %s; want that of the context at once", err, time.Since(began))
		}
	})
}
