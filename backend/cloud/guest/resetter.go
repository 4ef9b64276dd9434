package guest

import (
	"cmp"
	"context"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Resetter is the reset method that runs a script in the guest, by a cloud's [Service]. The instance keeps running.
// Two of them are equal if their services are.
type Resetter struct {
	Service Service
	// Keys remembers the public keys of Windows servers; nil: each reset asks for the key.
	Keys *Keys
}

var (
	_ cloud.PasswordResetter = Resetter{}
	_ cloud.ResetChecker     = Resetter{}
	_ cloud.ResetPreparer    = Resetter{}
)

// ResetTraits implements cloud.PasswordResetter.
func (r Resetter) ResetTraits() cloud.ResetTraits { return r.Service.Limits().ResetTraits }

// CheckReset implements cloud.ResetChecker.
func (r Resetter) CheckReset(i cloud.Instance, username string) error {
	if err := r.Service.Limits().check(i.Platform); err != nil {
		return err
	}
	return CheckUsername(i.Platform, username)
}

// check refuses what no command can be made for.
func (l Limits) check(platform cloud.Platform) error {
	if l.Unavailable != nil {
		return l.Unavailable
	}
	return l.has("reset_method", platform, l.Instead)
}

// has refuses a platform that has no commands. The error names the field that asks for one, and ends in what to do instead.
func (l Limits) has(field string, platform cloud.Platform, instead string) error {
	switch {
	case platform == cloud.Linux, platform == cloud.Windows && !l.LinuxOnly:
		return nil
	case platform == cloud.Windows:
		return cloud.Errorf(cloud.Refused, "%s: on this cloud there are commands for Linux only, and the instance runs Windows%s", field, instead)
	case l.LinuxOnly:
		return cloud.Errorf(cloud.Refused, "%s: the cloud does not tell whether the instance runs Linux, and there are commands for that only%s",
			field, instead)
	}
	return cloud.Errorf(cloud.Refused, "%s: the cloud does not tell whether the instance runs Linux or Windows, and there are commands for "+
		"these only%s", field, instead)
}

// StartReset implements cloud.PasswordResetter. The request id of the answer is the command's.
func (r Resetter) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	limits := r.Service.Limits()
	if err := cloud.CheckInstanceIDs(limits.Call, reset.InstanceIDs, limits.BatchSize, r.Service.ValidateInstanceID); err != nil {
		return cloud.ResetStarted{}, err
	}
	script, err := limits.script(reset)
	if err != nil {
		return cloud.ResetStarted{}, err
	}
	id, err := r.Service.Send(ctx, Command{
		InstanceIDs: reset.InstanceIDs, Script: script, Purpose: SetPassword, Name: reset.Name, Prepared: reset.Prepared,
		Secrets: append([]string{reset.Password, script.Sealed}, script.Stored.secrets()...),
	})
	return cloud.ResetStarted{RequestID: id}, err
}

// script makes the script of a reset.
func (l Limits) script(reset cloud.Reset) (Script, error) {
	if err := l.check(reset.Platform); err != nil {
		return Script{}, err
	}
	change := Change{Username: reset.Username, Secret: reset.Password, Order: reset.Order, NotAfter: reset.NotAfter}
	if reset.Platform == cloud.Linux {
		return Linux(change)
	}
	if len(reset.InstanceIDs) > 1 {
		return Script{}, cloud.Errorf(cloud.Refused, "%s: a password is encrypted for one Windows server at a time", l.Call)
	}
	var key PublicKey
	if err := key.UnmarshalText([]byte(reset.Prepared)); err != nil {
		return Script{}, cloud.Errorf(cloud.Refused, "%s: %v", l.Call, err)
	}
	return WindowsSet(change, key)
}

// Prepares implements cloud.ResetPreparer: only Windows needs a key.
func (Resetter) Prepares(platform cloud.Platform) bool { return platform != cloud.Linux }

// PrepareReset implements cloud.ResetPreparer. A Windows server whose public key is not known is asked for it by a
// command of its own, whose end is waited for.
func (r Resetter) PrepareReset(ctx context.Context, reset cloud.Reset) (string, error) {
	limits := r.Service.Limits()
	if err := limits.check(reset.Platform); err != nil {
		return "", err
	}
	if !r.Prepares(reset.Platform) {
		return "", nil
	}
	if err := cloud.CheckInstanceIDs(limits.Call, reset.InstanceIDs, 1, r.Service.ValidateInstanceID); err != nil {
		return "", err
	}
	return prepare(ctx, r.Service, r.Keys, reset.InstanceIDs[0])
}

