package tencentapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/wire"
)

// Longest requests in bytes, from the API pages on the structure of requests.
const (
	maxQuery    = 32 << 10
	maxBodyV1   = 1 << 20
	maxBodyV3   = 10 << 20
	formType    = "application/x-www-form-urlencoded"
	jsonType    = "application/json"
	english     = "en-US"
	emptyObject = "{}"
)

// arrival is a request before it is judged.
type arrival struct {
	action, version, region, language string
	// params are the action's own: JSON values, or with form set, texts under the names and numbers that
	// the dots of InstanceIds.0 part.
	params map[string]any
	form   bool
	claim  claim
}

// claim is what a request says about who signed it.
type claim struct {
	secretID, token string
	service         string // only of Signature v3
	time            time.Time
	verify          func(secret string) bool
}

// common are the parameters that Signature v1 has in the query or form, beside the action's own.
var common = []string{
	"Action", "Region", "Timestamp", "Nonce", "SecretId", "Signature", "SignatureMethod", "Version", "Token", "Language", "RequestClient",
}

// read takes a request apart. With a failure the arrival holds what is known by then, the language at least.
func read(r *http.Request) (*arrival, *failure) {
	a := &arrival{language: r.Header.Get("X-TC-Language")}
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return a, fail("UnsupportedProtocol", "Only GET and POST requests are supported.")
	}
	if len(r.URL.RawQuery) > maxQuery {
		return a, fail("RequestSizeLimitExceeded", "The request is longer than 32 KB.")
	}
	body, err := wire.ReadBodyUpTo(r, maxBodyV3)
	if errors.Is(err, wire.ErrBodyTooLong) {
		return a, fail("RequestSizeLimitExceeded", "The request is longer than 10 MB.")
	}
	if err != nil {
		return a, fail("InternalError", err.Error())
	}
	if r.Header.Get("Authorization") != "" || r.Header.Get("X-TC-Action") != "" || r.Header.Get("X-TC-Timestamp") != "" {
		return a, a.readV3(r, body)
	}
	return a, a.readV1(r, body)
}

// readV3 reads a request whose common parameters are headers. A GET has the action's own in its query, a
// POST as JSON.
func (a *arrival) readV3(r *http.Request, body []byte) *failure {
	a.action, a.version, a.region = r.Header.Get("X-TC-Action"), r.Header.Get("X-TC-Version"), r.Header.Get("X-TC-Region")
	if f := a.missing(map[string]string{"Timestamp": r.Header.Get("X-TC-Timestamp")}); f != nil {
		return f
	}
	if _, given := r.Header["X-Tc-Region"]; given && !regionForm.MatchString(a.region) {
		return fail("InvalidParameterValue", "A value specified in `X-TC-Region` is not valid, is unsupported, or cannot be used.")
	}
	sig, err := parseSignature(r)
	if errors.Is(err, errTimestamp) {
		return wrongType("Timestamp")
	}
	if err != nil {
		return fail("AuthFailure.InvalidAuthorization", err.Error()+".")
	}
	a.claim = claim{sig.secretID, sig.token, sig.service, sig.time, func(secret string) bool { return sig.verify(r, body, secret) }}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch kind = strings.ToLower(strings.TrimSpace(kind)); {
	case r.Method == http.MethodGet && kind != formType:
		return fail("InvalidParameter", "Content-Type of a GET request must be "+formType+".")
	case r.Method == http.MethodGet:
		return a.readForm(r.URL.RawQuery)
	case kind != jsonType:
		return fail("InvalidParameter", "Content-Type must be "+jsonType+" with this signature; this API takes no multipart/form-data.")
	}
	return a.readJSON(body)
}

// readV1 reads a request with everything in its query, or in its form.
func (a *arrival) readV1(r *http.Request, body []byte) *failure {
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		text = string(body)
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		values = nil // JSON, say, without the headers that it needs: nothing is there
	}
	a.action, a.version, a.region, a.language = values.Get("Action"), values.Get("Version"), values.Get("Region"), values.Get("Language")
	required := map[string]string{}
	for _, name := range requiredV1 {
		required[name] = values.Get(name)
	}
	if f := a.missing(required); f != nil {
		return f
	}
	if f := a.claimV1(r, values); f != nil {
		return f
	}
	if len(body) > maxBodyV1 {
		return fail("AuthFailure.SignatureFailure", "The provided credentials could not be validated because of exceeding request size limit, "+
			"please use new signature method `TC3-HMAC-SHA256`.")
	}
	return a.readForm(text)
}

// missing names the first required common parameter that is absent. The cloud looks for Timestamp first.
func (a *arrival) missing(more map[string]string) *failure {
	more["Action"], more["Version"] = a.action, a.version
	for _, name := range append(slices.Clone(requiredV1), "Action", "Version") {
		if value, required := more[name]; required && value == "" {
			return missingParameter(name)
		}
	}
	return nil
}

// readForm takes the action's parameters from a query or form.
func (a *arrival) readForm(text string) *failure {
	values, err := url.ParseQuery(text)
	if err != nil {
		return fail("InvalidParameter", "The parameters are not URL-encoded.")
	}
	a.form, a.params = true, map[string]any{}
	for name := range values {
		if slices.Contains(common, name) {
			continue
		}
		if !plant(a.params, strings.Split(name, "."), values.Get(name)) {
			return wrongType(name)
		}
	}
	return nil
}

// plant puts a text into a tree; false where a branch would have to be a leaf, too.
func plant(tree map[string]any, path []string, text string) bool {
	for _, name := range path[:len(path)-1] {
		next, known := tree[name]
		if !known {
			next = map[string]any{}
			tree[name] = next
		}
		branch, ok := next.(map[string]any)
		if !ok {
			return false
		}
		tree = branch
	}
	leaf := path[len(path)-1]
	if _, taken := tree[leaf]; taken {
		return false
	}
	tree[leaf] = text
	return true
}

// readJSON takes the action's parameters from a JSON object; an empty body is an empty one.
func (a *arrival) readJSON(body []byte) *failure {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte(emptyObject)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&a.params); err != nil { // null, too, is an empty one
		return fail("InvalidParameter", "The request body is not a JSON object.")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fail("InvalidParameter", "Something follows the JSON object of the request body.")
	}
	return nil
}

func missingParameter(name string) *failure {
	return fail("MissingParameter", "The request is missing a required parameter `"+name+"`.")
}

func wrongType(name string) *failure {
	return fail("InvalidParameter", "The value type of parameter `"+name+"` is not valid.")
}

// isNumber says whether a part of a name such as InstanceIds.0 is a place in a list.
func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}
