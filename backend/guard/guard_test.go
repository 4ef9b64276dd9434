package guard

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

const secret = "Correct-Horse-7"

type carrier struct{ password string }

func panicOnPurpose(value any) (string, error) {
	if value != nil {
		panic(value)
	}
	var list []string
	return list[len(secret)], nil
}

func TestPanicBecomesAnErrorWithoutItsValue(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		kind  string
	}{
		"text":          {"the password is " + secret, "string"},
		"error":         {errors.New(secret), "*errors.errorString"},
		"struct":        {carrier{secret}, "guard.carrier"},
		"wrapped":       {fmt.Errorf("no: %w", errors.New(secret)), "*fmt.wrapError"},
		"runtime error": {nil, "runtime.boundsError"},
	} {
		var out bytes.Buffer
		log := hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Trace})
		value, err := Get(log, "reading "+name, func() (string, error) { return panicOnPurpose(c.value) })
		if value != "" || !Panicked(err) || !strings.Contains(err.Error(), "reading "+name) || !strings.Contains(err.Error(), c.kind) {
			t.Errorf("%s: %q, %v", name, value, err)
		}
		if log := out.String(); strings.Contains(log+err.Error(), secret) || !strings.Contains(log, "panicOnPurpose") ||
			!strings.Contains(log, c.kind) {
			t.Errorf("%s: logged %s", name, log)
		}
	}
}

func TestWithoutPanicNothingChanges(t *testing.T) {
	log := hclog.NewNullLogger()
	if value, err := Get(log, "it", func() (int, error) { return 7, nil }); value != 7 || err != nil {
		t.Errorf("%d, %v", value, err)
	}
	failed := errors.New("no")
	if err := Do(log, "it", func() error { return failed }); !errors.Is(err, failed) || Panicked(err) {
		t.Error(err)
	}
}
