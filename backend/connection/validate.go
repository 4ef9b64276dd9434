package connection

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Apply makes the connection that a write asks for out of the stored one, which is nil for
// a new one. It checks everything that can be checked without asking the cloud.
func (s *Store) Apply(ctx context.Context, name string, old *Record, in request.Fields) (*Record, error) {
	next := &Record{}
	if old != nil {
		next = old.Clone()
	}
	next.Schema = store.SchemaVersion
	provider := next.Provider
	in.Text("provider", &provider)
	if old != nil && provider != old.Provider {
		return nil, request.Invalidf("provider: cannot be changed from %s; write another connection", old.Provider)
	}
	descriptor, ok := s.registry[provider]
	switch {
	case provider == "":
		return nil, request.Invalidf("provider: required; one of %s", s.providerNames())
	case !ok:
		return nil, request.Invalidf("provider: %.40q is unknown; use one of %s", provider, s.providerNames())
	}
	next.Provider = provider
	if err := applyOwnFields(next, in, s.registry, descriptor); err != nil {
		return nil, err
	}
	if err := completeOwnFields(old, next, descriptor); err != nil {
		return nil, err
	}
	if err := s.applyCommon(ctx, next, in, descriptor, old == nil); err != nil {
		return nil, err
	}
	if err := descriptor.Check(next.CloudConfig()); err != nil {
		return nil, invalidURL(in, descriptor, err)
	}
	if old == nil || !sameCredential(descriptor, old, next) {
		next.newCredential(s.now())
	}
	if _, err := cloud.NewHTTPClient(next.CACertificate, next.Timeout()); err != nil {
		return nil, request.Invalidf("%s", err)
	}
	if err := s.applyRotation(ctx, name, next, in, descriptor, old != nil && old.RotationPeriod != nil); err != nil {
		return nil, err
	}
	if old == nil {
		return next, s.checkLeftAccounts(ctx, name, provider)
	}
	if err := s.checkSameAccount(ctx, name, descriptor, old, next); err != nil {
		return nil, err
	}
	if err := checkPreviousKept(name, descriptor, old, next, in); err != nil {
		return nil, err
	}
	return next, checkResent(descriptor, old, next, in)
}

// applyCommon takes over the fields that every provider has. isNew is set for a new connection.
func (s *Store) applyCommon(ctx context.Context, next *Record, in request.Fields, d cloud.Descriptor, isNew bool) error {
	in.Pairs("endpoints", &next.Endpoints)
	for _, service := range slices.Sorted(maps.Keys(next.Endpoints)) {
		if !slices.Contains(d.EndpointKeys, service) {
			return request.Invalidf("endpoints: provider %s has no service %.40q; it has %s", d.Name, service, strings.Join(d.EndpointKeys, ", "))
		}
		if len(next.Endpoints[service]) > maxFieldLength {
			return request.Invalidf("endpoints.%s: longer than %d bytes", service, maxFieldLength)
		}
		if err := cloud.ValidateURL("endpoints."+service, next.Endpoints[service]); err != nil {
			return invalidURL(in, d, err)
		}
	}
	in.Text("ca_certificate", &next.CACertificate)
	if len(next.CACertificate) > maxCertificateLength {
		return request.Invalidf("ca_certificate: longer than %d bytes", maxCertificateLength)
	}
	if err := in.AllowList("allowed_roles", &next.AllowedRoles, isNew); err != nil {
		return err
	}
	in.Pairs("required_tags", &next.RequiredTags)
	if err := request.CheckTags("required_tags", next.RequiredTags); err != nil {
		return err
	}
	if err := in.Real("max_requests_per_second", &next.MaxRequestsPerSecond); err != nil {
		return err
	}
	if r := next.MaxRequestsPerSecond; r != 0 && (r < minRequestsPerSecond || r > maxRequestsPerSecond) {
		return request.Invalidf("max_requests_per_second: must be %v to %v", minRequestsPerSecond, maxRequestsPerSecond)
	}
	if err := in.Duration("request_timeout", &next.RequestTimeout); err != nil {
		return err
	}
	if t := next.Timeout(); t < minRequestTimeout || t > maxRequestTimeout {
		return request.Invalidf("request_timeout: must be %s to %s", request.FormatDuration(minRequestTimeout),
			request.FormatDuration(maxRequestTimeout))
	}
	if err := in.Duration("forget_gone_after", &next.ForgetGoneAfter); err != nil {
		return err
	}
	if next.ForgetsAfter() > maxForgetGoneAfter {
		return request.Invalidf("forget_gone_after: must be at most %s; 0 forgets nothing", request.FormatDuration(maxForgetGoneAfter))
	}
	in.Flag("verify_connection", &next.VerifyConnection)
	in.Text("password_policy", &next.PasswordPolicy)
	if in.Gives("password_policy") {
		if !d.CanReset() {
			return request.Invalidf("password_policy: provider %s cannot set passwords, so there is nothing to generate; leave it out", d.Name)
		}
		if _, err := s.policies.Sample(ctx, next.PasswordPolicy); err != nil {
			return err
		}
	}
	return nil
}

