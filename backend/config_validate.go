package backend

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// applyConnection makes the connection that a write asks for out of the stored one, which is nil for
// a new one. It checks everything that can be checked without asking the cloud.
func (b *backend) applyConnection(ctx context.Context, name string, old *connection, in input) (*connection, error) {
	next := &connection{}
	if old != nil {
		next = old.clone()
	}
	next.Schema = schemaVersion
	provider := next.Provider
	in.text("provider", &provider)
	if old != nil && provider != old.Provider {
		return nil, invalidf("provider: cannot be changed from %s; write another connection", old.Provider)
	}
	descriptor, ok := b.registry[provider]
	switch {
	case provider == "":
		return nil, invalidf("provider: required; one of %s", b.providerNames())
	case !ok:
		return nil, invalidf("provider: %.40q is unknown; use one of %s", provider, b.providerNames())
	}
	next.Provider = provider
	if err := applyOwnFields(next, in, descriptor); err != nil {
		return nil, err
	}
	if err := b.applyCommon(ctx, next, in, descriptor); err != nil {
		return nil, err
	}
	if err := descriptor.Validate(next.cloudConfig(descriptor)); err != nil {
		return nil, invalidURL(in, err)
	}
	if _, err := cloud.NewHTTPClient(next.CACertificate, next.timeout()); err != nil {
		return nil, invalidf("%s", err)
	}
	if old == nil {
		return next, b.checkLeftAccounts(ctx, name, provider)
	}
	if err := checkResent(old, next, in); err != nil {
		return nil, err
	}
	return next, b.checkSameAccount(ctx, name, old, next)
}

