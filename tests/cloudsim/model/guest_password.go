package model

import (
	"errors"
	"maps"
)

// Image properties that decide about passwords set through a hypervisor.
const (
	// ImageGuestAgent is "yes" where the image's servers have an agent that the hypervisor talks to.
	ImageGuestAgent = "hw_qemu_guest_agent"
	ImageOSType     = "os_type"       // linux or windows; images often lack it
	ImageAdminUser  = "os_admin_user" // whose password is set
)

// Refusals of SetPassword besides ErrNoServer, ErrBusy and ErrState.
var (
	// ErrAgentOff: the image does not say that there is an agent.
	ErrAgentOff = errors.New("the guest agent is not enabled")
	// ErrAgentSilent: the agent does not answer.
	ErrAgentSilent = errors.New("the guest agent does not answer")
	// ErrSetFailed: the hypervisor reports an error; whether the password was set is another matter.
	ErrSetFailed = errors.New("setting the password failed")
	// ErrNoAnswer: it takes longer than whoever asked waits.
	ErrNoAnswer = errors.New("no answer in time")
)

// AdminUser is the user whose password a hypervisor sets.
func (s Server) AdminUser() string {
	switch {
	case s.ImageProperties[ImageAdminUser] != "":
		return s.ImageProperties[ImageAdminUser]
	case s.ImageProperties[ImageOSType] == Windows:
		return "Administrator"
	}
	return "root"
}

// imageProperties are those of a server whose image was made with care.
func imageProperties(s *Server) map[string]string {
	if s.ImageProperties != nil {
		return maps.Clone(s.ImageProperties)
	}
	return map[string]string{ImageGuestAgent: "yes", ImageOSType: s.Platform}
}

// SetPassword sets the password of a running server's AdminUser through its guest agent, at once, and
// keeps it as the initial one where the launch key pair can encrypt it. Of the request's faults,
// late_apply and stuck let it take longer than its caller waits; failed_* are ErrSetFailed.
func (w *World) SetPassword(x *Exchange, r Reset) error {
	defer w.enter()()
	id := r.ServerIDs[0]
	s := w.servers[id]
	refused := func(err error) error {
		state := State("")
		if s != nil {
			state = s.State
		}
		return &RefusedError{ServerID: id, State: state, Err: err}
	}
	switch {
	case s == nil:
		return refused(ErrNoServer)
	case s.op != nil:
		return refused(ErrBusy)
	case s.State != StateRunning:
		return refused(ErrState)
	case s.ImageProperties[ImageGuestAgent] != "yes":
		return refused(ErrAgentOff)
	case s.AgentState() != AgentOnline:
		return refused(ErrAgentSilent)
	}
	user := s.AdminUser()
	bend := x.operationFaults(id)
	attempt := w.accept(x, id, user, r)
	run := w.begin(s, r.Action, r.RequestID, 0)
	apply := func() error {
		name, _, known := s.Login(user)
		state, message := Succeeded, ""
		if !known {
			bend.fail, bend.message = true, "no such user"
		}
		if known && (!bend.fail || bend.failApplied) {
			s.setLogin(name, r.Password, "")
			attempt.Applied = w.now()
			if p := w.keyPair(s.Cloud, s.AccountID, s.Region, s.KeyName); p != nil && p.PublicKey != nil {
				if sealed, err := p.seal(r.Password); err == nil {
					s.Ciphertext, s.Cleared, s.ReadyAfter = sealed, false, 0
				}
			}
		}
		if bend.fail {
			state, message = Failed, bend.message
		}
		attempt.State = state
		w.end(s, run, state, message)
		if bend.fail {
			return refused(ErrSetFailed)
		}
		return nil
	}
	later := func() { w.step(run, bend.late, func() { _ = apply() }) }
	switch {
	case bend.stuck:
		run.stuck, run.resume = true, later
		return refused(ErrNoAnswer)
	case bend.late > 0:
		later()
		return refused(ErrNoAnswer)
	}
	return apply()
}
