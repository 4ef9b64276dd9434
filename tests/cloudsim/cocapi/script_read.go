package cocapi

import (
	"cmp"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// milliseconds is how COC writes times; null for none.
func milliseconds(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// view is what a list shows of a script.
func (s *script) view() map[string]any {
	p := s.in.Properties
	reviewers := p.Reviewers
	if reviewers == nil {
		reviewers = []reviewer{}
	}
	project := "0"
	if s.in.EnterpriseProjectID != nil {
		project = *s.in.EnterpriseProjectID
	}
	return map[string]any{
		"id": s.id, "script_uuid": s.uuid, "name": s.in.Name, "type": s.in.Type, "status": s.status, "creator": s.creator,
		"creator_id": s.ownerID, "operator": nil, "gmt_created": milliseconds(s.created), "gmt_modified": milliseconds(s.modified),
		"enterprise_project_id": project,
		"properties":            map[string]any{"risk_level": p.RiskLevel, "version": p.Version, "reviewers": reviewers, "protocol": p.Protocol},
	}
}

// getScript shows a script with its content. Values of sensitive parameters are shown, which is [unconfirmed].
func getScript(r *request) (any, *failure) {
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	s, f := r.ownScript(r.vars[0])
	if f != nil {
		return nil, f
	}
	out := s.view()
	delete(out, "id")
	params := s.in.Params
	if params == nil {
		params = []define{}
	}
	out["description"], out["content"], out["script_params"], out["version"] = s.in.Description, s.in.Content, params, s.in.Properties.Version
	return out, nil
}

// listScripts shows a page of the tenant's scripts, newest first.
func listScripts(r *request) (any, *failure) {
	q := r.URL.Query()
	p, f := readPage(q, true)
	if f != nil {
		return nil, f
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	list, total := []map[string]any{}, 0
	for i := len(r.api.scripts) - 1; i >= 0; i-- {
		s := r.api.scripts[i]
		if !r.sees(s) || !s.matches(q) {
			continue
		}
		total++
		if p.takes(s.id, len(list)) {
			list = append(list, s.view())
		}
	}
	return map[string]any{"total": total, "data": list}, nil
}

func (s *script) matches(q url.Values) bool {
	is := func(name, value string) bool { given := q.Get(name); return given == "" || given == value }
	project := "0"
	if s.in.EnterpriseProjectID != nil {
		project = *s.in.EnterpriseProjectID
	}
	return like(s.in.Name, q.Get("name_like")) && is("creator", s.creator) && is("type", s.in.Type) &&
		is("risk_level", s.in.Properties.RiskLevel) && is("enterprise_project_id", project)
}

// like compares as SQL's LIKE does, on both sides open: that "fuzzy", as the pages have it, means this is [unconfirmed], and clients
// must not rely on more.
func like(name, pattern string) bool {
	text := strings.NewReplacer("_", ".", "%", ".*").Replace(regexp.QuoteMeta(pattern))
	found, err := regexp.MatchString("(?i)"+text, name)
	return err == nil && found
}

// maxPage is the most that a page may have. The pages of the reference have differing limits; 100 is the least.
const maxPage = 100

// page is the part of a list that is asked for: after the element with the id marker.
type page struct {
	limit  int
	marker int64
}

// readPage reads limit, which some calls need, and marker.
func readPage(q url.Values, needed bool) (page, *failure) {
	limit, err := strconv.Atoi(cmp.Or(q.Get("limit"), "10"))
	if err != nil || limit < 1 || limit > maxPage || needed && q.Get("limit") == "" {
		return page{}, invalid("limit must be 1 to " + strconv.Itoa(maxPage))
	}
	marker, err := strconv.ParseInt(cmp.Or(q.Get("marker"), "0"), 10, 64)
	if err != nil || marker < 0 {
		return page{}, invalid("marker must be the id of the last element of the page before")
	}
	return page{limit, marker}, nil
}

// takes says whether an element of a list that shows the newest first belongs to the page, which has some already.
func (p page) takes(id int64, have int) bool {
	return have < p.limit && (p.marker == 0 || id < p.marker)
}
