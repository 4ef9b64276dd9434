package cocapi

import (
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Statuses of a script.
const (
	pendingApprove = "PENDING_APPROVE"
	approved       = "APPROVED"
	rejected       = "REJECTED"
)

// script is one that is kept.
type script struct {
	id                int64
	uuid              string
	account           string // the tenant
	in                createBody
	status            string
	creator, ownerID  string
	created, modified time.Time
	// hidden is until when neither lists nor reads show it, though its name is in use (the fault lag_record).
	hidden time.Time
}

type createBody struct {
	Name                string      `json:"name"`
	Description         string      `json:"description"`
	Type                string      `json:"type"`
	Content             string      `json:"content"`
	Properties          *properties `json:"properties"`
	EnterpriseProjectID *string     `json:"enterprise_project_id"`
	Params              []define    `json:"script_params"`
}

type properties struct {
	RiskLevel string     `json:"risk_level"`
	Version   string     `json:"version"`
	Reviewers []reviewer `json:"reviewers"`
	Protocol  *string    `json:"protocol"`
}

type reviewer struct {
	Name string `json:"reviewer_name"`
	ID   string `json:"reviewer_id"`
}

// Limits of a script.
const (
	maxDescription = 256
	maxVersion     = 10
	maxReviewers   = 5
)

var (
	scriptName    = regexp.MustCompile(`^[\p{Han}A-Za-z0-9_]{1,64}$`)
	scriptTypes   = []string{"SHELL", "PYTHON", "BAT"}
	riskLevels    = []string{"LOW", "MEDIUM", "HIGH"}
	notifications = []string{"DEFAULT", "SMS", "EMAIL", "DING_TALK", "WE_LINK", "WECHAT", "CALLNOTIFY", "NOT_TO_NOTIFY"}
)

// createScript keeps a new script.
func createScript(r *request) (any, *failure) {
	var in createBody
	if f := r.read(&in); f != nil {
		return nil, f
	}
	if f := in.check(r.api.opts.MaxScript); f != nil {
		return nil, f
	}
	a := r.api
	stamp, random := a.world.Now().UTC().Format("20060102150405"), a.world.NewHex(7)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.scripts {
		if s.account == r.caller.Account.ID && s.in.Name == in.Name {
			return nil, invalid("Exist script with same name: " + in.Name + ".")
		}
	}
	a.scriptSeq++
	s := &script{
		id: a.scriptSeq, uuid: "SC" + stamp + "01" + random, account: r.caller.Account.ID, in: in, status: a.newScripts,
		creator: r.caller.User.Name, ownerID: r.caller.User.ID, created: a.world.Now(),
	}
	if f, lags := r.exchange.Fault(model.FaultLagRecord); lags {
		s.hidden = a.world.OperationNow().Add(f.Delay)
	}
	if len(in.Properties.Reviewers) > 0 {
		s.status = pendingApprove
	}
	a.scripts = append(a.scripts, s)
	return s.uuid, nil
}

// check refuses what breaks the limits of the page.
func (in *createBody) check(most int) *failure {
	long := func(text string, most int) bool { n := utf8.RuneCountInString(text); return n < 1 || n > most }
	switch {
	case !scriptName.MatchString(in.Name):
		return invalid("name must be 1 to 64 Chinese characters, letters, digits and underscores")
	case long(in.Description, maxDescription):
		return invalid(fmt.Sprintf("description must have 1 to %d characters", maxDescription))
	case !oneOf(in.Type, scriptTypes):
		return invalid("type must be SHELL, PYTHON or BAT")
	case long(in.Content, most):
		return invalid(fmt.Sprintf("content must have 1 to %d characters", most))
	case in.Properties == nil:
		return invalid("properties must not be null")
	case !oneOf(in.Properties.RiskLevel, riskLevels):
		return invalid("risk_level must be LOW, MEDIUM or HIGH")
	case long(in.Properties.Version, maxVersion):
		return invalid(fmt.Sprintf("version must have 1 to %d characters", maxVersion))
	case len(in.Properties.Reviewers) > maxReviewers:
		return invalid(fmt.Sprintf("there can be at most %d reviewers", maxReviewers))
	case in.Properties.Protocol != nil && !oneOf(*in.Properties.Protocol, notifications):
		return invalid("protocol is not valid")
	}
	return checkDefines(in.Params)
}

func oneOf(word string, words []string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

// sees says whether the caller is shown a script.
func (r *request) sees(s *script) bool {
	return s.account == r.caller.Account.ID && !r.api.world.OperationNow().Before(s.hidden)
}

// ownScript finds a script of the caller's tenant. The caller holds the lock.
func (r *request) ownScript(uuid string) (*script, *failure) {
	for _, s := range r.api.scripts {
		if s.uuid == uuid && r.sees(s) {
			return s, nil
		}
	}
	return nil, notFound("The script " + uuid)
}