// applyOwnFields takes over the fields whose use depends on the provider.
func applyOwnFields(next *connection, in input, d cloud.Descriptor) error {
	for _, f := range connectionTexts {
		if !slices.Contains(d.Fields, f.name) {
			if in.gives(f.name) {
				return invalidf("%s: provider %s does not use it; leave it out", f.name, d.Name)
			}
			continue
		}
		in.text(f.name, f.at(next))
		value := *f.at(next)
		if len(value) > maxFieldLength {
			return invalidf("%s: longer than %d bytes", f.name, maxFieldLength)
		}
		if strings.ContainsFunc(value, isControl) {
			return invalidf("%s: must not contain control characters or line breaks; a file given with @ must not end in one", f.name)
		}
	}
	if !slices.Contains(d.Fields, ambientField) {
		if in.gives(ambientField) {
			return invalidf("%s: provider %s does not use it; leave it out", ambientField, d.Name)
		}
		return nil
	}
	in.flag(ambientField, &next.UseAmbientCredentials)
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// applyCommon takes over the fields that every provider has.
func (b *backend) applyCommon(ctx context.Context, next *connection, in input, d cloud.Descriptor) error {
	in.pairs("endpoints", &next.Endpoints)
	for _, service := range slices.Sorted(maps.Keys(next.Endpoints)) {
		if !slices.Contains(d.EndpointKeys, service) {
			return invalidf("endpoints: provider %s has no service %.40q; it has %s", d.Name, service, strings.Join(d.EndpointKeys, ", "))
		}
		if err := cloud.ValidateURL("endpoints."+service, next.Endpoints[service]); err != nil {
			return invalidURL(in, err)
		}
	}
	in.text("ca_certificate", &next.CACertificate)
	if len(next.CACertificate) > maxCertificateLength {
		return invalidf("ca_certificate: longer than %d bytes", maxCertificateLength)
	}
	in.list("allowed_roles", &next.AllowedRoles)
	in.pairs("required_tags", &next.RequiredTags)
	if err := checkTags("required_tags", next.RequiredTags); err != nil {
		return err
	}
	if err := in.real("max_requests_per_second", &next.MaxRequestsPerSecond); err != nil {
		return err
	}
	if r := next.MaxRequestsPerSecond; r != 0 && (r < minRequestsPerSecond || r > maxRequestsPerSecond) {
		return invalidf("max_requests_per_second: must be %v to %v", minRequestsPerSecond, maxRequestsPerSecond)
	}
	if err := in.duration("request_timeout", &next.RequestTimeout); err != nil {
		return err
	}
	if t := next.timeout(); t < minRequestTimeout || t > maxRequestTimeout {
		return invalidf("request_timeout: must be %s to %s", inWords(minRequestTimeout), inWords(maxRequestTimeout))
	}
	in.flag("verify_connection", &next.VerifyConnection)
	in.text("password_policy", &next.PasswordPolicy)
	if in.gives("password_policy") {
		if !d.CanReset() {
			return invalidf("password_policy: provider %s cannot set passwords, so there is nothing to generate; leave it out", d.Name)
		}
		if _, err := b.fromPolicy(ctx, next.PasswordPolicy); err != nil {
			return err
		}
	}
	return nil
}

// invalidURL refuses a write for a field of it, and tells how one with https instead of http looks.
func invalidURL(in input, err error) error {
	refusal := invalidf("%s", err)
	if !errors.Is(err, cloud.ErrPlainHTTP) {
		return refusal
	}
	secure := func(url string) string { return strings.Replace(url, "http://", "https://", 1) }
	var changed []string
	if in.gives("endpoints") {
		endpoints := in.data.Get("endpoints").(map[string]string)
		for _, service := range slices.Sorted(maps.Keys(endpoints)) {
			changed = append(changed, "endpoints="+commandValue(service+"="+secure(endpoints[service])))
		}
	}
	if in.gives("auth_url") {
		changed = append(changed, "auth_url="+commandValue(secure(in.data.Get("auth_url").(string))))
	}
	return withWayOut(refusal, in.again("config/", changed...))
}

// checkTags checks tags that instances are chosen by.
func checkTags(field string, tags map[string]string) error {
	if len(tags) > maxTags {
		return invalidf("%s: %d tags; give at most %d", field, len(tags), maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if err := checkPair(field, key, tags[key], maxTagKey, maxTagValue); err != nil {
			return err
		}
	}
	return nil
}

// checkResent makes a write that changes where the secrets are sent prove that its author knows them:
// else whoever may write the connection could have the stored ones sent to himself.
func checkResent(old, next *connection, in input) error {
	var changed []string
	if !maps.Equal(old.Endpoints, next.Endpoints) {
		changed = append(changed, "endpoints")
	}
	if old.CACertificate != next.CACertificate {
		changed = append(changed, "ca_certificate")
	}
	for _, f := range connectionTexts {
		if f.target && *f.at(old) != *f.at(next) {
			changed = append(changed, f.name)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	var missing []string
	for _, f := range connectionTexts {
		if f.secret && *f.at(next) != "" && !in.gives(f.name) {
			missing = append(missing, f.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return invalidf("%s: a change decides where the stored secrets are sent, so send them again in the same write: %s",
		strings.Join(changed, ", "), strings.Join(missing, ", "))
}

// checkLeftAccounts refuses to write a connection anew with another provider while it has accounts of before.
func (b *backend) checkLeftAccounts(ctx context.Context, name, provider string) error {
	instances, err := b.core.List(ctx, name+"/")
	if err != nil || len(instances) == 0 {
		return vaultError("", err)
	}
	users, err := b.core.List(ctx, name+"/"+instances[0]+"/")
	if err != nil || len(users) == 0 {
		return vaultError("", err)
	}
	view, err := b.core.Inspect(ctx, rotation.ID{Connection: name, InstanceID: instances[0], Username: users[0]})
	if err != nil {
		return vaultError("", err)
	}
	if view != nil && view.Provider != provider {
		return conflictf("provider: a connection %s that was deleted has left accounts of %s; write that provider, or another connection; for the accounts: %s",
			name, view.Provider, command("list", "accounts/"+name))
	}
	return nil
}

// checkSameAccount refuses to point a connection that has accounts at another cloud account, project
// or region: the accounts would then mean other servers.
func (b *backend) checkSameAccount(ctx context.Context, name string, old, next *connection) error {
	var changed []string
	for _, f := range connectionTexts {
		if f.account && *f.at(old) != *f.at(next) {
			changed = append(changed, f.name)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	use, err := b.core.ConnectionUse(ctx, name)
	if err != nil {
		return vaultError("", err)
	}
	if use.Accounts > 0 {
		return conflictf("%s: cannot be changed while accounts of connection %s exist (%d, see accounts/%s/); write another connection",
			strings.Join(changed, ", "), name, use.Accounts, name)
	}
	return nil
}
