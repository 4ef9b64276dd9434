package tencentcloud

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Constants of ResetInstancesPassword.
const (
	// maxResetIDs is the limit of InstanceIds, maxUsername that of UserName in characters (models.go,
	// ResetInstancesPasswordRequest).
	maxResetIDs = 100
	maxUsername = 64

	// longestReset is ours, too: no page states how long a shutdown, a reset and a start may take.
	longestReset = time.Hour

	// maxRecordText bounds the text of an operation record, in characters. It is far more than is kept, since
	// it may repeat the password, of which a part that a cut leaves cannot be recognized.
	maxRecordText = 4096
)

// Resetter implements cloud.PasswordResetters.
func (p *provider) Resetter(method string) cloud.PasswordResetter {
	switch method {
	case cloud.MethodAPI:
		return p
	case cloud.MethodCommand:
		return guest.Resetter{Service: command{p}}
	}
	return nil
}

// ResetTraits implements cloud.PasswordResetter.
func (p *provider) ResetTraits() cloud.ResetTraits {
	return cloud.ResetTraits{
		Action:            resetInstancesPassword.name,
		BatchSize:         maxResetIDs,
		SignatureLifetime: timestampWindow + clockSkew,
		Serial:            true, // MutexOperation.TaskRunning
		LongestOperation:  longestReset,
		VisibilityGrace:   visibilityGrace,
		PollInterval:      pollInterval,
	}
}

// BoundReset implements cloud.ResetBounder.
func (p *provider) BoundReset(d time.Duration) cloud.ResetBound { return p.expiry.bound(d) }

// StartReset implements cloud.PasswordResetter.
func (p *provider) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	if err := checkReset(reset); err != nil {
		return cloud.ResetStarted{}, err
	}
	request := cvm.NewResetInstancesPasswordRequest()
	request.InstanceIds = common.StringPtrs(reset.InstanceIDs)
	request.UserName = &reset.Username
	request.Password = &reset.Password
	request.ForceStop = &reset.ForceStop

	// Temporary keys that are about to end cost a request of their own, before this one is signed.
	keys, err := p.source.get(ctx)
	if err != nil {
		return cloud.ResetStarted{}, err
	}
	if !reset.Expires.IsZero() {
		if err := p.expiry.checkBefore(reset.Expires); err != nil {
			return cloud.ResetStarted{}, err
		}
		request.SetHeader(map[string]string{"X-TC-Timestamp": p.expiry.timestamp(reset.Expires)}) // the SDK signs with it
	}
	var started cloud.ResetStarted
	err = p.exchange(ctx, resetInstancesPassword, keys, func(ctx context.Context, s *session) error {
		response, err := s.resetInstancesPassword(ctx, request)
		if err != nil {
			return err
		}
		if response.Response == nil || value(response.Response.RequestId) == "" {
			return cloud.Errorf(cloud.Unknown, "%s: the answer names no request id, so its outcome cannot be followed", resetInstancesPassword)
		}
		started.RequestID = operationID(response.Response.RequestId)
		return nil
	}, reset.Password)
	if err != nil && !reset.Expires.IsZero() {
		err = p.expiry.judge(err)
	}
	return started, err
}

// checkReset refuses what the API would refuse, before anything is sent. The password's own rules
// are the caller's to keep (PasswordRules).
func checkReset(reset cloud.Reset) error {
	if err := cloud.CheckInstanceIDs(resetInstancesPassword.String(), reset.InstanceIDs, maxResetIDs, validateInstanceID); err != nil {
		return err
	}
	switch n := utf8.RuneCountInString(reset.Username); {
	case n == 0:
		return cloud.Errorf(cloud.Refused, "%s: username: required, the cloud's own default depends on the system", resetInstancesPassword)
	case n > maxUsername:
		return cloud.Errorf(cloud.Refused, "%s: username: %d characters long; the cloud takes at most %d", resetInstancesPassword, n, maxUsername)
	}
	if reset.Password == "" {
		return cloud.Errorf(cloud.PasswordRefused, "%s: the password is empty", resetInstancesPassword)
	}
	return nil
}

// ResetRecords implements cloud.PasswordResetter.
func (p *provider) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	ids := make([]string, len(refs))
	for i, ref := range refs {
		ids[i] = ref.InstanceID
	}
	set, err := p.describe(ctx, ids)
	if err != nil {
		return nil, err
	}
	records := make(map[string]cloud.ResetRecord, len(set))
	for _, i := range set {
		records[value(i.InstanceId)] = record(i)
	}
	return records, nil
}

// operationID is a request id in a form that can be compared: the examples of DescribeInstances' page write that
// of an answer in upper case and LatestOperationRequestId in lower case.
func operationID(requestID *string) string { return strings.ToLower(text.Name(value(requestID), 128)) }

// record maps what the cloud shows of an instance's latest operation.
func record(i *cvm.Instance) cloud.ResetRecord {
	r := cloud.ResetRecord{OperationID: operationID(i.LatestOperationRequestId)}
	switch value(i.LatestOperationState) {
	case "SUCCESS":
		r.State = cloud.OperationSuccess
	case "FAILED":
		r.State = cloud.OperationFailed
		r.Message = text.Line(value(i.LatestOperation)+": "+value(i.LatestOperationErrorMsg), maxRecordText)
	case "OPERATING":
		r.State = cloud.OperationRunning
	default:
		// No state without an id is no operation; anything else is not final, so it goes on.
		if r.OperationID != "" {
			r.State = cloud.OperationRunning
		}
	}
	s, _ := state(value(i.InstanceState), value(i.RestrictState))
	r.Gone = s == cloud.StateGone
	return r
}
