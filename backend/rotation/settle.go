package rotation

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// settle closes the attempts whose window has passed. Where an attempt has none of its own it is the connection's,
// which is made known first if it is not; that sends nothing.
func (x *executor) settle(ctx context.Context, e *entry, rec *Account, s protocol.PlanInput) error {
	var ids []string
	unknown := ""
	for _, t := range rec.Settling(s.Traits) {
		switch {
		case t.Window == 0 && (s.Traits == nil || s.Traits(t.Method) == nil):
			unknown = t.Method
		case !s.Settles(t).After(s.Now):
			ids = append(ids, t.ID)
		}
	}
	switch {
	case len(ids) > 0:
		return x.apply(ctx, e, protocol.AttemptsSettled{Attempts: ids, At: s.Now, Lost: x.backoff(rec,
			errors.New("the cloud has not shown how the reset ended for as long as it may take"), false)})
	case s.Traits == nil:
		if _, err := x.connect(ctx, e.id.Connection); err != nil {
			x.delay(e, err)
		} else {
			x.clearDelay(e)
		}
	case unknown != "":
		x.delay(e, fmt.Errorf(
			"the account has an open attempt by the reset method %q, which this plugin version does not have; run the one that made it", unknown))
	}
	return nil
}
