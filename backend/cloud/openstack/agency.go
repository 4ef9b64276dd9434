package openstack

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/openstack/signing"
)

// agencyLife is how long keys of an agency are asked for. IAM gives 15 minutes to 24 hours, and at most an hour to one who
// asks with temporary keys (AssumeAgency; that older requests have the same bound is not said).
const agencyLife = time.Hour

// agency gets the keys of an agency in another domain, or in the same, by IAM. Who asks is whoever base is.
type agency struct {
	name, domain string
	base         *sender
	home         *homeDomain // of the keys that sign the request; nil where a token goes with it
}

// newAgency makes the agency that a connection works as.
func newAgency(cfg cloud.Config, base *sender) *agency {
	a := &agency{name: cfg.Text(fieldAgencyName), domain: cfg.Text(fieldAgencyDomainName), base: base}
	if base.signs {
		a.home = &homeDomain{sender: base}
	}
	return a
}

// String names the agency in messages.
func (a *agency) String() string { return "agency " + a.name + " of " + a.domain }

// fetch makes one request for keys. Whoever needs the keys repeats it, if it was throttled.
func (a *agency) fetch(ctx context.Context) (signing.Keys, time.Time, error) {
	home := ""
	if a.home != nil {
		var err error
		if home, err = a.home.id(ctx); err != nil {
			return signing.Keys{}, time.Time{}, err
		}
	}
	body := map[string]any{"auth": map[string]any{"identity": map[string]any{
		"methods": []string{"assume_role"},
		"assume_role": map[string]any{
			"agency_name": a.name, "domain_name": a.domain, "duration_seconds": int(agencyLife / time.Second),
		},
	}}}
	var answer temporaryKeys
	asked := time.Now()
	c := call{action: actionAssume, identity: true, agency: a.String()}
	err := a.base.renewing(ctx, c, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		return postJSON(ctx, inDomain(client, home), credentialURL(client, "securitytokens"), body, &answer)
	})
	if err != nil {
		return signing.Keys{}, time.Time{}, err
	}
	k, told, complete := answer.read()
	if !complete {
		return signing.Keys{}, time.Time{}, cloud.Errorf(cloud.Unavailable,
			"%s: the answer for the %s holds no keys; check that endpoints.iam or auth_url is the cloud's identity service", actionAssume, a)
	}
	// Our clock and the cloud's may differ: what ends first counts.
	end := asked.Add(agencyLife)
	if told.Before(end) {
		end = told
	}
	return k, end, nil
}

// assumeMeaning is what IAM's answer to a request for an agency's keys means. The references give 400, 401, 403 and 500 and no
// codes for it ("Obtaining a Temporary AK/SK"); Keystone answers 404 to names that it does not know. It is false for
// answers that say the same of every call.
func (a answer) assumeMeaning(c call) (meaning, bool) {
	asked := a.keystone || a.reason != "" && !strings.HasPrefix(a.code, "APIGW.")
	switch {
	case a.status == http.StatusForbidden, a.status == http.StatusNotFound && asked:
		return meaning{cloud.Denied, "may not assume the " + c.agency + ", or there is none of that name; check agency_name and " +
			"agency_domain_name, let the agency trust the account of these credentials, and give their user the policy Agent Operator, or " +
			permissionAssume + " on the agency, in IAM (Global services)"}, true
	case a.status == http.StatusBadRequest:
		return meaning{cloud.Refused, "the cloud gives no keys for the " + c.agency + "; check agency_name and agency_domain_name"}, true
	}
	return meaning{}, false
}

// homeDomain is the domain of the keys that sign: requests to IAM name it, as those of the vendors' own SDKs do
// (global_credentials.go; gophertelekomcloud, openstack/client.go, authWithAgencyByAKSK).
type homeDomain struct {
	sender *sender

	mu    sync.Mutex
	known string
}

// id asks once for the domain. IAM shows it without a permission on OTC and, it seems, not always on Huawei Cloud; without it
// requests go out unscoped, and IAM tells the domain from the key.
func (h *homeDomain) id(ctx context.Context) (string, error) {
	h.mu.Lock()
	known := h.known
	h.mu.Unlock()
	if known != "" {
		return known, nil
	}
	var answer struct {
		Domains []struct {
			ID string `json:"id"`
		} `json:"domains"`
	}
	c := call{action: actionDomains, identity: true}
	err := h.sender.do(ctx, c, func(ctx context.Context, client *gophercloud.ServiceClient) error {
		return getJSON(ctx, client, client.ServiceURL("auth", "domains"), &answer)
	})
	refused, answered := answerOf(err)
	switch {
	case answered && refused.status == http.StatusForbidden:
		return "", nil
	case err != nil:
		return "", err
	case len(answer.Domains) != 1 || !projectForm.MatchString(answer.Domains[0].ID):
		return "", nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known = answer.Domains[0].ID
	return h.known, nil
}

// inDomain makes a client's requests name a domain; "" names none.
func inDomain(client *gophercloud.ServiceClient, domain string) *gophercloud.ServiceClient {
	if domain != "" {
		client.MoreHeaders = map[string]string{signing.HeaderDomain: domain}
	}
	return client
}

// credentialURL is a collection of the vendors' IAM, which is not below /v3/.
func credentialURL(client *gophercloud.ServiceClient, collection string) string {
	return strings.TrimSuffix(client.Endpoint, "v3/") + "v3.0/OS-CREDENTIAL/" + collection
}
