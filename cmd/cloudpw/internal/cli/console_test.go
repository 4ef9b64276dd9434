package cli

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestWhatHurriesTheConsole: a terminal that is closed says so twice, by the kernel and by the shell. Passwords are given back all the
// same.
func TestWhatHurriesTheConsole(t *testing.T) {
	a := newApp(Stdio{})
	signals := make(chan os.Signal) // a signal that was sent was heard
	ctx, hurry, stop := a.untilTold(t.Context(), signals)
	defer stop()
	if ctx.Err() != nil || hurry.Err() != nil {
		t.Fatal("it has ended before it was told to")
	}
	signals <- syscall.SIGHUP
	waitFor(t, ctx)
	signals <- syscall.SIGHUP
	signals <- syscall.SIGTERM
	if hurry.Err() != nil {
		t.Error("another signal hurries it")
	}
	signals <- os.Interrupt
	waitFor(t, hurry)
}

// TestTheFirstCtrlCHurriesNothing: it ends the console.
func TestTheFirstCtrlCHurriesNothing(t *testing.T) {
	a := newApp(Stdio{})
	signals := make(chan os.Signal)
	ctx, hurry, stop := a.untilTold(t.Context(), signals)
	signals <- os.Interrupt
	waitFor(t, ctx)
	signals <- syscall.SIGTERM
	if hurry.Err() != nil {
		t.Error("it does not wait")
	}
	stop()
	waitFor(t, hurry)
}

func waitFor(t *testing.T, ctx context.Context) {
	t.Helper()
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		t.Fatal("it has not ended")
	}
}
