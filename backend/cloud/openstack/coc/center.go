package coc

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// Options are what a connection tells.
type Options struct {
	API API
	// Region is where the connection's servers are.
	Region string
	// Unavailable is why the connection cannot use COC at all; nil if it can.
	Unavailable error
	// PollInterval is the time between two looks; 0: the usual one.
	PollInterval time.Duration
}

// Center runs scripts on the servers of one connection. It is safe for concurrent use.
type Center struct {
	Options
	scripts scripts
	hashing *guest.Hashing
}

var _ guest.Service = (*Center)(nil)

// New makes the center of a connection. It sends nothing.
func New(o Options) *Center {
	if o.PollInterval == 0 {
		o.PollInterval = pollInterval
	}
	return &Center{Options: o, hashing: guest.NewHashing()}
}

const (
	// pollInterval is ours. COC shows no interval.
	pollInterval = 5 * time.Second
	// visibilityGrace is ours, too: the pages do not say whether an order is shown at once.
	visibilityGrace = 30 * time.Second
	// signatureLifetime: the gateway takes a signature for 15 minutes from its own time, which may be 15 minutes behind this
	// host's ("API Request Signing Guide", APIGW.0301: the time difference must be less than 15 minutes). A token has no time of
	// signing; what comes later does no harm, since the script begins with nothing late.
	signatureLifetime = 2 * 15 * time.Minute
)

// Limits implements guest.Service. COC runs the orders of a server side by side, as far as its pages say, so they are not serial. When
// an order that it took reaches the server no page bounds: the script itself begins with nothing late.
func (c *Center) Limits() guest.Limits {
	return guest.Limits{
		ResetTraits: cloud.ResetTraits{
			Action:            ActionExecute,
			BatchSize:         1,
			SignatureLifetime: signatureLifetime,
			LongestOperation:  cloud.ClockTolerance,
			VisibilityGrace:   visibilityGrace,
			PollInterval:      c.PollInterval,
			KeepsOrder:        true,
		},
		Call:        "COC " + ActionExecute,
		History:     "COC's execution records",
		Unavailable: c.Unavailable,
		LinuxOnly:   true,
		Instead:     "; read its initial password instead (source=initial), or record a password that people set (source=import)",
	}
}

// ValidateInstanceID implements guest.Service.
func (c *Center) ValidateInstanceID(id string) error { return c.API.ValidateInstanceID(id) }

// Ready implements guest.Service. COC takes an order for a server that does not run, which would wait there, so only a running one
// is ready. Whether its agent works shows when it is sent one.
func (c *Center) Ready(ctx context.Context, ids []string) (map[string]cloud.ResetRecord, error) {
	records := make(map[string]cloud.ResetRecord, len(ids))
	for _, id := range ids {
		i, err := c.API.Show(ctx, id)
		switch {
		case cloud.KindOf(err) == cloud.NotFound:
			continue
		case err != nil:
			return nil, err
		case i.State == cloud.StateGone:
			records[id] = cloud.ResetRecord{Gone: true}
		case i.State != cloud.StateRunning:
			return nil, cloud.Errorf(cloud.Refused, "instance %s is %s, and scripts run on running ones only; start it", id, i.CloudState)
		default:
			records[id] = cloud.ResetRecord{}
		}
	}
	return records, nil
}

// Checker is the check method.
func (c *Center) Checker() cloud.PasswordChecker {
	return guest.Checker{Service: c, Hashing: c.hashing}
}

// Resetter is the reset method.
func (c *Center) Resetter() cloud.PasswordResetter { return resetter{guest.Resetter{Service: c}, c} }

// resetter is guest's, whose script has to be at COC before it can be run.
type resetter struct {
	guest.Resetter
	center *Center
}

var (
	_ cloud.PasswordResetter = resetter{}
	_ cloud.ResetChecker     = resetter{}
	_ cloud.ResetPreparer    = resetter{}
)

// Prepares implements cloud.ResetPreparer.
func (resetter) Prepares(cloud.Platform) bool { return true }

// PrepareReset implements cloud.ResetPreparer: it returns the id of COC's script that sets passwords, which it makes unless it is
// there.
func (r resetter) PrepareReset(ctx context.Context, reset cloud.Reset) (string, error) {
	if err := r.CheckReset(cloud.Instance{Platform: reset.Platform}, reset.Username); err != nil {
		return "", err
	}
	limits := r.center.Limits()
	if err := cloud.CheckInstanceIDs(limits.Call, reset.InstanceIDs, limits.BatchSize, r.center.ValidateInstanceID); err != nil {
		return "", err
	}
	return r.center.script(ctx, guest.SetPassword, guest.StoredLinux())
}
