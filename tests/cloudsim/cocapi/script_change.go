package cocapi

import "slices"

// deleteScript forgets a script. Orders of it go on.
func deleteScript(r *request) (any, *failure) {
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	s, f := r.ownScript(r.vars[0])
	if f != nil {
		return nil, f
	}
	r.api.scripts = slices.DeleteFunc(r.api.scripts, func(other *script) bool { return other == s })
	return s.uuid, nil
}

// acceptScript is a reviewer's decision. Only one of the script's reviewers may decide; that others are refused with 403 is
// [unconfirmed].
func acceptScript(r *request) (any, *failure) {
	var in struct {
		Status   string  `json:"status"`
		Comments *string `json:"comments"`
	}
	if f := r.read(&in); f != nil {
		return nil, f
	}
	if in.Status != approved && in.Status != rejected {
		return nil, invalid("status must be APPROVED or REJECTED")
	}
	r.api.mu.Lock()
	defer r.api.mu.Unlock()
	s, f := r.ownScript(r.vars[0])
	switch {
	case f != nil:
		return nil, f
	case s.status != pendingApprove:
		return nil, invalid("The script is not pending approval.")
	case len(s.in.Properties.Reviewers) > 0 &&
		!slices.ContainsFunc(s.in.Properties.Reviewers, func(v reviewer) bool { return v.ID == r.caller.User.ID }):
		return nil, denied("coc:document:approve")
	}
	s.status = in.Status
	return true, nil
}

// SetNewScripts changes the status of scripts that are made from now on without a reviewer.
func (a *API) SetNewScripts(status string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.newScripts = status
}

// SetScript changes status and content of all scripts of a name, as somebody at the console would; "" leaves either as it is. It
// says how many there were.
func (a *API) SetScript(name, status, content string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, s := range a.scripts {
		if s.in.Name != name {
			continue
		}
		n++
		if status != "" {
			s.status = status
		}
		if content != "" {
			s.in.Content, s.modified = content, a.world.Now()
		}
	}
	return n
}
