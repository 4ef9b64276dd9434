package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/tencentcloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// directProvider logs in to the simulator's servers, of which another provider tells it.
type directProvider struct {
	cloud.Provider
	service *directService
}

// Resetter implements cloud.PasswordResetters.
func (p directProvider) Resetter(method string) cloud.PasswordResetter {
	if method != cloud.MethodCommand {
		return nil
	}
	return directMethod{guest.Resetter{Service: p.service, Keys: p.service.keys}}
}

// Checker implements cloud.PasswordCheckers.
func (p directProvider) Checker(method string) cloud.PasswordChecker {
	if method != cloud.CheckCommand {
		return nil
	}
	return guest.Checker{Service: p.service, Hashing: p.service.hashing, Keys: p.service.keys}
}

// directMethod is done when it is answered, but where there is a record.
type directMethod struct{ guest.Resetter }

// StartReset implements cloud.PasswordResetter.
func (m directMethod) StartReset(ctx context.Context, reset cloud.Reset) (cloud.ResetStarted, error) {
	started, err := m.Resetter.StartReset(ctx, reset)
	if err != nil {
		return cloud.ResetStarted{}, err
	}
	found, err := m.Service.Look(ctx, []cloud.ResetRef{{RequestID: started.RequestID}})
	started.Done = len(found) == 0
	return started, err
}

// directService runs scripts in sessions. It remembers what only a record can tell.
type directService struct {
	cloud.Provider
	world   *model.World
	cfg     cloud.Config
	keys    *guest.Keys
	hashing *guest.Hashing

	mu   sync.Mutex
	runs map[string]guest.Run
}

// Limits implements guest.Service.
func (*directService) Limits() guest.Limits {
	return guest.Limits{Call: "session", History: "no history", ResetTraits: cloud.ResetTraits{
		Action: "session", BatchSize: 1, SignatureLifetime: time.Minute, LongestOperation: cloud.ClockTolerance, PollInterval: time.Millisecond,
		KeepsOrder: true,
	}}
}

// Send implements guest.Service.
func (d *directService) Send(ctx context.Context, c guest.Command) (string, error) {
	if !c.AtOnce() {
		if err := d.cfg.Limiter.Wait(ctx, "session"); err != nil {
			return "", err
		}
	}
	began := time.Now()
	run, asked, err := d.session(ctx, c)
	recorded := err == nil && (!c.AtOnce() || run.TooOld() || run.Outcome() != nil && guest.NeedsKey(run.Outcome()))
	if failed := run.Outcome(); err == nil && !recorded && failed != nil {
		of := *cloud.AsError(failed)
		of.Err = errors.Join(cloud.ErrOneServer, of.Err)
		err = &of
	}
	if asked {
		cloud.Measured(d.cfg.Limiter, "session", began, err)
	}
	if err != nil {
		if c.Purpose != guest.SetPassword && cloud.KindOf(err) == cloud.Unknown {
			return "", cloud.Errorf(cloud.Refused, "%v", err)
		}
		return "", err
	}
	id := d.world.NewUUID()
	if recorded {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.runs[id] = run
	}
	return id, nil
}

// session runs a command to its end. asked says that its server was logged in to.
func (d *directService) session(ctx context.Context, c guest.Command) (run guest.Run, asked bool, err error) {
	name := c.InstanceIDs[0]
	key, _ := d.world.AccessKey(model.TencentCloud, d.cfg.Text(cloud.AccessKey))
	server, ok := d.world.Server(name)
	switch {
	case ctx.Err() != nil || cloud.SendDeadlinePassed(ctx):
		return run, false, &cloud.Error{Kind: cloud.Unavailable, Message: "nothing was sent in time", Err: ctx.Err()}
	case !ok || server.State == model.StateTerminated:
		return run, false, cloud.Errorf(cloud.NotFound, "there is no server %s", name)
	case server.AgentState() != model.AgentOnline:
		return run, false, cloud.Errorf(cloud.Refused, "the server is away")
	case key.Secret != d.cfg.Text(cloud.SecretKey):
		return run, false, cloud.Errorf(cloud.Refused, "the server does not take the key")
	}
	type answer struct {
		run guest.Run
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		s := Begin(d.world, key, model.Call{Cloud: model.TencentCloud, Service: "direct", Action: "session", Account: key.AccountID,
			AccessKey: key.ID, Instances: c.InstanceIDs})
		if why := s.Refused(); s.Throttled() || why != "" {
			answers <- answer{err: cloud.Errorf(cloud.Refused, "the server refuses: %s", why)}
			return
		}
		code, output, answered := s.Run(string(c.Script.Interpreter), c.Script.Text)
		if said, ok := guest.ExitCode(output); !answered || !ok || said != code {
			answers <- answer{err: &cloud.Error{Kind: cloud.Unknown, Message: "the session was lost", Err: cloud.ErrOneServer}}
			return
		}
		answers <- answer{run: guest.Run{State: guest.Exited, Interpreter: c.Script.Interpreter, ExitCode: code, Output: output}}
	}()
	select {
	case a := <-answers:
		return a.run, true, a.err
	case <-ctx.Done():
		return guest.Run{}, true, &cloud.Error{Kind: cloud.Unknown, Message: "the session was given up",
			Err: errors.Join(cloud.ErrOneServer, ctx.Err())}
	}
}

