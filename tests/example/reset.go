package example

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// maxServers is how many servers one request of SetPassword takes.
const maxServers = 10

// Resetter implements cloud.PasswordResetters: the methods are those of the descriptor.
func (p *provider) Resetter(method string) cloud.PasswordResetter {
	if method == cloud.MethodAPI {
		return p
	}
	return nil
}

// ResetTraits implements cloud.PasswordResetter. A figure that is too small can lose a password, and one that is too large costs
// time only. A real provider says for each where the cloud's documentation has it, or that it is a guess.
func (p *provider) ResetTraits() cloud.ResetTraits {
	return cloud.ResetTraits{
		Action:            setPassword,
		BatchSize:         maxServers,
		SignatureLifetime: 5 * time.Minute,  // a signed request that was lost on its way is refused after that
		Serial:            true,             // one operation on a server at a time; another one is refused as busy
		LongestOperation:  time.Hour,        // a stop, the change and a start
		VisibilityGrace:   30 * time.Second, // a list may still show the operation before
		PollInterval:      2 * time.Second,
	}
}

// StartReset implements cloud.PasswordResetter: it sends exactly one request. The engine has waited for the limiter already, and it
// is the engine that tries again.
func (p *provider) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	if err := p.checkIDs(setPassword, reset.InstanceIDs, maxServers); err != nil {
		return cloud.ResetStarted{}, err
	}
	switch {
	case reset.Username == "":
		return cloud.ResetStarted{}, cloud.Errorf(cloud.Refused, "%s: username: required", setPassword)
	case reset.Password == "":
		return cloud.ResetStarted{}, cloud.Errorf(cloud.PasswordRefused, "%s: the password is empty", setPassword)
	case ctx.Err() != nil || cloud.SendDeadlinePassed(ctx):
		// With cfg.HTTPClient the transport says this, at the last moment before it sends.
		return cloud.ResetStarted{}, cloud.Errorf(cloud.Unavailable, "%s: its time was over before it was sent", setPassword)
	}
	began := time.Now()
	operation, err := p.api.SetPassword(ctx, reset.InstanceIDs, reset.Username, reset.Password, reset.ForceStop)
	err = translate(setPassword, err, p.secret, reset.Password)
	cloud.Measured(p.limiter, setPassword, began, err)
	if err != nil {
		return cloud.ResetStarted{}, err
	}
	return cloud.ResetStarted{RequestID: operation}, nil
}

// ResetRecords implements cloud.PasswordResetter. A look that fails is an error, and no record that says nothing.
func (p *provider) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	ids := make([]string, len(refs))
	for i, ref := range refs {
		ids[i] = ref.InstanceID
	}
	if err := p.checkIDs(listServers, ids, len(ids)); err != nil {
		return nil, err
	}
	servers, err := p.list(ctx, ids)
	if err != nil {
		return nil, err
	}
	records := make(map[string]cloud.ResetRecord, len(servers))
	for _, s := range servers {
		records[s.ID] = record(s)
	}
	return records, nil
}

// record translates a server's latest operation. What is not known to be final goes on.
func record(s Server) cloud.ResetRecord {
	r := cloud.ResetRecord{OperationID: s.Operation.ID, Gone: states[s.State] == cloud.StateGone}
	switch {
	case r.OperationID == "":
	case s.Operation.State == "done":
		r.State = cloud.OperationSuccess
	case s.Operation.State == "failed":
		r.State = cloud.OperationFailed
		r.Message = text.Line("the cloud says that "+setPassword+" failed: "+s.Operation.Message, cloud.MaxText)
	default:
		r.State = cloud.OperationRunning
	}
	return r
}
