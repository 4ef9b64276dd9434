package openstack

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// requestLinger is how long after its sending a request may still reach Nova: a token has no time of
	// signing, so nothing but the queues in front of Nova bounds it. The figure is ours, far above the
	// minute that HAProxy lets a request queue in OpenStack's own deployments (kolla-ansible,
	// haproxy_defaults, timeout queue).
	requestLinger = 15 * time.Minute
	// longestChange is ours, too. Nova's message to the compute service ends after rpc_response_timeout,
	// a minute by default; the hypervisor then waits for the guest's agent as long as that takes.
	longestChange = time.Hour
	pollInterval  = 2 * time.Second
)

// Resetter implements cloud.PasswordResetters.
func (p *provider) Resetter(method string) cloud.PasswordResetter {
	if method == cloud.MethodAPI && p.family.plain {
		return changePassword{p}
	}
	return nil
}

// changePassword sets passwords by Nova's server action of that name. 202 is the proof of success, in
// spite of what that status says elsewhere: the API service waits for the compute service
// (nova/compute/rpcapi.py, set_admin_password is a call, no cast), which answers when the hypervisor's
// driver has had the guest's agent set the password (nova/compute/manager.py, set_admin_password). A note
// in nova/api/openstack/compute/admin_password.py says that it should be 204 therefore.
//
// There is no record to look at, and none is needed: the answer that was lost is asked for again with the
// same password. Nova carries out one such action at a time on a server (task_state updating_password).
type changePassword struct{ p *provider }

var (
	_ cloud.PasswordResetters = (*provider)(nil)
	_ cloud.ResetChecker      = changePassword{}
	_ cloud.ResetPreparer     = changePassword{}
)

// ResetTraits implements cloud.PasswordResetter.
func (changePassword) ResetTraits() cloud.ResetTraits {
	return cloud.ResetTraits{
		Action:            actionChange,
		BatchSize:         1,
		SignatureLifetime: requestLinger,
		Serial:            true,
		LongestOperation:  longestChange,
		PollInterval:      pollInterval,
	}
}

// CheckReset implements cloud.ResetChecker. Nova takes no user name: the driver chooses. Where the cloud
// does not say whom, PrepareReset asks.
func (changePassword) CheckReset(i cloud.Instance, username string) error {
	if i.LoginUser == "" || i.LoginUser == username {
		return nil
	}
	return wrongUser(i.ID, i.LoginUser, username)
}

func wrongUser(instance, admin, username string) *cloud.Error {
	return cloud.Errorf(cloud.Refused,
		"username: Nova sets the password of %s on instance %s, and of no other user, not of %s; use username=%s, "+
			"or an image with the property os_admin_user=%s", admin, instance, username, admin, username)
}

// Prepares implements cloud.ResetPreparer.
func (changePassword) Prepares(cloud.Platform) bool { return true }

// PrepareReset implements cloud.ResetPreparer: it asks whose password Nova will set.
func (c changePassword) PrepareReset(ctx context.Context, reset cloud.Reset) (string, error) {
	if len(reset.InstanceIDs) != 1 {
		return "", cloud.Errorf(cloud.Refused, "%s: %d instances given; one request takes one", actionChange, len(reset.InstanceIDs))
	}
	id := reset.InstanceIDs[0]
	if err := c.p.ValidateInstanceID(id); err != nil {
		return "", err
	}
	s, err := c.p.show(ctx, id)
	if err != nil {
		return "", err
	}
	admin, err := c.p.adminUser(ctx, s)
	switch {
	case err != nil:
		return "", err
	case admin == "":
		return "", cloud.Errorf(cloud.Refused,
			"%s of instance %s: the cloud does not tell which user's password it would set, as the image cannot be read; "+
				"name the user: openstack server set --property %s=USER %s", actionChange, id, propertyAdminUser, id)
	case admin != reset.Username:
		return "", wrongUser(id, admin, reset.Username)
	}
	return admin, nil
}

// StartReset implements cloud.PasswordResetter. A token that the cloud does not take any more is renewed,
// and the request sent again: what answers 401 has not let it pass.
func (c changePassword) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	if err := c.check(reset); err != nil {
		return cloud.ResetStarted{}, err
	}
	p, id := c.p, reset.InstanceIDs[0]
	what := p.named(call{action: actionChange, instance: id})
	for renewed := false; ; renewed = true {
		s, err := p.sessions.get(ctx)
		if err != nil {
			return cloud.ResetStarted{}, err
		}
		if err := (cloud.Unlimited{}).Wait(ctx, what.String()); err != nil {
			return cloud.ResetStarted{}, err
		}
		err = p.exchange(ctx, what, s, func(ctx context.Context, client *gophercloud.ServiceClient) error {
			result := servers.ChangeAdminPassword(ctx, client, id, reset.Password)
			if result.Err == nil && requestIDOf(result.Header) == "" {
				return fmt.Errorf("%w: no request id, so it is not Nova's", errAnswerForm)
			}
			return result.Err
		})
		if err == nil {
			return cloud.ResetStarted{Done: true}, nil
		}
		if a, ok := answerOf(err); !renewed && ok && a.status == http.StatusUnauthorized && p.sessions.renewable(s) {
			continue
		}
		return cloud.ResetStarted{}, translateChange(what, err, append(redactor{reset.Password, s.token}, p.secrets...))
	}
}

func (c changePassword) check(reset cloud.Reset) error {
	switch {
	case len(reset.InstanceIDs) != 1:
		return cloud.Errorf(cloud.Refused, "%s: %d instances given; one request takes one", actionChange, len(reset.InstanceIDs))
	case reset.Prepared == "" || reset.Prepared != reset.Username:
		return cloud.Errorf(cloud.Refused, "%s: it was not checked that Nova sets the password of %s", actionChange,
			reset.Username)
	case reset.Password == "":
		return cloud.Errorf(cloud.PasswordRefused, "%s: the password is empty", actionChange)
	}
	return c.p.ValidateInstanceID(reset.InstanceIDs[0])
}

// ResetRecords implements cloud.PasswordResetter. No reset has a record; it only says whether the instances
// exist.
func (c changePassword) ResetRecords(ctx context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	ids := make([]string, len(refs))
	for i, ref := range refs {
		ids[i] = ref.InstanceID
	}
	found, err := c.p.DescribeInstances(ctx, ids)
	if err != nil {
		return nil, err
	}
	records := make(map[string]cloud.ResetRecord, len(found))
	for _, i := range found {
		records[i.ID] = cloud.ResetRecord{Gone: i.State == cloud.StateGone}
	}
	return records, nil
}

// translateChange is translate for changePassword, where a refusal counts only if it is Nova's or
// Keystone's own: whatever else answered may have let the request pass.
func translateChange(c call, err error, secrets redactor) *cloud.Error {
	e := translate(c, err, secrets)
	a, answered := answerOf(err)
	if answered {
		e.Err = nil // it holds the whole answer, which may repeat the password
	}
	switch {
	case !answered || !e.Kind.CertainlyNothingDone() || a.own():
		return e
	}
	doubtful := *e
	doubtful.Kind = cloud.Unknown
	return &doubtful
}

// own reports whether an answer has the form of a refusal by Nova, or by Keystone's middleware before it.
func (a answer) own() bool {
	return novaFaults[a.fault] || a.status == http.StatusUnauthorized && a.keystone
}