// Look implements guest.Service.
func (d *directService) Look(_ context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]guest.Run, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := map[cloud.ResetRef]guest.Run{}
	for _, ref := range refs {
		if run, ok := d.runs[ref.RequestID]; ok {
			found[ref] = run
		}
	}
	return found, nil
}

// Ready implements guest.Service.
func (d *directService) Ready(_ context.Context, ids []string) (map[string]cloud.ResetRecord, error) {
	records := map[string]cloud.ResetRecord{}
	for _, id := range ids {
		if server, ok := d.world.Server(id); ok && server.State != model.StateTerminated {
			records[id] = cloud.ResetRecord{}
		}
	}
	return records, nil
}

// directSubject is a method that is Direct, with a mistake unless b has none.
func (b breakage) directSubject() Subject {
	d := tencentcloud.Descriptor()
	d.ResetMethods, d.CheckMethods = []cloud.ResetMethod{{Name: cloud.MethodCommand}}, []string{cloud.CheckCommand}
	return Subject{
		Descriptor: d, Method: cloud.MethodCommand, Synchronous: true, Direct: true, Refusal: model.Fault{Code: "no"}, Plays: model.TencentCloud,
		InProcess: func(cfg cloud.Config, world *model.World) (cloud.Provider, error) {
			p, err := d.New(cfg)
			if err != nil {
				return nil, err
			}
			if b.unheard {
				cfg.Limiter = struct{ cloud.Limiter }{cfg.Limiter}
			}
			service := &directService{Provider: p, world: world, cfg: cfg, keys: &guest.Keys{}, hashing: guest.NewHashing(),
				runs: map[string]guest.Run{}}
			if b.name == "" {
				return directProvider{p, service}, nil
			}
			return &brokenProvider{Provider: directProvider{p, service}, breakage: b, methods: map[string]cloud.PasswordResetter{}}, nil
		},
	}
}

// TestDirectMethodKeepsTheContract: what the checks say of a method that is Direct is no mistake of theirs.
func TestDirectMethodKeepsTheContract(t *testing.T) { Resets(t, breakage{}.directSubject()) }

type startFunc = func(context.Context, cloud.PasswordResetter, cloud.Reset) (cloud.ResetStarted, error)

// ofRefused and ofUnknown have errors of one kind be of another.
func ofRefused(kind cloud.Kind) startFunc { return ofOther(cloud.Refused, kind) }
func ofUnknown(kind cloud.Kind) startFunc { return ofOther(cloud.Unknown, kind) }

func ofOther(from, to cloud.Kind) startFunc {
	return onError(func(e *cloud.Error, _ cloud.Reset) error {
		if e.Kind == from {
			e.Kind = to
		}
		return e
	})
}

// alwaysDone takes the end of a session for a success.
func alwaysDone(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
	started, err := r.StartReset(ctx, reset)
	if kind := cloud.KindOf(err); err == nil || kind == cloud.Unknown {
		return cloud.ResetStarted{RequestID: fmt.Sprint("x", started.RequestID), Done: true}, nil
	}
	return started, err
}

// oneAtATime refuses a reset while another one goes on.
func oneAtATime() startFunc {
	var busy sync.Mutex
	return func(ctx context.Context, r cloud.PasswordResetter, reset cloud.Reset) (cloud.ResetStarted, error) {
		if !busy.TryLock() {
			return cloud.ResetStarted{}, cloud.Errorf(cloud.Refused, "busy")
		}
		defer busy.Unlock()
		return r.StartReset(ctx, reset)
	}
}

// lookAtServers has each look ask its servers.
func lookAtServers(ctx context.Context, r cloud.PasswordResetter, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	direct, _ := r.(directMethod)
	service, _ := direct.Service.(*directService)
	for _, ref := range slices.Clone(refs) {
		if err := service.cfg.Limiter.Wait(ctx, "session"); err != nil {
			return nil, err
		}
		found, err := service.DescribeInstances(ctx, []string{ref.InstanceID})
		if err != nil || len(found) == 0 {
			return nil, err
		}
	}
	return r.ResetRecords(ctx, refs)
}
