package ssh

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

const (
	// rollPass bounds one pass over the hosts. It is far below what Vault lets a request run, and leaves the background, which goes on
	// with what remains, time for its other work.
	rollPass = 45 * time.Second
	// firstLogin bounds the first try at a host, so that dead ones do not hold up the living. Later tries have request_timeout.
	firstLogin = 5 * time.Second
	// namedHosts is how many of the hosts that remain an error tells the reason of, and listedHosts how many more it names.
	namedHosts, listedHosts = 3, 10
	// maxHostReason bounds what it says of one, in characters. A line of a key is in it.
	maxHostReason = 500
)

// rollFailure is a spot that is not rolled.
type rollFailure struct {
	spot
	err error // nil: the time was over before it was tried, or while
}

// enterFunc does something at a spot when it is its turn.
type enterFunc func(ctx context.Context, at spot, do func(context.Context) error) error

// rollAll rolls spots, some at once, within the context and one pass. Where some remain, the error is NotReady, counts them, and names
// some.
// enter is what each spot waits for its turn by.
func (r *roller) rollAll(ctx context.Context, all []spot, atOnce int, pass time.Duration, enter enterFunc) error {
	ctx, cancel := context.WithTimeout(ctx, pass)
	defer cancel()
	left := r.remaining(all)
	failures := make([]rollFailure, len(left))
	var next sync.Mutex
	i := 0
	take := func() int {
		next.Lock()
		defer next.Unlock()
		i++
		return i - 1
	}
	var workers sync.WaitGroup
	for range min(atOnce, len(left)) {
		workers.Go(func() {
			for n := take(); n < len(left); n = take() {
				failures[n] = r.tryRoll(ctx, left[n], enter)
			}
		})
	}
	workers.Wait()
	return remain(failures, len(all))
}

// tryRoll rolls one spot. The result has no name where that succeeded.
func (r *roller) tryRoll(ctx context.Context, at spot, enter enterFunc) rollFailure {
	if ctx.Err() != nil {
		return rollFailure{at, nil}
	}
	err := enter(ctx, at, func(ctx context.Context) error { return r.roll(ctx, at) })
	switch {
	case err == nil:
		return rollFailure{}
	case ctx.Err() != nil: // which says nothing of the host
		return rollFailure{at, nil}
	}
	r.note(at, err)
	return rollFailure{at, err}
}

// remain is the error about the spots that are not rolled; nil if all are.
func remain(failures []rollFailure, all int) error {
	var reasons, others []string
	first, count, waiting := "", 0, 0
	for _, f := range failures {
		switch {
		case f.name == "":
			continue
		case f.err == nil:
			waiting++
		case len(reasons) < namedHosts:
			reasons = append(reasons, f.name+" ("+text.Line(f.err.Error(), maxHostReason)+")")
		case len(others) < listedHosts:
			others = append(others, f.name)
		}
		if f.err != nil && first == "" && !f.isJump {
			first = f.name
		}
		count++
	}
	if count == 0 {
		return nil
	}
	message := fmt.Sprintf("%d of %d hosts are done with the previous key; ", all-count, all)
	if waiting > 0 {
		message += fmt.Sprintf("%d were not reached in the time of this pass and come next; ", waiting)
	}
	if len(reasons) == 0 {
		return cloud.Errorf(cloud.NotReady, "%s", strings.TrimSuffix(message, "; "))
	}
	message += fmt.Sprintf("%d could not be changed: %s", count-waiting, strings.Join(reasons, "; "))
	if len(others) > 0 {
		message += "; " + strings.Join(others, ", ")
	}
	if more := count - waiting - len(reasons) - len(others); more > 0 {
		message += fmt.Sprintf(" and %d more", more)
	}
	if first == "" {
		return cloud.Errorf(cloud.NotReady, "%s; repair that", message)
	}
	way := hint.New("delete", "hosts/"+first)
	e := cloud.Errorf(cloud.NotReady, "%s; repair them, or take out of the inventory what does not come back: %s", message, way)
	e.Hint = way
	return e
}
