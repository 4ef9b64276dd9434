package openstack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/coc"
)

// commander is a provider of a cloud that runs scripts in servers.
type commander struct {
	*provider
	center *coc.Center
}

var (
	_ cloud.PasswordResetters = (*commander)(nil)
	_ cloud.PasswordCheckers  = (*commander)(nil)
	_ cloud.PermissionChecker = (*commander)(nil)
)

func newCommander(p *provider, cfg cloud.Config, poll time.Duration) *commander {
	options := coc.Options{API: cocAPI{p}, Region: cfg.Text(cloud.Region), PollInterval: poll}
	if p.family.mayNotAskCOC(cfg) {
		options.Unavailable = cloud.Errorf(cloud.Refused,
			"endpoints.%s: required with reset_method=%s or check_method=%s where endpoints.%s, endpoints.%s or auth_url are your own, as "+
				"scripts for them are not sent to %s's COC by default; to send them there, set it to %s",
			endpointCOC, cloud.MethodCommand, cloud.CheckCommand, p.family.computeKey, p.family.identityKey, p.family.title,
			p.family.cocURL(cfg.Text(cloud.Region)))
	}
	return &commander{provider: p, center: coc.New(options)}
}

// Resetter implements cloud.PasswordResetters.
func (c *commander) Resetter(method string) cloud.PasswordResetter {
	if method != cloud.MethodCommand {
		return nil
	}
	return c.center.Resetter()
}

// Checker implements cloud.PasswordCheckers.
func (c *commander) Checker(method string) cloud.PasswordChecker {
	if method != cloud.CheckCommand {
		return nil
	}
	return c.center.Checker()
}

// CheckPermissions implements cloud.PermissionChecker, with those of COC.
func (c *commander) CheckPermissions(ctx context.Context) ([]cloud.Permission, error) {
	all, err := c.provider.CheckPermissions(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range c.center.Permissions(ctx) {
		if p.Verdict != cloud.PermissionGranted {
			p.Policy = c.family.policyText(p.Action)
		}
		all = append(all, p)
	}
	return all, nil
}

// cocAPI sends COC's requests by a connection.
type cocAPI struct{ *provider }

var _ coc.API = cocAPI{}

// Show implements coc.API.
func (a cocAPI) Show(ctx context.Context, id string) (cloud.Instance, error) {
	s, err := a.show(ctx, id)
	if err != nil {
		return cloud.Instance{}, err
	}
	return s.instance(), nil
}

// Send implements coc.API.
func (a cocAPI) Send(ctx context.Context, r coc.Request) (status int, err error) {
	if r.AtOnce {
		return a.send(ctx, r)
	}
	err = cloud.RetryThrottled(ctx, func() error {
		status, err = a.send(ctx, r)
		return err
	})
	return status, err
}

// send sends a request once, and again with a new token if the cloud does not take the old one any more.
func (a cocAPI) send(ctx context.Context, r coc.Request) (int, error) {
	c := a.named(call{action: r.Action, permission: r.Permission, coc: true})
	wait := a.limiter.Wait
	if r.AtOnce {
		wait = (cloud.Unlimited{}).Wait
	}
	for renewed := false; ; renewed = true {
		s, err := a.sessions.get(ctx)
		if err != nil {
			return 0, err
		}
		if err := wait(ctx, r.Action); err != nil {
			return 0, err
		}
		err = a.exchange(ctx, c, s, func(ctx context.Context, client *gophercloud.ServiceClient) error {
			return exchangeCOC(ctx, client, s, r)
		})
		if err == nil {
			return http.StatusOK, nil
		}
		answer, answered := answerOf(err)
		if answered && !renewed && answer.status == http.StatusUnauthorized && a.sessions.renewable(s) {
			continue
		}
		return answer.status, translateCOC(c, err, append(append(s.secrets(), r.Secrets...), a.secrets...))
	}
}

// exchangeCOC sends a request and reads what is in its answer's data. All of COC's calls take the same headers (ExecuteScript,
// CreateScripts: X-Language, x-project-id).
func exchangeCOC(ctx context.Context, client *gophercloud.ServiceClient, s session, r coc.Request) error {
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	options := &gophercloud.RequestOpts{
		JSONBody: r.Body, JSONResponse: &envelope, OkCodes: []int{http.StatusOK, http.StatusCreated},
		MoreHeaders: map[string]string{"X-Language": "en-us", "X-Project-Id": s.projectID},
	}
	resp, err := client.Request(ctx, r.Method, client.Endpoint+r.Path, options)
	if err := done(resp, err); err != nil {
		return err
	}
	if len(envelope.Data) == 0 || bytes.Equal(envelope.Data, []byte("null")) {
		return fmt.Errorf("%w: no data", errAnswerForm)
	}
	if r.Data == nil {
		return nil
	}
	return json.Unmarshal(envelope.Data, r.Data)
}

// translateCOC is translate for COC. A refusal counts only if it is COC's or the gateway's own, by its code: whatever else answered
// may have let the request pass.
func translateCOC(c call, err error, secrets redactor) *cloud.Error {
	e := translate(c, err, secrets)
	a, answered := answerOf(err)
	if !answered {
		return e
	}
	own := *e
	own.Err = nil // it holds the whole answer, which may repeat what was sent
	// What is sent is known, but not a part of it.
	own.Message = guest.WithoutHashes(own.Message)
	if a.code == "" && own.Kind.CertainlyNothingDone() {
		own.Kind = cloud.Unknown
	}
	return &own
}
