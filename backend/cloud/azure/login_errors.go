package azure

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// loginAdvice is the way out for the numbers of Entra's errors, after entra-docs, reference-error-codes.md, and public copies of
// Entra's answers. They only choose the words of a message: the page warns that they change.
var loginAdvice = map[int]string{
	7000215: "client_secret is not one of the application's; give the secret's value, not its id",
	7000222: "client_secret has expired; make another one for the application, and write it",
	7000112: "the application is disabled; enable it in the Entra admin center (Enterprise applications)",
	700016:  "the tenant has no such application; check client_id, tenant_id and the connection's cloud",
	90002:   "there is no such tenant; check tenant_id and the connection's cloud",
	900023:  "there is no such tenant; check tenant_id",
	900382:  "the tenant belongs to another of Microsoft's clouds; check the connection's cloud",
	500011:  "the tenant does not know Azure Resource Manager under its name in this cloud; check the connection's cloud",
	53003:   "a Conditional Access policy of the tenant forbids it; allow the workload where Vault runs",
	70021:   adviceFederated,
	700211:  adviceFederated,
	700212:  adviceFederated,
	700213:  adviceFederated,
	700024:  "the workload's token is not valid at this time; see the clock of the Vault server, and that the token file is renewed",
}

const adviceFederated = "no federated credential of the application matches the workload's token; compare issuer, subject and audience " +
	"(Entra admin center, App registrations, Certificates & secrets, Federated credentials)"

// entraNumber finds the number in the description, where error_codes is missing. Nothing else of the description is
// repeated, as it may hold ids and parts of what was sent.
var entraNumber = regexp.MustCompile(`AADSTS([0-9]{1,9})\b`)

// loginFailure is the body of an error of the token endpoint (RFC 6749, section 5.2, and Entra's own fields).
type loginFailure struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
	TraceID     string `json:"trace_id"`
}

// number is Entra's of an error; 0 if it tells none.
func (f loginFailure) number() int {
	if len(f.Codes) > 0 {
		return f.Codes[0]
	}
	if parts := entraNumber.FindStringSubmatch(f.Description); parts != nil {
		if n, err := strconv.Atoi(parts[1]); err == nil {
			return n
		}
	}
	return 0
}

// wordForm is that of error's values.
var wordForm = regexp.MustCompile(`^[a-z_]{1,40}$`)

// loginRefused translates an answer of the token endpoint that is no token. Whatever it is, the call that needed the token was
// not sent.
func (o origin) loginRefused(response *http.Response, body []byte) *cloud.Error {
	var told loginFailure
	readable := len(body) <= maxAnswer && json.Unmarshal(body, &told) == nil && wordForm.MatchString(told.Error)
	status := fmt.Sprintf("HTTP %d", response.StatusCode)
	e := &cloud.Error{Kind: cloud.Unavailable, Message: getToken.String() + ": "}
	switch {
	case response.StatusCode == http.StatusTooManyRequests:
		e.Kind, e.RetryAfter = cloud.Throttled, cloud.RetryAfter(response.Header.Get("Retry-After"), time.Now())
		e.Message += "too many requests for tokens"
	case response.StatusCode >= 300 && response.StatusCode < 400:
		e.Message += status + "; redirects are not followed, check endpoints.login"
	case response.StatusCode >= 500 || told.Error == "temporarily_unavailable" || told.Error == "server_error":
		e.Message += status + "; " + adviceServer
	case !readable:
		e.Message += status + " without a readable answer; check endpoints.login and proxies on the way"
	default:
		e.Kind = cloud.Denied
		e.Message += cmp.Or(loginAdvice[told.number()], "the cloud refuses a token; check "+o.credentials)
	}
	if readable {
		e.Code = told.Error
		if n := told.number(); n > 0 {
			e.Code = "AADSTS" + strconv.Itoa(n)
		}
		e.RequestID = requestForm(cmp.Or(told.TraceID, response.Header.Get("X-Ms-Request-Id")))
	}
	return e
}

// requestForm is an id of the cloud's, if it is one: it stands beside an answer that may repeat what was sent.
func requestForm(id string) string {
	if !guidForm.MatchString(strings.TrimSpace(id)) {
		return ""
	}
	return text.Line(id, cloud.MaxCode)
}
