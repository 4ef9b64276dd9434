package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Target is one thing to read from a Vault, again and again.
type Target struct {
	// Name is that of its row in the table.
	Name string
	// Floor is the name of the target that does the same and nothing besides; empty: none.
	Floor string
	// Paths are below /v1/ and are read in turn.
	Paths []string
	// Wants must all occur in every answer.
	Wants []string
	// Clients is the only number of clients to ask with; 0: each of those that the others are asked with.
	Clients int
	// Plugin is the path of the binary whose process answers besides Vault's; empty: none.
	Plugin string
}

// Load is a client of one Vault that keeps its connections open.
type Load struct {
	Address string
	// Tokens are used in turn: one reader may hold only so many leases of an account.
	Tokens []string
	client *http.Client
	next   map[string]int // index of the path to read next, by target
}

// NewLoad makes a client for up to that many requests at once. Only one goroutine may use it.
func NewLoad(address string, tokens []string, clients int) *Load {
	transport := &http.Transport{MaxIdleConns: clients, MaxIdleConnsPerHost: clients, DisableCompression: true}
	return &Load{Address: address, Tokens: tokens, client: &http.Client{Transport: transport}, next: map[string]int{}}
}

// Close closes the open connections.
func (l *Load) Close() { l.client.CloseIdleConnections() }

// Sample is what one run of requests gave.
type Sample struct {
	// Times are those of the single requests, from sending one to having read its answer.
	Times []time.Duration
	// Took is the time of all of them together.
	Took time.Duration
	// VaultCPU and PluginCPU are the processor time that Vault and the target's plugin have used meanwhile.
	VaultCPU, PluginCPU time.Duration
}

// Run sends n requests from as many clients, each of which sends its next when it has its answer. An answer that is not
// the wanted one ends the run with an error.
func (l *Load) Run(ctx context.Context, t Target, clients, n int) (Sample, error) {
	first := l.next[t.Name]
	l.next[t.Name] = first + n
	times := make([]time.Duration, n)
	errs := make([]error, clients)
	var group sync.WaitGroup
	begun := time.Now()
	for c := range clients {
		group.Go(func() {
			for i := c; i < n; i += clients {
				sent := time.Now()
				if err := l.read(ctx, l.Tokens[(first+i)%len(l.Tokens)], t.Paths[(first+i)%len(t.Paths)], t.Wants); err != nil {
					errs[c] = err
					return
				}
				times[i] = time.Since(sent)
			}
		})
	}
	group.Wait()
	sample := Sample{Times: times, Took: time.Since(begun)}
	for _, err := range errs {
		if err != nil {
			return sample, fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return sample, nil
}

func (l *Load) read(ctx context.Context, token, path string, wants []string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.Address+"/v1/"+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("X-Vault-Token", token)
	response, err := l.client.Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("read %s: %s: %.300s", path, response.Status, body)
	}
	for _, want := range wants {
		if !bytes.Contains(body, []byte(want)) {
			return fmt.Errorf("read %s: the answer lacks %s", path, want) // it may hold a password, so it is not shown
		}
	}
	return nil
}
