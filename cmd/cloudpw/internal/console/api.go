package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// routes are all paths of the console.
func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", page)
	mux.HandleFunc("GET /assets/{file...}", asset)
	mux.HandleFunc("POST /open", c.gate.open)
	mux.HandleFunc("GET "+sessionRoot+"{session}/{$}", page)
	for path, handle := range map[string]func(http.ResponseWriter, *http.Request, *session){
		"GET session":      c.getSession,
		"POST theme":       setTheme,
		"GET fleet":        c.getFleet,
		"GET choices":      c.getChoices,
		"GET figures":      c.getFigures,
		"POST refresh":     c.refresh,
		"GET account":      c.getAccount,
		"GET campaigns":    c.getCampaigns,
		"GET campaign":     c.getCampaign,
		"GET status":       c.getStatus,
		"GET held":         c.getHeld,
		"POST take":        c.take,
		"POST held/show":   c.showHeld,
		"POST held/renew":  c.renewHeld,
		"POST held/give":   c.giveHeld,
		"POST rotate":      c.rotate,
		"POST verify":      c.verify,
		"POST rotate-role": c.rotateRole,
		"POST verify-role": c.verifyRole,
	} {
		method, rest, _ := strings.Cut(path, " ")
		mux.HandleFunc(method+" "+sessionRoot+"{session}/api/"+rest, c.gate.inSession(handle))
	}
	return c.gate.guard(mux)
}

// getSession tells the page who it is, and gives it the key for its orders.
func (c *Console) getSession(w http.ResponseWriter, r *http.Request, s *session) {
	out := struct {
		Order        string   `json:"order"`
		Theme        string   `json:"theme"`
		Address      string   `json:"address"`
		Namespace    string   `json:"namespace"`
		Mount        string   `json:"mount"`
		Who          string   `json:"who"`
		TokenSeconds int64    `json:"token_seconds"`
		LeaseSeconds int64    `json:"lease_seconds"`
		Problem      *problem `json:"problem,omitempty"`
	}{Order: s.order, Theme: s.getTheme(), Address: c.address, Namespace: c.namespace, Mount: c.vault.Mount(),
		LeaseSeconds: int64(c.held.ttl / time.Second)}
	// Nothing but the header misses what a policy without lookup-self does not tell, or a Vault that does not answer.
	if token, err := c.vault.Token(r.Context()); err == nil {
		out.Who, out.TokenSeconds = token.who, int64(token.ttl/time.Second)
	}
	answer(w, out)
}

func setTheme(w http.ResponseWriter, r *http.Request, s *session) {
	var body struct {
		Theme string `json:"theme"`
	}
	if !readBody(w, r, &body) {
		return
	}
	switch body.Theme {
	case "", "light", "dark":
		s.setTheme(body.Theme)
		answer(w, struct{}{})
	default:
		bad(w, `theme: must be "light", "dark" or empty`)
	}
}

// longestError is how much of an account's error a row of the table has, in bytes; the account's page has all of it.
const longestError = 300

// mostRows is how many rows a window can have.
const mostRows = 500

func (c *Console) getFleet(w http.ResponseWriter, r *http.Request, _ *session) {
	q, from, size, err := windowOf(r.URL.Query())
	if err != nil {
		bad(w, err.Error())
		return
	}
	s, failure, since := c.fleet.look()
	view := s.view(q)
	window := view[min(from, len(view)):min(from+size, len(view))]
	rows := make([]engine.Account, len(window))
	for i, at := range window {
		rows[i] = s.rows[at].Account
		rows[i].LastError = cut(rows[i].LastError, longestError)
	}
	answer(w, struct {
		Generation int64            `json:"generation"`
		Matched    int              `json:"matched"`
		RowsRead   int              `json:"rows_read"`
		Total      int              `json:"total"`
		Whole      bool             `json:"whole"`
		Loading    bool             `json:"loading"`
		ReadAt     time.Time        `json:"read_at,omitzero"`
		Problem    *problem         `json:"problem,omitempty"`
		Since      time.Time        `json:"problem_since,omitzero"`
		Rows       []engine.Account `json:"rows"`
	}{s.generation, len(view), len(s.rows), s.total, s.whole, s.loading, s.readAt, failure, since, rows})
}

