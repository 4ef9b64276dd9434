package coc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// A script's name has its purpose and the beginning of the digest of its text: names are unique in a tenant, and another version of
// cloudpw may have another text.
const (
	setPrefix  = "cloudpw_set_sh_"
	lookPrefix = "cloudpw_look_sh_"
	digestSize = 4 // bytes
)

// nameOf is the name of a script.
func nameOf(purpose guest.Purpose, stored *guest.Stored) string {
	prefix := lookPrefix
	if purpose == guest.SetPassword {
		prefix = setPrefix
	}
	sum := sha256.Sum256([]byte(stored.Text))
	return prefix + hex.EncodeToString(sum[:digestSize])
}

// scripts remembers the ids of scripts that were found to be ours and approved, by name. The zero value is empty.
type scripts struct {
	mu  sync.Mutex
	ids map[string]known
}

type known struct {
	id    string
	until time.Time
}

// remembered is how long a script is not looked at again. Whoever may change one is root on the servers anyway, by running it.
const remembered = 10 * time.Minute

func (s *scripts) get(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.ids[name]
	if !time.Now().Before(k.until) {
		return ""
	}
	return k.id
}

func (s *scripts) put(name, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[string]known{}
	}
	s.ids[name] = known{id, time.Now().Add(remembered)}
}

// drop forgets a script by its id.
func (s *scripts) drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, k := range s.ids {
		if k.id == id {
			delete(s.ids, name)
		}
	}
}

// script returns the id of COC's copy of a script, which it makes unless it is there. A copy that is not approved, or not ours by
// its content, is refused.
func (c *Center) script(ctx context.Context, purpose guest.Purpose, stored *guest.Stored) (string, error) {
	name := nameOf(purpose, stored)
	if id := c.scripts.get(name); id != "" {
		return id, nil
	}
	id, err := c.find(ctx, name)
	if err == nil && id == "" {
		id, err = c.create(ctx, name, purpose, stored)
	}
	if err != nil {
		return "", err
	}
	if err := c.inspect(ctx, name, id, stored); err != nil {
		return "", err
	}
	c.scripts.put(name, id)
	return id, nil
}

const (
	// listPage is how many scripts one page has, and maxListPages bounds a search: a name like ours is seldom part of another's.
	listPage     = 100
	maxListPages = 10
)

// find looks a script up by its name; "" where COC has none.
func (c *Center) find(ctx context.Context, name string) (string, error) {
	query := url.Values{"name_like": {name}, "limit": {strconv.Itoa(listPage)}}
	for range maxListPages {
		var page struct {
			Data []struct {
				ID   int64  `json:"id"`
				UUID string `json:"script_uuid"`
				Name string `json:"name"`
			} `json:"data"`
		}
		_, err := c.API.Send(ctx, Request{
			Action: ActionList, Permission: permissionList, Method: http.MethodGet, Path: "scripts?" + query.Encode(), Data: &page,
		})
		if err != nil {
			return "", err
		}
		for _, s := range page.Data {
			if s.Name == name && idForm.MatchString(s.UUID) {
				return s.UUID, nil
			}
		}
		if len(page.Data) < listPage {
			return "", nil
		}
		query.Set("marker", strconv.FormatInt(page.Data[len(page.Data)-1].ID, 10))
	}
	return "", cloud.Errorf(cloud.Refused, "%s: COC has too many scripts with names like %s to find the one of that name; delete some",
		ActionList,
		name)
}

type (
	newScript struct {
		Name        string            `json:"name"`
		Description string            `json:"description"`
		Type        string            `json:"type"`
		Content     string            `json:"content"`
		Properties  properties        `json:"properties"`
		Params      []scriptParameter `json:"script_params"`
	}
	properties struct {
		RiskLevel string `json:"risk_level"`
		Version   string `json:"version"`
	}
	scriptParameter struct {
		Name        string `json:"param_name"`
		Value       string `json:"param_value"`
		Description string `json:"param_description"`
		Order       int    `json:"param_order"`
		Sensitive   bool   `json:"sensitive"`
	}
)

