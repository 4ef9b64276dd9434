package tencentcloud

import (
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// hostMargin is how far the clocks of the cloud's own hosts may differ: the one that stamps Date may not be the one
	// that checks timestamps. No page says how far; the cloud's clocks are taken to be synchronized.
	hostMargin = time.Minute
	// expiryPause is how long requests have ordinary timestamps after the cloud has refused one that was made to expire soon.
	expiryPause = time.Hour

	// signatureExpire is the code for a timestamp that is too far from the cloud's clock, and all codes with signatureCodes are
	// about the signature of which it is a part.
	signatureExpire = "AuthFailure.SignatureExpire"
	signatureCodes  = "AuthFailure.Signature"
)

// expiry makes resets expire soon. The cloud refuses a request whose timestamp is more than timestampWindow behind its clock,
// so one that is signed with an older timestamp can be accepted for a shorter time. When that is to end is fixed before
// the attempt is recorded, as a time of the cloud's clock: how long the request waits after that, and what our clocks do
// then, changes nothing.
type expiry struct {
	// clock is that of CVM's hosts.
	clock cloud.RemoteClock
	read  func() cloud.Clocks

	mu sync.Mutex
	// refused is when the cloud last refused such a timestamp, by the monotonic clock; zero: never.
	refused time.Time
}

// learned is the clock that answers are to teach, or nil where their Date may be anybody's: a reverse proxy at an endpoint of
// the operator's own may stamp it by a clock that is ahead, and requests would live longer than thought.
func (x *expiry) learned(cfg cloud.Config) *cloud.RemoteClock {
	if raw := cfg.Endpoints[endpointCVM]; raw != "" {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" || !strings.HasSuffix(strings.ToLower(u.Hostname()), "."+rootDomain) {
			return nil
		}
	}
	return &x.clock
}

// bound is cloud.ResetBounder's.
func (x *expiry) bound(d time.Duration) cloud.ResetBound {
	now := x.read()
	at, err := x.clock.Earliest(now)
	// What the clock may be further, and what is cut from the timestamp, does not shorten the time for the way.
	life := d + cloud.RemoteClockError + time.Second
	if err != nil || life > timestampWindow || x.paused(now) {
		return cloud.ResetBound{}
	}
	return cloud.ResetBound{Expires: at.Add(life).Truncate(time.Second), Within: life + hostMargin}
}

// paused reports whether the cloud has refused such a timestamp lately.
func (x *expiry) paused(now cloud.Clocks) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.refused.IsZero() && now.Mono.Sub(x.refused) < expiryPause
}

// timestamp is what a request is to be signed with that expires then.
func (x *expiry) timestamp(expires time.Time) string {
	return strconv.FormatInt(expires.Add(-timestampWindow).Unix(), 10)
}

// checkBefore refuses a request that the cloud would refuse, or of which that is not known any more. The core then looks at
// the instance again, and the answer tells the cloud's time.
func (x *expiry) checkBefore(expires time.Time) error {
	at, err := x.clock.Earliest(x.read())
	if err != nil {
		return &cloud.Error{Kind: cloud.Unavailable, Err: err,
			Message: resetInstancesPassword.String() + ": not sent: " + err.Error() + "; it is asked again before the next attempt"}
	}
	if !at.Before(expires) {
		return cloud.Errorf(cloud.Unavailable, "%s: not sent: it has waited until it expired", resetInstancesPassword)
	}
	return nil
}

// judge notes whether the cloud has refused the timestamp of a request that was to expire soon, and explains that.
func (x *expiry) judge(err error) error {
	code := cloud.CodeOf(err)
	if !strings.HasPrefix(code, signatureCodes) || !cloud.KindOf(err).CertainlyNothingDone() {
		return err
	}
	x.mu.Lock()
	x.refused = x.read().Mono
	x.mu.Unlock()
	if code != signatureExpire {
		return err
	}
	out := *cloud.AsError(err)
	out.Kind = cloud.Refused // it says nothing about this host's clock, nor about the keys
	out.Message = resetInstancesPassword.String() + ": the cloud did not accept a timestamp with which the request would have expired soon; " +
		"for an hour requests have ordinary timestamps, after whose lost answers a new password waits longer"
	return &out
}
