package openstack

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// The settle window rests on these figures (rule 10): an attempt may be taken for ended only when its request
// cannot reach Nova any more, and what it began has ended. Each is derived from what can hold a request
// up on its way, and not from the constant that it holds.
func TestTraitsHoldWhatDelaysRequests(t *testing.T) {
	// HAProxy lets a request wait for a minute in its queue, and for the server's answer for another (kolla-ansible,
	// haproxy_defaults: timeout queue 1m, timeout server 1m); a deployment may have it twice, before Nova and
	// at the edge. A token has no time of signing, so nothing else bounds a request: ten times that is left.
	const queued, answered, proxies = time.Minute, time.Minute, 2
	traits := changePassword{}.ResetTraits()
	if least := proxies * (queued + answered); traits.SignatureLifetime < 3*least {
		t.Errorf("a request may reach Nova %v after it was sent, and later with other settings; the traits say %v", least,
			traits.SignatureLifetime)
	}
	// Nova's call to the compute service ends after rpc_response_timeout, 60 seconds by default, and long_rpc_timeout
	// is 1800; the hypervisor waits for the guest's agent beyond that.
	const longRPC = 1800 * time.Second
	if traits.LongestOperation <= longRPC {
		t.Errorf("a change may go on for more than %v; the traits say %v", longRPC, traits.LongestOperation)
	}
	// task_state updating_password: one change of a server at a time.
	if !traits.Serial || traits.BatchSize != 1 {
		t.Errorf("%+v", traits)
	}
}

// deletedServers shows every server of an answer as deleted, as Nova does while it still shows one.
type deletedServers struct{ http.RoundTripper }

func (d deletedServers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	body = bytes.ReplaceAll(body, []byte(`"status":"ACTIVE"`), []byte(`"status":"DELETED"`))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}

// A server that is deleted is told as gone, so that its password is not tried for ever.
func TestResetRecordsTellDeletedServers(t *testing.T) {
	s, live, server := resetting(t, nil)
	deleted := s.provider(t, func(c *cloud.Config) {
		client := *c.HTTPClient
		if client.Transport == nil {
			client.Transport = http.DefaultTransport
		}
		client.Transport = deletedServers{client.Transport}
		c.HTTPClient = &client
	}).Resetter(cloud.MethodAPI)
	for r, gone := range map[cloud.PasswordResetter]bool{live: false, deleted: true} {
		records, err := r.ResetRecords(t.Context(), []cloud.ResetRef{{InstanceID: server.ID}})
		if record, shown := records[server.ID]; err != nil || !shown || record.Gone != gone {
			t.Errorf("want gone %v: %+v, %v, %v", gone, record, shown, err)
		}
	}
}
