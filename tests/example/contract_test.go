package example

import (
	"context"
	"errors"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/contract"
)

// TestResetsKeepTheContract: a provider's own test for its reset methods is this call. A cloud of the simulator needs no
// InProcess: its provider sends requests to the simulator as it would to the cloud.
func TestResetsKeepTheContract(t *testing.T) {
	contract.Resets(t, contract.Subject{
		Descriptor: Descriptor(nil), Method: cloud.MethodAPI, Refusal: model.Fault{Code: codeBusy}, Plays: model.TencentCloud,
		InProcess: func(cfg cloud.Config, world *model.World) (cloud.Provider, error) {
			return Descriptor(func(cfg cloud.Config) API { return played{world, cfg} }).New(cfg)
		},
	})
}

// played is the API over the servers of the simulator, whose faults meet its calls.
type played struct {
	world *model.World
	cfg   cloud.Config
}

// errLost stands for a connection that ends without an answer.
var errLost = errors.New("connection lost")

// call plays one request. As with a network, the cloud goes on with it when its caller has given up.
func (p played) call(ctx context.Context, c model.Call, do func(*model.Exchange) (string, error)) error {
	key, known := p.world.AccessKey(model.TencentCloud, p.cfg.Text(cloud.AccessKey))
	c.Cloud, c.Service, c.Account, c.AccessKey = model.TencentCloud, Name, key.AccountID, key.ID
	c.Unauthenticated = !known || key.Secret != p.cfg.Text(cloud.SecretKey)
	allowed := func() error {
		if c.Unauthenticated || !p.world.Allowed(key, Name, c.Action) {
			return &APIError{codeDenied, "not allowed"}
		}
		return nil
	}
	answer := make(chan error, 1)
	go func() {
		x := p.world.Begin(c)
		operation, err := "", refused(x.Before(), func(late *model.Refusal) {
			p.world.Later(late.After, func() {
				if allowed() == nil {
					_, _ = do(x) // nobody hears of it
				}
			})
		})
		if err == nil {
			err = allowed()
		}
		if err == nil {
			operation, err = do(x)
			if x.After() {
				err = errLost
			}
		}
		x.Done(0, "", operation)
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refused is how the cloud, or what is before it, refuses a request.
func refused(r *model.Refusal, later func(*model.Refusal)) error {
	switch {
	case r == nil:
		return nil
	case r.Kind == model.Throttled:
		return &APIError{codeThrottled, "slow down"}
	case r.Kind == model.ServerError:
		return &APIError{"InternalError", "try again"}
	case r.Kind == model.Coded:
		return &APIError{r.Code, r.Message}
	case r.Kind == model.Late:
		later(r)
	}
	return errLost
}

// ListServers implements API.
func (p played) ListServers(ctx context.Context, ids []string) ([]Server, error) {
	var found []Server
	err := p.call(ctx, model.Call{Action: listServers, Instances: ids}, func(*model.Exchange) (string, error) {
		for _, id := range ids {
			if s, ok := p.world.Server(id); ok {
				found = append(found, shown(s))
			}
		}
		return "", nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func shown(s model.Server) Server {
	out := Server{ID: s.ID, Name: s.Name, Windows: s.IsWindows(), State: string(s.State), Tags: s.Tags}
	if s.State == model.StateTerminated {
		out.State = "deleted"
	}
	out.Operation.ID, out.Operation.Message = s.Latest.RequestID, s.Latest.ErrorMsg
	out.Operation.State = map[model.OperationState]string{model.Succeeded: "done", model.Failed: "failed"}[s.Latest.State]
	return out
}

// SetPassword implements API.
func (p played) SetPassword(ctx context.Context, ids []string, user, password string, mayStop bool) (operation string, err error) {
	id := p.world.NewUUID()
	err = p.call(ctx, model.Call{Action: setPassword, Instances: ids, Password: password}, func(x *model.Exchange) (string, error) {
		err := p.world.StartReset(x, model.Reset{
			RequestID: id, ServerIDs: ids, User: user, Password: password, ForceStop: mayStop, Action: setPassword,
		})
		switch {
		case err == nil:
			return id, nil
		case errors.Is(err, model.ErrNoServer):
			return "", &APIError{codeNotFound, err.Error()}
		case errors.Is(err, model.ErrBusy):
			return "", &APIError{codeBusy, err.Error()}
		}
		return "", &APIError{codeState, err.Error()}
	})
	if err != nil {
		return "", err
	}
	return id, nil
}