// prepare returns the public key of a Windows server, in its text form. Where it is not known the server is asked for it, and
// makes the key pair unless it has one.
func prepare(ctx context.Context, service Service, keys *Keys, instance string) (string, error) {
	limits := service.Limits()
	if known := keys.get(instance); known != "" {
		return known, nil
	}
	id, err := service.Send(ctx, Command{InstanceIDs: []string{instance}, Script: WindowsPrepare(), Purpose: ShowKey})
	if err != nil {
		return "", err
	}
	run, err := await(ctx, service, cloud.ResetRef{InstanceID: instance, RequestID: id}, "the server has not shown its public key")
	if err != nil {
		return "", err
	}
	key, err := run.key()
	if err != nil {
		return "", limits.about(id, err)
	}
	text, err := key.MarshalText()
	if err != nil {
		return "", cloud.Errorf(cloud.Refused, "%s: %v", limits.Call, err)
	}
	keys.put(instance, string(text))
	return string(text), nil
}

// await waits until a command has ended. unseen is what has not been seen if it does not end in time.
func await(ctx context.Context, service Service, ref cloud.ResetRef, unseen string) (Run, error) {
	limits := service.Limits()
	late := func(err error) error {
		return &cloud.Error{Kind: cloud.Refused, Err: err,
			Message: limits.Call + ": " + unseen + " in time; see command " + ref.RequestID + " in " + limits.History}
	}
	for {
		if err := cloud.Sleep(ctx, limits.PollInterval); err != nil {
			return Run{}, late(err)
		}
		runs, err := service.Look(ctx, []cloud.ResetRef{ref})
		if err != nil && ctx.Err() != nil { // the time was up in the middle of a look
			return Run{}, late(err)
		}
		if err != nil {
			return Run{}, err
		}
		if run := runs[ref]; run.State != Running {
			return run, nil
		}
	}
}

// ResetRecords implements cloud.PasswordResetter. Of a reset that a reference names, by the command's id or by our own,
// it shows the command, which may not be visible yet. Else an instance has no record, and the question is whether a
// command could be sent to it: an instance that cannot be sent one is an error that says so, and costs no attempt.
func (r Resetter) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	limits := r.Service.Limits()
	if limits.Unavailable != nil {
		return nil, limits.Unavailable
	}
	records := make(map[string]cloud.ResetRecord, len(refs))
	var named []cloud.ResetRef
	var unnamed []string
	for _, ref := range refs {
		if err := r.Service.ValidateInstanceID(ref.InstanceID); err != nil {
			return nil, cloud.Errorf(cloud.Refused, "%v", err)
		}
		if ref.RequestID != "" || ref.Name != "" && limits.OwnIDs {
			named = append(named, ref)
		} else {
			unnamed = append(unnamed, ref.InstanceID)
		}
	}
	if len(named) > 0 {
		runs, err := r.Service.Look(ctx, named)
		if err != nil {
			return nil, err
		}
		for _, ref := range named {
			run, shown := runs[ref]
			records[ref.InstanceID] = r.record(limits, ref, run, shown)
		}
	}
	if len(unnamed) > 0 {
		ready, err := r.Service.Ready(ctx, unnamed)
		if err != nil {
			return nil, err
		}
		for _, id := range unnamed {
			if record, exists := ready[id]; exists {
				records[id] = record
			}
		}
	}
	return records, nil
}

// record tells the rotation core what a command says of the reset that it is. One that is not shown is as before the
// command: whether its instance is gone turns out when it is repeated.
func (r Resetter) record(limits Limits, ref cloud.ResetRef, run Run, shown bool) cloud.ResetRecord {
	id := cmp.Or(ref.RequestID, run.ID)
	if !shown || id == "" {
		return cloud.ResetRecord{}
	}
	record := cloud.ResetRecord{OperationID: id, Name: ref.Name, State: cloud.OperationRunning}
	if run.State == Running {
		return record
	}
	err := run.Outcome()
	if err == nil {
		record.State = cloud.OperationSuccess
		return record
	}
	if NeedsKey(err) {
		r.Keys.drop(ref.InstanceID)
	}
	if run.State == Exited {
		record.Order = newerOrder(run.Interpreter, run.ExitCode, run.Output)
	}
	record.State, record.Message = cloud.OperationFailed, limits.about(id, err).Error()
	if kind := cloud.KindOf(err); kind == cloud.Refused || kind == cloud.PasswordRefused {
		record.Kind = kind
	}
	return record
}

// about adds to a command's error which command it was.
func (l Limits) about(id string, err error) error {
	e := *cloud.AsError(err)
	e.Message = l.Call + " (" + id + "): " + e.Message
	return &e
}
