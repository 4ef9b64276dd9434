package example

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// Actions of the API: names for the limiter, for messages and for permissions.
const (
	listServers = "ListServers"
	setPassword = "SetPassword"
)

// API is what the provider asks of its cloud.
type API interface {
	// ListServers returns those of the servers that exist; no ids: all.
	ListServers(ctx context.Context, ids []string) ([]Server, error)
	// SetPassword starts an operation that stops the servers, sets the password of a user, and starts them again. It returns
	// the operation's id.
	SetPassword(ctx context.Context, ids []string, user, password string, mayStop bool) (operation string, err error)
}

// Server is a server as the cloud shows it.
type Server struct {
	ID, Name string
	Windows  bool
	State    string // "running", "stopped", "deleted", or another word while it changes
	Tags     map[string]string
	// Operation is the latest one; State is "" for none, "running", "done" or "failed".
	Operation struct{ ID, State, Message string }
}

// provider is one connection. It has no state of its own, so that it may be used by many goroutines at once.
type provider struct {
	api     API
	limiter cloud.Limiter
	secret  string // the connection's own, for keeping it out of messages
}

// The compiler checks what the descriptor promises. Optional interfaces of package cloud follow in the same way.
var (
	_ cloud.Provider          = (*provider)(nil)
	_ cloud.PasswordResetters = (*provider)(nil)
	_ cloud.PasswordResetter  = (*provider)(nil)
)

// list asks for servers, once the limiter lets it, and says how long that took.
func (p *provider) list(ctx context.Context, ids []string) ([]Server, error) {
	if err := p.limiter.Wait(ctx, listServers); err != nil {
		return nil, err
	}
	began := time.Now()
	found, err := p.api.ListServers(ctx, ids)
	err = translate(listServers, err, p.secret)
	cloud.Measured(p.limiter, listServers, began, err)
	return found, err
}

// DescribeInstances implements cloud.Provider. A real cloud takes so many ids in one request, and more are asked for in batches.
func (p *provider) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if err := p.checkIDs(listServers, ids, len(ids)); err != nil {
		return nil, err
	}
	servers, err := p.list(ctx, ids)
	var all []cloud.Instance
	for _, s := range servers {
		all = append(all, instance(s))
	}
	return all, err
}

// FindInstances implements cloud.Provider.
func (p *provider) FindInstances(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
	servers, err := p.list(ctx, nil)
	var all []cloud.Instance
	for _, s := range servers {
		if i := instance(s); i.State != cloud.StateGone && i.HasTags(tags) {
			all = append(all, i)
		}
	}
	return all, err
}

// Verify implements cloud.Provider by the cheapest call that needs the credentials.
func (p *provider) Verify(ctx context.Context) error {
	_, err := p.list(ctx, []string{"no-such-server"})
	return err
}

// states are the cloud's words for states; any other one means that the server changes.
var states = map[string]cloud.State{"running": cloud.StateRunning, "stopped": cloud.StateStopped, "deleted": cloud.StateGone}

// instance translates what the cloud shows. Text that people or servers have chosen is made printable.
func instance(s Server) cloud.Instance {
	i := cloud.Instance{
		ID: s.ID, Name: text.Line(s.Name, cloud.MaxText), Platform: cloud.Linux,
		State: cloud.StateChanging, CloudState: text.Line(s.State, cloud.MaxCode), Tags: s.Tags,
	}
	if s.Windows {
		i.Platform = cloud.Windows
	}
	if known, ok := states[s.State]; ok {
		i.State = known
	}
	return i
}

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// ValidateInstanceID implements cloud.Provider: whatever it lets pass may stand in a URL.
func (p *provider) ValidateInstanceID(id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("instance_id: %q is no id of this cloud; these have lower-case letters, digits and hyphens", text.Line(id, 64))
	}
	return nil
}

func (p *provider) checkIDs(what string, ids []string, most int) error {
	return cloud.CheckInstanceIDs(what, ids, most, p.ValidateInstanceID)
}

// DefaultUsername implements cloud.Provider.
func (p *provider) DefaultUsername(i cloud.Instance) string {
	if i.Platform == cloud.Windows {
		return "Administrator"
	}
	return "root"
}

// PasswordRules implements cloud.Provider.
func (p *provider) PasswordRules(cloud.Instance) password.Rules {
	return password.Rules{MinLength: 12, MaxLength: 30, MinClasses: 3, Special: "()~!@#$%^&*-+=_", ForbidUsername: true}
}
