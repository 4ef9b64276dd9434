package guest

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Checker is the check method that runs a script in the guest, by a cloud's [Service]. Of Linux servers it compares here; on
// Windows servers the script tries one password. Two of them are equal if their services, their hashing and their keys are.
type Checker struct {
	Service Service
	Hashing *Hashing
	// Keys remembers the public keys of Windows servers; nil: each check asks for the key.
	Keys *Keys
}

var _ cloud.PasswordChecker = Checker{}

// Least times between two looks at a user. A look at Linux costs a command. One at Windows may be a wrong password, and a
// lockout counts these within some minutes: 10 by the defaults of new installations of Windows 11.
const (
	lookInterval = time.Minute
	tryInterval  = 10 * time.Minute
)

// longestTry is how long after its look began a try may still be made: its script is made within the look, which the engine
// gives up in less than lookTime, and it tries nothing past tryLifetime by the server's clock, which may be behind.
const (
	longestTry = lookTime + tryLifetime + cloud.ClockTolerance
	lookTime   = 5 * time.Minute
)

// CheckTraits implements cloud.PasswordChecker.
func (c Checker) CheckTraits(platform cloud.Platform) cloud.CheckTraits {
	limits := c.Service.Limits()
	traits := cloud.CheckTraits{Action: limits.Action, Interval: lookInterval}
	if platform == cloud.Windows {
		traits.Interval, traits.Tries, traits.LongestTry, traits.Experimental = tryInterval, true, longestTry, true
	}
	return traits
}

// CanCheck implements cloud.PasswordChecker.
func (c Checker) CanCheck(i cloud.Instance, username string) error {
	if err := c.Service.Limits().mayLook(i.Platform); err != nil {
		return err
	}
	return CheckUsername(i.Platform, username)
}

// mayLook refuses what no look can be made for.
func (l Limits) mayLook(platform cloud.Platform) error {
	if l.Unavailable != nil {
		return l.Unavailable
	}
	return l.has("check_method", platform, "; leave it empty for this instance")
}

// CheckPassword implements cloud.PasswordChecker: it sends one command, on Windows two where the server's key is not known, and
// follows it to its end.
func (c Checker) CheckPassword(ctx context.Context, check cloud.PasswordCheck) (cloud.PasswordFinding, error) {
	none := cloud.PasswordFinding{Match: cloud.NoMatch}
	limits := c.Service.Limits()
	if err := limits.mayLook(check.Platform); err != nil {
		return none, err
	}
	ids := []string{check.InstanceID}
	if err := cloud.CheckInstanceIDs(limits.Call, ids, 1, c.Service.ValidateInstanceID); err != nil {
		return none, err
	}
	if check.Platform == cloud.Windows {
		return c.try(ctx, check)
	}
	l, err := newLook(check.Username)
	if err != nil {
		return none, err
	}
	id, err := c.Service.Send(ctx, Command{InstanceIDs: ids, Script: l.script, Purpose: LookAtPassword})
	if err != nil {
		return none, c.explain(ctx, check.InstanceID, err)
	}
	ref := cloud.ResetRef{InstanceID: check.InstanceID, RequestID: id}
	run, err := await(ctx, c.Service, ref, "the server has not shown which password it has")
	if err != nil {
		return none, err
	}
	seen, err := run.looked()
	if err != nil {
		return none, limits.about(id, err)
	}
	return c.compare(ctx, l, seen, check.Values)
}

// explain asks why a command was refused, where the cloud can tell better. That is asked afterwards, so that a check of a
// server in good order costs no more requests than it needs.
func (c Checker) explain(ctx context.Context, instance string, refused error) error {
	if kind := cloud.KindOf(refused); kind != cloud.Refused && kind != cloud.NotFound {
		return refused
	}
	ready, err := c.Service.Ready(ctx, []string{instance})
	if err != nil {
		if cloud.KindOf(err) == cloud.Refused {
			return err
		}
		return refused
	}
	if record, exists := ready[instance]; !exists || record.Gone {
		return cloud.Errorf(cloud.NotFound, "%s: instance %s does not exist any more", c.Service.Limits().Call, instance)
	}
	return refused
}

// compare finds the password that the server has.
func (c Checker) compare(ctx context.Context, l look, seen report, values []string) (cloud.PasswordFinding, error) {
	none := cloud.PasswordFinding{Match: cloud.NoMatch}
	finding := cloud.PasswordFinding{Match: cloud.NoMatch, Unknown: seen.uncomparable()}
	finding.State, finding.Detail = seen.state(time.Now())
	if finding.Unknown != "" || seen.values["password"] != "hash" {
		return finding, nil
	}
	entryOf, why := newCrypter(seen.values["setting"])
	if why != "" {
		finding.Unknown = why + onceRotated
		return finding, nil
	}
	for n, value := range values {
		entry, err := c.Hashing.do(ctx, entryOf, value)
		if err != nil {
			return none, &cloud.Error{Kind: cloud.Refused, Err: err,
				Message: c.Service.Limits().Call + ": the passwords could not be compared in time; the hash on the server is a costly one"}
		}
		if entry == "" {
			finding.Unknown = noSetting + onceRotated
			return finding, nil
		}
		if l.is(seen.values["digest"], entry) {
			finding.Match = n
			break
		}
	}
	return finding, nil
}
