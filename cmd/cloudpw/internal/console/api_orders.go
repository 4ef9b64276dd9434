package console

import (
	"errors"
	"net/http"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

func (c *Console) getHeld(w http.ResponseWriter, _ *http.Request, _ *session) {
	answer(w, map[string]any{"held": c.held.list()})
}

// placeBody names an account as the table has it, or as a person types it.
type placeBody struct {
	Text       string `json:"text"` // as on the command line: ROLE/SERVER, SERVER, ROLE
	Role       string `json:"role"`
	Connection string `json:"connection"`
	InstanceID string `json:"instance_id"`
	Username   string `json:"username"`
	Name       string `json:"name"`
}

// take takes a password. The answer does not have it: the page asks for it when it is to be shown.
func (c *Console) take(w http.ResponseWriter, r *http.Request, _ *session) {
	var body placeBody
	if !readBody(w, r, &body) {
		return
	}
	place := engine.Place{Role: body.Role, Connection: body.Connection, InstanceID: body.InstanceID, Username: body.Username, Name: body.Name}
	if body.Text != "" {
		var err error
		if place, err = c.vault.Resolve(r.Context(), engine.Target{Text: body.Text}); err != nil {
			c.explain(w, err, needs("report", "read"))
			return
		}
	}
	t, err := c.held.take(place)
	switch {
	case errors.Is(err, errClosing):
		answerProblem(w, &problem{Kind: kindClosed, Status: http.StatusServiceUnavailable, Title: "The console is ending."})
	case err != nil:
		c.explain(w, err, needs("creds/"+place.Role, "read"), needs("creds/"+place.Role+"/*", "read"))
	default:
		c.fleet.again()
		answer(w, t)
	}
}

// heldOf finds the password that an order names, or answers that there is none.
func (c *Console) heldOf(w http.ResponseWriter, r *http.Request) *taken {
	var body struct {
		ID string `json:"id"`
	}
	if !readBody(w, r, &body) {
		return nil
	}
	t := c.held.find(body.ID)
	if t == nil {
		answerProblem(w, &problem{Kind: kindRefused, Status: http.StatusNotFound, Title: "This password is not held any more.",
			Advice: "Its lease has ended, or it was given back. Take it again if you need it."})
	}
	return t
}

// showHeld is the one answer with a password.
func (c *Console) showHeld(w http.ResponseWriter, r *http.Request, _ *session) {
	if t := c.heldOf(w, r); t != nil {
		answer(w, map[string]string{"password": t.password.Value.Reveal()})
	}
}

func (c *Console) renewHeld(w http.ResponseWriter, r *http.Request, _ *session) {
	t := c.heldOf(w, r)
	if t == nil {
		return
	}
	if err := c.held.renew(r.Context(), t); err != nil {
		answerProblem(w, explain("sys", err, needs("leases/renew", "update")))
		return
	}
	answer(w, map[string]any{"held": c.held.list()})
}

func (c *Console) giveHeld(w http.ResponseWriter, r *http.Request, _ *session) {
	t := c.heldOf(w, r)
	if t == nil {
		return
	}
	if err := c.held.give(r.Context(), t); err != nil {
		answerProblem(w, explain("sys", err, needs("leases/revoke/"+c.vault.Mount()+"/creds/*", "update")))
		return
	}
	c.fleet.again()
	answer(w, map[string]any{"held": c.held.list()})
}

// orderBody names a role, or one of its servers.
type orderBody struct {
	Role       string `json:"role"`
	InstanceID string `json:"instance_id"`
}

// orderOf reads an order about a role that is named, and about one of its servers if one says so.
func orderOf(w http.ResponseWriter, r *http.Request, one bool) (body orderBody, fine bool) {
	switch {
	case !readBody(w, r, &body):
	case body.Role == "":
		bad(w, "role: is missing")
	case one != (body.InstanceID != ""):
		// A server that is missing would make it an order about the whole role.
		bad(w, "instance_id: is missing, or given for an order about a whole role")
	default:
		return body, true
	}
	return body, false
}

// rotate rotates one server of a role.
func (c *Console) rotate(w http.ResponseWriter, r *http.Request, _ *session) {
	if body, fine := orderOf(w, r, true); fine {
		done, err := c.vault.Rotate(r.Context(), engine.RotateOrder{Role: body.Role, InstanceID: body.InstanceID})
		c.ordered(w, done, err, "rotate-role/"+body.Role+"/*")
	}
}

// rotateRole rotates all servers of a role.
func (c *Console) rotateRole(w http.ResponseWriter, r *http.Request, _ *session) {
	if body, fine := orderOf(w, r, false); fine {
		done, err := c.vault.Rotate(r.Context(), engine.RotateOrder{Role: body.Role})
		c.ordered(w, done, err, "rotate-role/"+body.Role)
	}
}

// verify checks one server of a role.
func (c *Console) verify(w http.ResponseWriter, r *http.Request, _ *session) {
	if body, fine := orderOf(w, r, true); fine {
		done, err := c.vault.Verify(r.Context(), engine.VerifyOrder{Role: body.Role, InstanceID: body.InstanceID})
		c.ordered(w, done, err, "verify/"+body.Role+"/*")
	}
}

// verifyRole checks all servers of a role.
func (c *Console) verifyRole(w http.ResponseWriter, r *http.Request, _ *session) {
	if body, fine := orderOf(w, r, false); fine {
		done, err := c.vault.Verify(r.Context(), engine.VerifyOrder{Role: body.Role})
		c.ordered(w, done, err, "verify/"+body.Role)
	}
}

// ordered answers to an order with its campaign.
func (c *Console) ordered(w http.ResponseWriter, done engine.Ordered, err error, path string) {
	if err != nil {
		c.explain(w, err, needs(path, "update"))
		return
	}
	c.fleet.again()
	answer(w, struct {
		Campaign string   `json:"campaign"`
		Accounts int      `json:"accounts"`
		Warnings []string `json:"warnings,omitempty"`
	}{done.Campaign, done.Accounts, done.Warnings})
}