// typeShell is COC's word for a script of a shell.
const typeShell = "SHELL"

// create makes a script. Where another Vault was faster the name is taken, and the script is that one's.
func (c *Center) create(ctx context.Context, name string, purpose guest.Purpose, stored *guest.Stored) (string, error) {
	script := newScript{
		Name: name, Description: "cloudpw: " + string(purpose), Type: typeShell, Content: stored.Text,
		Properties: properties{RiskLevel: "LOW", Version: "1.0.0"},
	}
	if purpose == guest.SetPassword {
		script.Properties.RiskLevel = "HIGH"
	}
	for n, p := range stored.Parameters {
		// A script needs a value for each, which every execution replaces. This one the script refuses.
		script.Params = append(script.Params, scriptParameter{p.Name, "x", "given by cloudpw with each execution", n + 1, p.Secret})
	}
	var id string
	_, refused := c.API.Send(ctx, Request{
		Action: ActionCreate, Permission: permissionCreate, Method: http.MethodPost, Path: "scripts", Body: script, Data: &id,
	})
	if cloud.KindOf(refused) == cloud.Refused {
		found, err := c.find(ctx, name)
		if err != nil || found != "" {
			return found, err
		}
	}
	switch {
	case refused != nil:
		return "", refused
	case !idForm.MatchString(id):
		return "", cloud.Errorf(cloud.Unknown, "%s: the answer names no script", ActionCreate)
	}
	return id, nil
}

// shown is what COC shows of a script.
type shown struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Status     string `json:"status"`
	Content    string `json:"content"`
	Properties struct {
		Reviewers []struct {
			Name string `json:"reviewer_name"`
		} `json:"reviewers"`
	} `json:"properties"`
	Params []scriptParameter `json:"script_params"`
}

// inspect refuses a script that is another than ours, or that COC does not run (yet).
func (c *Center) inspect(ctx context.Context, name, id string, stored *guest.Stored) error {
	var s shown
	_, err := c.API.Send(ctx, Request{
		Action: ActionGet, Permission: permissionGet, Method: http.MethodGet, Path: "scripts/" + id, Data: &s,
	})
	if err != nil {
		return err
	}
	if !s.is(name, stored) {
		return cloud.Errorf(cloud.Refused, "%s: COC's script %s is not as cloudpw made it, so it is not run; find out who changed it, then "+
			"delete it, and cloudpw makes it again", ActionGet, name)
	}
	switch s.Status {
	case "APPROVED":
		return nil
	case "PENDING_APPROVE":
		return cloud.Errorf(cloud.Refused, "%s: COC's script %s is not approved yet%s; approve it in COC's console (scripts)", ActionGet, name,
			s.reviewers())
	case "REJECTED":
		return cloud.Errorf(cloud.Refused, "%s: COC's script %s was rejected%s; to have it reviewed again, delete it in COC's console (scripts)",
			ActionGet, name, s.reviewers())
	}
	return cloud.Errorf(cloud.Refused, "%s: COC's script %s has the status %s, and only approved ones are run", ActionGet, name,
		text.Name(s.Status, cloud.MaxCode))
}

// is reports whether a script is ours. That its text ends in a line's end makes no difference to a shell.
func (s *shown) is(name string, stored *guest.Stored) bool {
	return s.Name == name && s.Type == typeShell && strings.TrimRight(s.Content, "\n") == strings.TrimRight(stored.Text, "\n") &&
		slices.EqualFunc(s.sorted(), stored.Parameters, func(have scriptParameter, want guest.Parameter) bool { return have.Name == want.Name })
}

// sorted are the parameters in their order.
func (s *shown) sorted() []scriptParameter {
	out := slices.Clone(s.Params)
	slices.SortStableFunc(out, func(a, b scriptParameter) int { return a.Order - b.Order })
	return out
}

// reviewers are who may approve a script, as a part of a sentence.
func (s *shown) reviewers() string {
	var names []string
	for _, r := range s.Properties.Reviewers {
		names = append(names, text.Name(r.Name, cloud.MaxCode))
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(" (its reviewers: %s)", strings.Join(names, ", "))
}