// windowOf reads what the table asks for.
func windowOf(v url.Values) (q query, from, size int, err error) {
	q = query{Role: v.Get("role"), Connection: v.Get("connection"), State: v.Get("state"), Holder: v.Get("holder"),
		Text: strings.ToLower(strings.TrimSpace(v.Get("text"))), Drifted: v.Get("drifted") == "true", Failing: v.Get("failing") == "true",
		Rebuilt: v.Get("rebuilt") == "true", Sort: v.Get("sort"), Down: v.Get("down") == "true"}
	days, err := number(v, "older", 0, 100_000)
	if err != nil {
		return q, 0, 0, err
	}
	q.OlderThan = time.Duration(days) * day
	if from, err = number(v, "from", 0, 100_000_000); err != nil {
		return q, 0, 0, err
	}
	if size, err = number(v, "count", 100, mostRows); err != nil {
		return q, 0, 0, err
	}
	return q, from, size, q.check()
}

// number reads a whole number from 0 to most. One that is missing is otherwise.
func number(v url.Values, name string, otherwise, most int) (int, error) {
	text := v.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, &fieldError{name, most}
	}
	return n, nil
}

type fieldError struct {
	name string
	most int
}

func (e *fieldError) Error() string {
	return e.name + ": must be a whole number from 0 to " + strconv.Itoa(e.most)
}

// cut shortens a text to at most n bytes without cutting a character in two.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

func (c *Console) getChoices(w http.ResponseWriter, _ *http.Request, _ *session) {
	s, _, _ := c.fleet.look()
	answer(w, s.choices())
}

func (c *Console) getFigures(w http.ResponseWriter, _ *http.Request, _ *session) {
	s, failure, _ := c.fleet.look()
	answer(w, struct {
		figures
		Whole   bool      `json:"whole"`
		ReadAt  time.Time `json:"read_at,omitzero"`
		Problem *problem  `json:"problem,omitempty"`
	}{s.figures(c.now()), s.whole, s.readAt, failure})
}

func (c *Console) refresh(w http.ResponseWriter, _ *http.Request, _ *session) {
	c.fleet.again()
	answer(w, struct{}{})
}

func (c *Console) getAccount(w http.ResponseWriter, r *http.Request, _ *session) {
	v := r.URL.Query()
	connection, instance, user := v.Get("connection"), v.Get("instance_id"), v.Get("username")
	detail, err := c.vault.Account(r.Context(), connection, instance, user)
	if err != nil {
		c.explain(w, err, needs("accounts/*", "read"))
		return
	}
	s, _, _ := c.fleet.look()
	answer(w, struct {
		Account  engine.Detail    `json:"account"`
		Siblings []engine.Account `json:"siblings"`
	}{detail, s.siblings(connection, instance)})
}

func (c *Console) getCampaigns(w http.ResponseWriter, r *http.Request, _ *session) {
	campaigns, err := c.vault.Campaigns(r.Context())
	if err != nil {
		c.explain(w, err, needs("campaigns/*", "read", "list"))
		return
	}
	answer(w, map[string]any{"campaigns": campaigns})
}

// shownFailing is how many failing accounts a campaign's page names.
const shownFailing = 100

func (c *Console) getCampaign(w http.ResponseWriter, r *http.Request, _ *session) {
	campaign, err := c.vault.CampaignFailing(r.Context(), r.URL.Query().Get("id"), shownFailing)
	if err != nil {
		c.explain(w, err, needs("campaigns/*", "read", "list"))
		return
	}
	answer(w, campaign)
}

func (c *Console) getStatus(w http.ResponseWriter, r *http.Request, _ *session) {
	status, err := c.vault.Status(r.Context())
	if err != nil {
		c.explain(w, err, needs("status", "read"))
		return
	}
	answer(w, status)
}

// explain answers with what an error of the engine means.
func (c *Console) explain(w http.ResponseWriter, err error, needed ...need) {
	answerProblem(w, explain(c.vault.Mount(), err, needed...))
}
