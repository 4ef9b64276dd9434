package novaapi

import (
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// run takes an authenticated request through the world's faults and its
// route's handler, and answers it.
func (c *Cloud) run(w http.ResponseWriter, r *request, rt route, service string) {
	call := model.Call{
		Cloud: c.opts.Cloud, Service: service, Action: rt.action, Region: r.caller.region(),
		Account: r.caller.account.ID, AccessKey: r.caller.logName(),
	}
	if rt.server {
		call.Instances = []string{r.vars[0]}
	}
	x := c.world.Begin(call)
	if refusal := x.Before(); refusal != nil {
		switch refusal.Kind {
		case model.Dropped:
			drop(w)
			x.Done(0, "", r.id)
		case model.Late:
			drop(w)
			c.world.Later(refusal.After, func() {
				a := rt.handle(c, r)
				x.Done(0, a.code, r.id)
			})
		default:
			a := c.refuse(r, refusal)
			c.finish(w, r, x, a)
		}
		return
	}
	a := rt.handle(c, r)
	if x.After() {
		drop(w)
		x.Done(0, a.code, r.id)
		return
	}
	c.finish(w, r, x, a)
}

// finish logs before it writes, so that whoever has the answer finds it in
// the log.
func (c *Cloud) finish(w http.ResponseWriter, r *request, x *model.Exchange, a *answer) {
	x.Done(a.status, a.code, r.id)
	c.reply(w, r, a)
}

// reply writes an answer, with the headers of Nova's microversions.
func (c *Cloud) reply(w http.ResponseWriter, r *request, a *answer) {
	if r.api == apiNova && r.version.stated {
		text := r.version.String()
		w.Header().Set(headerNovaVersion, text)
		w.Header().Set(headerAPIVersion, "compute "+text)
		w.Header().Add("Vary", headerAPIVersion)
		w.Header().Add("Vary", headerNovaVersion)
	}
	a.write(w, r.id)
}

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
		return novaFault(http.StatusInternalServerError, "Unexpected API Error. The server met a condition that it did not expect.")
	}
}

// drop closes the connection without an answer. Over HTTP/2, where a handler
// cannot have the connection, the stream is aborted instead.
func drop(w http.ResponseWriter) {
	rc := http.NewResponseController(w)
	if conn, _, err := rc.Hijack(); err == nil {
		conn.Close()
		return
	}
	// A body shorter than announced makes the server reset the stream.
	w.Header().Set("Content-Length", "1")
	w.WriteHeader(http.StatusBadGateway)
}
