//go:build bench

package bench

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// settings are the fixed counts of a run. They come from the environment, for short trials.
type settings struct {
	rounds int
	// reads is the number of requests of one client in a round. With several clients it is manyFactor times that, on
	// raft a raftShare of it.
	reads    int
	accounts int
	storages []string
	// out is the folder that receives table.md and result.json.
	out string
}

const manyFactor = 4

func settingsOf(t *testing.T) settings {
	t.Helper()
	number := func(name string, usual int) int {
		text := os.Getenv(name)
		if text == "" {
			return usual
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s=%s: give a whole number of at least 1", name, text)
		}
		return n
	}
	s := settings{
		rounds:   number("BENCH_ROUNDS", 7),
		reads:    number("BENCH_READS", 300),
		accounts: number("BENCH_ACCOUNTS", 1000),
		storages: []string{"inmem", "raft"},
		out:      os.Getenv("BENCH_OUT"),
	}
	if text := os.Getenv("BENCH_STORAGE"); text != "" {
		s.storages = strings.Split(text, ",")
	}
	if s.out == "" {
		t.Fatal("BENCH_OUT is not set: run the benchmark with `make bench`")
	}
	return s
}