// invalidURL refuses a write for a field of it, and tells how one with https instead of http looks.
func invalidURL(in request.Fields, d cloud.Descriptor, err error) error {
	refusal := request.Invalidf("%s", err)
	if !errors.Is(err, cloud.ErrPlainHTTP) {
		return refusal
	}
	secure := func(url string) string { return strings.Replace(url, "http://", "https://", 1) }
	var changed []string
	if in.Gives("endpoints") {
		endpoints := in.Data.Get("endpoints").(map[string]string)
		for _, service := range slices.Sorted(maps.Keys(endpoints)) {
			changed = append(changed, "endpoints="+request.CommandValue(service+"="+secure(endpoints[service])))
		}
	}
	for _, f := range d.Fields {
		if f.Type == cloud.FieldURL && in.Gives(f.Name) {
			changed = append(changed, f.Name+"="+request.CommandValue(secure(in.Data.Get(f.Name).(string))))
		}
	}
	return request.WithWayOut(refusal, in.Again("config/", changed...))
}

// checkResent makes a write that changes where the secrets are sent, or in whose name they act, prove that
// its author knows them: else whoever may write the connection could have the stored ones sent to himself,
// or act with them as somebody else.
func checkResent(d cloud.Descriptor, old, next *Record, in request.Fields) error {
	changed := changedFields(d, old, next, cloud.FieldKind.BindsSecrets)
	if len(changed) == 0 {
		return nil
	}
	// One that the provider has made in this write is not the stored one.
	missing := slices.DeleteFunc(SecretFields(d, next), func(name string) bool { return in.Gives(name) || old.Own[name] != next.Own[name] })
	if len(missing) == 0 {
		return nil
	}
	hint := ""
	if !old.LastRootRotation.IsZero() {
		hint = ". If only Vault knows them, since rotate-root made them, make new ones at the cloud for it"
	}
	return request.Invalidf("%s: a change decides where the stored secrets are sent, or as whom, so send them again in the same write: %s%s",
		strings.Join(changed, ", "), strings.Join(missing, ", "), hint)
}

// checkLeftAccounts refuses to write a connection again with another provider while it has accounts of before.
func (s *Store) checkLeftAccounts(ctx context.Context, name, provider string) error {
	instances, err := s.core.List(ctx, name+"/")
	if err != nil || len(instances) == 0 {
		return request.VaultError("", err)
	}
	users, err := s.core.List(ctx, name+"/"+instances[0]+"/")
	if err != nil || len(users) == 0 {
		return request.VaultError("", err)
	}
	view, err := s.core.Inspect(ctx, rotation.ID{Connection: name, InstanceID: instances[0], Username: users[0]})
	if err != nil {
		return request.VaultError("", err)
	}
	if view != nil && view.Provider != provider {
		return request.Conflictf(
			"provider: a connection %s that was deleted has left accounts of %s; write that provider, or another connection; for "+
				"the accounts: %s",
			name, view.Provider, hint.New("list", "accounts/"+name))
	}
	return nil
}

// checkSameAccount refuses to point a connection that has accounts at another cloud account, project
// or region: the accounts would then mean other servers.
func (s *Store) checkSameAccount(ctx context.Context, name string, d cloud.Descriptor, old, next *Record) error {
	changed := changedFields(d, old, next, func(k cloud.FieldKind) bool { return k == cloud.FieldAccount })
	if len(changed) == 0 {
		return nil
	}
	use, err := s.core.ConnectionUse(ctx, name)
	if err != nil {
		return request.VaultError("", err)
	}
	if use.Accounts > 0 {
		return request.Conflictf(
			"%s: cannot be changed while accounts of connection %s exist (%d, see accounts/%s/); write another connection for "+
				"other servers, and leave this one to those accounts, whose passwords are kept with it",
			strings.Join(changed, ", "), name, use.Accounts, name)
	}
	return nil
}
