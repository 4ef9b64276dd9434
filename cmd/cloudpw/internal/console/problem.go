package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// kind is what a problem means for the page.
type kind string

const (
	kindClosed      kind = "closed"      // this browser has no session here
	kindForeign     kind = "foreign"     // the request is not one of this console's page
	kindBad         kind = "bad"         // the page asked for what does not exist
	kindDenied      kind = "denied"      // the token's policies do not allow it
	kindToken       kind = "token"       // the token has ended
	kindUnreachable kind = "unreachable" // Vault does not answer, or is sealed
	kindBusy        kind = "busy"        // Vault says: not now
	kindRefused     kind = "refused"     // Vault says no
)

// need is a right that a request needs: what a policy would have to allow.
type need struct {
	Path         string   `json:"path"`
	Capabilities []string `json:"capabilities"`
}

// needs is a right on a path of the mount.
func needs(path string, capabilities ...string) need {
	return need{Path: path, Capabilities: capabilities}
}

// problem is what went wrong, for a person.
type problem struct {
	Kind     kind     `json:"kind"`
	Title    string   `json:"title"`
	Messages []string `json:"messages,omitempty"` // what Vault said
	Advice   string   `json:"advice,omitempty"`
	Needs    []need   `json:"needs,omitempty"`
	Status   int      `json:"-"` // of the answer
}

// explain says what an error of the engine means. needed is what the request needs of a policy, below the mount.
func explain(mount string, err error, needed ...need) *problem {
	var refused *engine.Error
	if !errors.As(err, &refused) {
		// The engine itself does not accept what was asked for, such as a name that is no server's.
		return &problem{Kind: kindRefused, Status: http.StatusBadRequest, Title: "This cannot be done.", Messages: []string{err.Error()}}
	}
	messages := refused.Messages
	switch {
	case refused.Status == 0:
		return notAnswering(err)
	case refused.Status == http.StatusForbidden:
		if ended(refused) {
			return &problem{Kind: kindToken, Status: http.StatusForbidden, Title: "Your Vault token has ended.", Messages: messages,
				Advice: "End cloudpw console with Ctrl-C, log in to Vault again, and start it again."}
		}
		whole := make([]need, len(needed))
		for i, n := range needed {
			whole[i] = need{Path: mount + "/" + n.Path, Capabilities: n.Capabilities}
		}
		return &problem{Kind: kindDenied, Status: http.StatusForbidden, Title: "Your token's policies do not allow this.", Messages: messages,
			Advice: "Ask who keeps Vault's policies for this rule, or log in as somebody who has it.", Needs: whole}
	case refused.Status == http.StatusServiceUnavailable && strings.Contains(strings.ToLower(strings.Join(messages, " ")), "vault is sealed"),
		refused.Status == http.StatusBadGateway, refused.Status == http.StatusGatewayTimeout:
		return notAnswering(err)
	case refused.Status == http.StatusServiceUnavailable:
		return &problem{Kind: kindBusy, Status: http.StatusServiceUnavailable, Title: "Not now.", Messages: messages}
	case refused.Status == http.StatusNotFound && len(messages) == 0:
		return &problem{Kind: kindRefused, Status: http.StatusNotFound, Title: "There is nothing of this name."}
	case refused.Status >= http.StatusInternalServerError:
		return &problem{Kind: kindRefused, Status: http.StatusBadGateway, Title: "Vault failed.", Messages: messages}
	}
	return &problem{Kind: kindRefused, Status: refused.Status, Title: "Vault refused this.", Messages: messages}
}

func notAnswering(err error) *problem {
	return &problem{Kind: kindUnreachable, Status: http.StatusBadGateway, Title: "Vault does not answer.", Messages: []string{err.Error()},
		Advice: "The console tries again by itself."}
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, value any) { answerWith(w, http.StatusOK, value) }

func answerProblem(w http.ResponseWriter, p *problem) {
	answerWith(w, p.Status, map[string]*problem{"problem": p})
}

func answerWith(w http.ResponseWriter, status int, value any) {
	raw, err := json.Marshal(value)
	if err != nil { // no answer has a value that JSON cannot have
		http.Error(w, "the answer cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // an error means that the browser has gone
}

// longestBody is how many bytes an order of the page may have.
const longestBody = 64 << 10

// readBody decodes an order, or answers why it cannot.
func readBody(w http.ResponseWriter, r *http.Request, into any) bool {
	if !isJSON(r) {
		bad(w, "the request's body must be application/json")
		return false
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, longestBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, end := decoder.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		bad(w, fmt.Sprintf("the request's body: %v", err))
		return false
	}
	return true
}

// bad answers to a request that this console's page does not send.
func bad(w http.ResponseWriter, why string) {
	answerProblem(w, &problem{Kind: kindBad, Status: http.StatusBadRequest, Title: "The console does not understand this request.",
		Messages: []string{why}})
}
