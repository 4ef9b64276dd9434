package contract

import (
	"cmp"
	"sync"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Session is one login to a server of the simulated cloud, for subjects that are Direct. What is run in it has ended when it is
// answered. Faults meet it as they meet a request.
type Session struct {
	world   *model.World
	call    model.Call
	key     model.AccessKey
	x       *model.Exchange
	refusal *model.Refusal
	done    sync.Once
}

// Begin logs a session with one server by its call, and looks up its faults.
func Begin(world *model.World, key model.AccessKey, call model.Call) *Session {
	s := &Session{world: world, call: call, key: key, x: world.Begin(call)}
	s.refusal = s.x.Before()
	return s
}

// Throttled says that the server takes no more sessions now.
func (s *Session) Throttled() bool { return s.refusal != nil && s.refusal.Kind == model.Throttled }

// Refused is what the server says instead of running anything; "": it runs what it is given.
func (s *Session) Refused() string {
	switch {
	case s.refusal != nil && s.refusal.Kind == model.Coded:
		return cmp.Or(s.refusal.Message, s.refusal.Code)
	case !s.world.Allowed(s.key, s.call.Service, s.call.Action):
		return "a password is required"
	}
	return ""
}

// Run runs a script and waits for its end. answered is false where the connection is lost instead, or the script does not end.
func (s *Session) Run(interpreter, text string) (code int, output string, answered bool) {
	defer s.done.Do(func() { s.x.Done(0, "", "") })
	switch {
	case s.refusal == nil:
	case s.refusal.Kind == model.ServerError:
		return 1, "internal error\n", true
	case s.refusal.Kind == model.Late:
		s.world.Later(s.refusal.After, func() { _, _ = s.start(interpreter, text) }) // nobody hears of it
		return 0, "", false
	default:
		return 0, "", false
	}
	id, err := s.start(interpreter, text)
	if err != nil {
		return 0, "", false
	}
	s.world.Advance(operationTime)
	ran, _ := s.world.Invocation(id, s.call.Instances[0])
	ended := ran.State == model.CommandSucceeded || ran.State == model.CommandFailed
	if s.x.After() || !ended {
		return 0, "", false
	}
	return ran.ExitCode, ran.Output, true
}

func (s *Session) start(interpreter, text string) (id string, err error) {
	id = s.world.NewUUID()
	return id, s.world.StartCommand(s.x, model.Command{ID: id, ServerIDs: s.call.Instances, Interpreter: interpreter, Text: text})
}
