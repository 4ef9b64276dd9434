package novaapi

import (
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// run takes an authenticated request through the world's faults and its
// route's handler, and answers it.
func (c *Cloud) run(w http.ResponseWriter, r *request, rt route, service string) {
	call := model.Call{
		Cloud: c.opts.Cloud, Service: service, Action: rt.action, Region: r.caller.region(), Source: wire.Source(r.Request),
		Account: r.caller.account.ID, AccessKey: r.caller.logName(),
	}
	if rt.server {
		call.Instances = []string{r.vars[0]}
	}
	if rt.action == actionChange {
		call.Password, _ = r.changeBody()
	}
	r.exchange = c.world.Begin(call)
	wire.Serve(w, c.world, r.exchange,
		func(f *model.Refusal) wire.Answer { return c.final(r, c.refuse(r, f)) },
		func() wire.Answer { return c.final(r, rt.handle(c, r)) })
}

// reply answers a request that went through no exchange.
func (c *Cloud) reply(w http.ResponseWriter, r *request, a *answer) {
	wire.Write(w, c.final(r, a))
}

// final adds the headers of Nova's microversions.
func (c *Cloud) final(r *request, a *answer) wire.Answer {
	if r.api == apiNova && r.version.stated && a.text == "" {
		a.with(headerNovaVersion, r.version.String())
		a.with(headerAPIVersion, "compute "+r.version.String())
		a.with("Vary", headerAPIVersion+", "+headerNovaVersion)
	}
	switch {
	case !c.plain():
		return a.wire(r.id, vendorRequestIDs)
	case r.api == apiIdentity:
		return a.with("Vary", headerToken).wire(r.id, keystoneRequestIDs)
	}
	return a.wire(r.id, novaRequestIDs)
}

// Headers that carry a request's id. The vendors' gateway adds its own.
var (
	keystoneRequestIDs = []string{"X-Openstack-Request-Id"}
	novaRequestIDs     = []string{"X-Openstack-Request-Id", "X-Compute-Request-Id"}
	vendorRequestIDs   = []string{"X-Openstack-Request-Id", "X-Compute-Request-Id", "X-Request-Id"}
)

// refuse words an injected refusal as the API at hand does.
func (c *Cloud) refuse(r *request, f *model.Refusal) *answer {
	switch f.Kind {
	case model.Throttled:
		return c.throttled(r)
	case model.ServerError:
		return internalError(r.api)
	}
	switch {
	case strings.HasPrefix(f.Code, "APIGW."):
		return gatewayError(f.Status, f.Code, f.Message, r.id)
	case r.api == apiECS:
		return ecsError(f.Status, f.Code, f.Message)
	case r.api == apiIdentity:
		a := keystoneError(f.Status, f.Message)
		a.code = f.Code
		return a
	default:
		return &answer{status: f.Status, code: f.Code, body: map[string]any{
			f.Code: map[string]any{"code": f.Status, "message": f.Message},
		}}
	}
}

// throttled is 429: from the gateway where there is one. Code and text of the
// gateway's answer are [unconfirmed].
func (c *Cloud) throttled(r *request) *answer {
	switch {
	case !c.plain():
		return gatewayError(http.StatusTooManyRequests, codeGatewayThrottle,
			"The throttling threshold has been reached: policy user over ratelimit", r.id)
	case r.api == apiIdentity:
		return keystoneError(http.StatusTooManyRequests, "Too many requests.").with("Retry-After", "1")
	default:
		return novaFault(http.StatusTooManyRequests, "This request was rate-limited.").with("Retry-After", "1")
	}
}

func internalError(shape api) *answer {
	switch shape {
	case apiIdentity:
		return keystoneError(http.StatusInternalServerError,
			"An unexpected error prevented the server from fulfilling your request.")
	case apiECS:
		return ecsError(http.StatusInternalServerError, "Ecs.0000", "Request error. Try again later or contact customer service.")
	default:
		return novaFault(http.StatusInternalServerError, unexpected("nova.exception.NovaException"))
	}
}

// unexpected is Nova's text for an exception that it did not expect.
func unexpected(exception string) string {
	return "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if possible.\n<class '" +
		exception + "'>"
}
