package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// initialPoll is how long a waiting read leaves between two looks for an initial password.
const initialPoll = 5 * time.Second

// overdueRetry is when another look makes sense for an initial password that should have come long ago: it
// still does where the guest is repaired, or started for the first time.
const overdueRetry = 10 * time.Minute

// notYet says how old the server is and how long its cloud usually takes; and where that is over, why a password
// may never come, and what gives the account one.
func (c *Core) notYet(rec *Account, provider cloud.Provider, usual time.Duration) error {
	not := &Error{Kind: NotReadable, RetryAfter: 30 * time.Second, Poll: initialPoll}
	not.Message = hint.Textf("instance %s has no initial password yet", rec.InstanceID)
	launched := rec.Facts.LaunchTime
	if launched.IsZero() {
		not.Message = not.Message.Add(
			hint.Textf("; the cloud says that it may take %s after launch, and does not tell when that was; if it was earlier, %s",
				usual, rec.WhyNoInitialPassword(provider)))
		return not
	}
	age := max(c.opts.Now().Sub(launched), 0).Round(time.Second) // the cloud's clock may be ahead
	not.Message = not.Message.Add(hint.Textf("; it was launched %s ago, and the cloud says that it may take %s", age, usual))
	if age > 2*usual {
		not.Message = not.Message.Add(hint.Textf(". Waiting longer is unlikely to help: %s", rec.WhyNoInitialPassword(provider)))
		not.RetryAfter = overdueRetry
	}
	return not
}
