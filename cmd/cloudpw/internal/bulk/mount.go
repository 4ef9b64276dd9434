package bulk

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// Mount is what is needed of a mount: engine.Client.
type Mount interface {
	Report(ctx context.Context, f engine.Filter, after string, limit int) (engine.Page, error)
	List(ctx context.Context, keyInfo any, segments ...string) ([]string, error)
	Put(ctx context.Context, fields map[string]any, out any, segments ...string) ([]string, error)
}

const (
	// batchSize is how many hosts one write has; the path takes 1000.
	batchSize = 500
	// DefaultParallel is how many passwords are sent at once.
	DefaultParallel = 8
	// MaxParallel bounds that.
	MaxParallel = 32
	// tries is how often a request is sent that did not reach the plugin.
	tries = 4
	// firstPause is the pause before the second try; each further one is twice as long.
	firstPause = time.Second
)

// Job sends rows to a mount.
type Job struct {
	Mount    Mount
	Parallel int // passwords sent at once; 0: DefaultParallel
	// Progress, if not nil, is told how far it has come. It is called by several goroutines, one at a time.
	Progress func(done, total int, words string)
	// Done, if not nil, is told of each row that has its result, as Progress is.
	Done func(*Row)
	// pause waits between two tries; nil: for the time itself.
	pause func(ctx context.Context, d time.Duration)
}

// unreached reports whether an error says nothing about the row: Vault is away, sealed, or limits requests. Other rows fail alike.
func unreached(err error) bool {
	var e *engine.Error
	if !errors.As(err, &e) || !engine.IsPassing(err) {
		return false
	}
	switch e.Status {
	case http.StatusInternalServerError:
		return false
	case http.StatusServiceUnavailable: // the plugin's own, unless Vault is sealed or has no active node
		text := strings.ToLower(strings.Join(e.Messages, " "))
		return len(e.Messages) == 0 || strings.Contains(text, "sealed") || strings.Contains(text, "active")
	}
	return true
}

// put sends a request, and again if it did not reach the plugin. All requests of this package may be sent twice: a host is then unchanged,
// and a password is recorded once more. A request that has begun is not cut off when ctx ends.
func (j *Job) put(ctx context.Context, fields map[string]any, out any, segments ...string) ([]string, error) {
	pause := firstPause
	for try := 1; ; try++ {
		warnings, err := j.Mount.Put(context.WithoutCancel(ctx), fields, out, segments...)
		if err == nil || !unreached(err) || try == tries || ctx.Err() != nil {
			return warnings, err
		}
		j.wait(ctx, pause)
		pause *= 2
	}
}

func (j *Job) wait(ctx context.Context, d time.Duration) {
	if j.pause != nil {
		j.pause(ctx, d)
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// hostAnswer is the answer of hosts/.
type hostAnswer struct {
	Hosts []struct {
		Name     string   `json:"name"`
		Result   string   `json:"result"`
		Error    string   `json:"error"`
		Warnings []string `json:"warnings"`
	} `json:"hosts"`
}

// writeHosts writes the hosts of rows, or says what that would do.
func (j *Job) writeHosts(ctx context.Context, rows []*Row, dry bool) (hostAnswer, error) {
	var list []any
	for _, r := range rows {
		host := map[string]any{"name": r.Server, columnConnection: r.Connection}
		for field, value := range r.Host {
			host[field] = value
		}
		list = append(list, host)
	}
	var answer hostAnswer
	_, err := j.put(ctx, map[string]any{"hosts": list, "dry_run": dry}, &answer, "hosts")
	if err == nil && len(answer.Hosts) != len(rows) {
		err = errors.New("the answer does not have the hosts that were sent")
	}
	return answer, err
}
