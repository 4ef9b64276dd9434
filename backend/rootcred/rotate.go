package rootcred

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/connection"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// How long a rotation waits for the cloud.
const (
	// provingPatience is how long a request waits until the cloud accepts a new credential. Clouds
	// need some seconds to make one known everywhere.
	provingPatience = 40 * time.Second
	// deletingPatience is the same for the first call that only the identity service answers.
	deletingPatience = 10 * time.Second
	firstPause       = time.Second
	longestPause     = 8 * time.Second
	// uselessAfter is when a new credential that the cloud still does not accept is given up.
	uselessAfter = 15 * time.Minute
	// creationGrace, after the request's own timeout, is how long a credential that was asked for may
	// stay out of the cloud's list.
	creationGrace = time.Minute
	// tidyTimeout bounds tidying up, which goes on after the request was given up.
	tidyTimeout = 30 * time.Second
)

// work replaces the credential of one connection. Its order is: note that a credential is asked
// for, ask, store it beside the old one, prove that it works, store it in place of the old one, delete
// the old one. The stored connection has a working credential at every moment, and every credential
// that was made is stored, deleted or reported.
type work struct {
	r    *Rotator
	name string
	c    *connection.Record // as stored
	d    cloud.Descriptor
}

// Result tells of a rotation that is complete.
type Result struct {
	NewID, OldID string   // the old one is empty where it was a password
	Resumed      bool     // it was begun by an earlier request
	Left         []string // credentials that earlier rotations have left at the cloud
}

// start claims a connection for work on its credential.
func (r *Rotator) start(ctx context.Context, name string) (*work, func(), error) {
	end, ok := r.Claim(name)
	if !ok {
		return nil, nil, request.Conflictf("rotate-root/%s is running; try again in a moment", name)
	}
	// A write of the connection that is under way is waited for; later ones are refused.
	defer r.Connections.RLock(name)()
	c, d, err := r.Connections.Find(ctx, name)
	if err != nil {
		end()
		return nil, nil, err
	}
	return &work{r, name, c, d}, end, nil
}

// Rotate replaces the credential of a connection, or finishes an earlier rotation of it.
func (r *Rotator) Rotate(ctx context.Context, name string) (*Result, error) {
	w, end, err := r.start(ctx, name)
	if err != nil {
		return nil, err
	}
	defer end()
	result, err := w.rotate(ctx, "connection "+name+" keeps its credential")
	r.tried(name, err, r.Now())
	if err != nil {
		return nil, request.VaultError("", err)
	}
	result.Left = w.c.LeftoverIDs()
	return result, nil
}

// rotate finishes what an earlier rotation left, or makes a new one, unless that would end what another connection uses. what
// begins the error then.
func (w *work) rotate(ctx context.Context, what string) (*Result, error) {
	if w.c.RootRotation != nil {
		done, err := w.settle(ctx)
		if err != nil || done != nil {
			return done, err
		}
	}
	if err := w.r.Connections.CheckUnshared(ctx, what, w.name, w.d, w.c); err != nil {
		return nil, err
	}
	if err := w.create(ctx); err != nil {
		return nil, err
	}
	return w.prove(ctx)
}

// settle finishes the rotation that the connection's entry tells of. Without an error and a result it
// was one that came to nothing.
func (w *work) settle(ctx context.Context) (*Result, error) {
	var done *Result
	var err error
	switch w.c.RootRotation.Step {
	case connection.RootCreated:
		done, err = w.prove(ctx)
	case connection.RootStored:
		done, err = w.deleteOld(ctx)
	default:
		return nil, w.searchCreated(ctx)
	}
	if done != nil {
		done.Resumed = true
	}
	return done, err
}

// searchCreated looks for the credential that was asked for and whose answer was lost. Its secret is
// lost with it; and somebody else may have made it, so it is reported and not deleted.
func (w *work) searchCreated(ctx context.Context) error {
	r := w.c.RootRotation
	own, err := w.own(ctx)
	if err != nil {
		return request.VaultError("an earlier rotate-root/"+w.name+" may have made a credential, which could not be looked for", err)
	}
	var unknown []string
	for _, o := range own {
		if !slices.Contains(r.Known, o.ID) {
			unknown = append(unknown, o.ID)
		}
	}
	if wait := r.Started.Add(w.c.Timeout() + creationGrace).Sub(w.r.Now()); len(unknown) == 0 && wait > 0 {
		return request.Unavailablef("an earlier rotate-root/%s may have made a credential that the cloud does not list yet; write again in %d s",
			w.name,
			int(math.Ceil(wait.Seconds())))
	}
	return w.save(ctx, func(c *connection.Record) {
		for _, id := range unknown {
			c.Leave(id, hint.Plain("made while rotate-root waited for an answer that was lost, and its secret with it"), w.r.Now())
		}
		c.RootRotation = nil
	})
}

// create makes the new credential and stores it beside the old one.
func (w *work) create(ctx context.Context) error {
	own, err := w.own(ctx)
	if err != nil {
		return request.VaultError("connection "+w.name+" cannot list its own credentials", err)
	}
	known := make([]string, 0, len(own))
	oldID := ""
	for _, o := range own {
		known = append(known, o.ID)
		if o.InUse {
			oldID = o.ID
		}
	}
	if oldID == "" && (w.d.CredentialID(w.c.Own) != "" || len(connection.SecretFields(w.d, w.c)) == 0) {
		return request.Conflictf(
			"connection %s: %s does not list the credential that the connection uses, so it cannot be replaced; make one at the "+
				"cloud and write it to config/%s, with %s", w.name, w.d.Title, w.name, strings.Join(w.secrets(), ", "))
	}
	rotator, err := w.rotator(ctx)
	if err != nil {
		return err
	}
	if err := w.save(ctx, func(c *connection.Record) {
		c.RootRotation = &connection.RootRotation{Step: connection.RootCreating, Started: w.r.Now().UTC(), OldID: oldID, Known: known}
		c.Leftovers = slices.DeleteFunc(c.Leftovers, func(l connection.Leftover) bool { return !slices.Contains(known, l.ID) })
	}); err != nil {
		return err
	}
	made, err := rotator.CreateCredential(ctx)
	if err != nil {
		return w.notCreated(ctx, err)
	}
	newID := w.d.CredentialID(made)
	if newID == "" {
		return w.notCreated(ctx, cloud.Errorf(cloud.Unknown, "%s made a credential without an id", w.d.Title))
	}
	if err := w.checkMade(made); err != nil {
		return w.discard(ctx, newID, request.Invalidf("%s made a credential that the connection cannot use: %s", w.d.Title, err))
	}
	record := *w.c.RootRotation
	record.Step, record.New, record.NewID = connection.RootCreated, made, newID
	if err := w.save(ctx, func(c *connection.Record) { c.RootRotation = &record }); err != nil {
		return w.discard(ctx, newID, err)
	}
	return nil
}

// checkMade checks the connection's fields as a new credential changes them.
func (w *work) checkMade(made cloud.Values) error {
	for _, name := range slices.Sorted(maps.Keys(made)) {
		if _, own := w.d.Field(name); !own {
			return fmt.Errorf("%s: provider %s has no such field", name, w.d.Name)
		}
	}
	return w.d.Check(w.c.WithCredential(made).CloudConfig())
}

// notCreated reports that the cloud made no credential, or that nobody knows whether it did.
func (w *work) notCreated(ctx context.Context, cause error) error {
	err := request.VaultError("connection "+w.name+" keeps its credential", cause)
	if left := w.c.LeftoverIDs(); len(left) > 0 {
		err = request.WithWayOut(err, "earlier rotations have left behind "+request.Summarize(left)+", which nothing uses")
	}
	if !cloud.KindOf(cause).CertainlyNothingDone() {
		return request.WithWayOut(err, "the cloud may have made one all the same: write rotate-root/"+w.name+" again, which looks for it")
	}
	if saveErr := w.save(ctx, func(c *connection.Record) { c.RootRotation = nil }); saveErr != nil {
		w.r.Log().Warn("the end of a rotation that came to nothing could not be stored; the next one finds that out", "connection", w.name,
			"error", saveErr)
	}
	return err
}

// discard deletes a new credential that is of no use, because of cause, and ends the rotation.
func (w *work) discard(ctx context.Context, id string, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	err := func() error {
		rotator, err := w.rotator(ctx)
		if err != nil {
			return err
		}
		return rotator.DeleteCredential(ctx, id)
	}()
	var reason hint.Text
	if err != nil {
		reason = hint.Textf("made by rotate-root, of no use, and could not be deleted: %s", err)
		w.r.Log().Error("a new credential could neither be used nor deleted; delete it at the cloud", "connection", w.name, "credential", id,
			"error", err)
		cause = request.WithWayOut(cause, hint.Textf("the new credential %s is not used and could not be deleted (%s): delete it at the cloud",
			id, err))
	}
	if saveErr := w.save(ctx, func(c *connection.Record) {
		c.RootRotation = nil
		if !reason.IsZero() {
			c.Leave(id, reason, w.r.Now())
		}
	}); saveErr != nil {
		w.r.Log().Warn("the end of a rotation that came to nothing could not be stored; the next one finds that out", "connection", w.name,
			"error", saveErr)
	}
	return cause
}

// prove waits until the cloud accepts the new credential, and puts it in place of the old one.
func (w *work) prove(ctx context.Context) (*Result, error) {
	r := w.c.RootRotation
	next := w.c.WithCredential(r.New)
	err := w.patiently(ctx, provingPatience, func(ctx context.Context) error { return w.works(ctx, next) })
	if err != nil {
		failed := request.VaultError("the new credential "+r.NewID+" was made, and "+w.d.Title+" does not accept it yet", err)
		if cloud.KindOf(err) == cloud.Denied && w.r.Now().Sub(r.Started) >= uselessAfter {
			return nil, w.discard(ctx, r.NewID, request.WithWayOut(failed, "it was given up, and connection "+w.name+" keeps the old one"))
		}
		return nil, request.WithWayOut(w.noting(ctx, failed), "connection "+w.name+
			" works with the old one meanwhile. Vault tries again by itself; to try now, write rotate-root/"+w.name)
	}
	err = w.save(ctx, func(c *connection.Record) {
		c.UseCredential(r.New, w.r.Now())
		c.RootRotation = &connection.RootRotation{Step: connection.RootStored, Started: r.Started, OldID: r.OldID, Known: r.Known, NewID: r.NewID}
	})
	w.r.Core.ForgetConnection(w.name) // also after a failed write, which may have landed
	if err != nil {
		return nil, request.WithWayOut(err, "write rotate-root/"+w.name+" again to finish the rotation")
	}
	return w.deleteOld(ctx)
}

// works reports whether a connection's credential works: for the cheap call that verifies it and, since
// a cloud's services do not learn of it at the same moment, for describing an instance if there is one.
func (w *work) works(ctx context.Context, c *connection.Record) error {
	provider, err := connection.NewProvider(w.name, c, w.d, cloud.Unlimited{}, w.r.Connections.Answers,
		w.r.Connections.HostsOf(w.name, w.d))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*c.Timeout())
	defer cancel()
	if err := provider.Verify(ctx); err != nil {
		return err
	}
	instances, err := w.r.Core.List(ctx, w.name+"/")
	if err != nil || len(instances) == 0 {
		return err
	}
	_, err = provider.DescribeInstances(ctx, instances[:1])
	return err
}

// deleteOld deletes the replaced credential at the cloud, by the new one, and with it what the connection keeps of it.
func (w *work) deleteOld(ctx context.Context) (*Result, error) {
	old, now := w.c.RootRotation.OldID, w.c.RootRotation.NewID
	if old != "" {
		err := w.patiently(ctx, deletingPatience, func(ctx context.Context) error {
			rotator, err := w.rotator(ctx)
			if err != nil {
				return err
			}
			return rotator.DeleteCredential(ctx, old)
		})
		if err != nil {
			failed := request.VaultError("connection "+w.name+" works with the new credential "+now+" now, but the old one, "+old+
				", could not be deleted",
				err)
			return nil, request.WithWayOut(w.noting(ctx, failed), "Vault tries again by itself; to try now, write rotate-root/"+w.name)
		}
	}
	kept := w.c.KeepsPrevious(w.d)
	err := w.save(ctx, func(c *connection.Record) { c.EndRotation(w.d, w.r.Now()) })
	if kept {
		w.r.Core.ForgetConnection(w.name) // its provider uses the previous credential as well
	}
	if err != nil {
		return nil, request.WithWayOut(err, "the rotation is complete, but that could not be stored; write rotate-root/"+w.name+" again")
	}
	return &Result{NewID: now, OldID: old}, nil
}

// noting stores the reason of a failure for who reads the connection, and returns it.
func (w *work) noting(ctx context.Context, failed error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	record := *w.c.RootRotation
	record.LastError = hint.Of(failed)
	if err := w.save(ctx, func(c *connection.Record) { c.RootRotation = &record }); err != nil {
		w.r.Log().Warn("the state of a rotation could not be stored", "connection", w.name, "error", err)
	}
	return failed
}

// patiently repeats a call until it succeeds, fails for good, or patience or the context ends.
func (w *work) patiently(ctx context.Context, patience time.Duration, call func(context.Context) error) error {
	end := w.r.Now().Add(patience)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := call(ctx)
		switch cloud.KindOf(err) {
		case "", cloud.Refused, cloud.NotFound:
			return err
		}
		var unusable *rotation.Error
		if errors.As(err, &unusable) || w.r.Now().Add(pause).After(end) {
			return err
		}
		if w.r.Sleep(ctx, pause) != nil {
			return err // the cause says more than the end of the context
		}
	}
}

// save changes the stored connection.
func (w *work) save(ctx context.Context, change func(*connection.Record)) error {
	defer w.r.Connections.Lock(w.name)()
	stored, err := w.r.Connections.Get(ctx, w.name)
	if err != nil {
		return err
	}
	if stored == nil {
		return request.Conflictf("connection %s was deleted meanwhile", w.name)
	}
	next := stored.Clone()
	change(next)
	if err := w.r.Connections.Put(ctx, w.name, next); err != nil {
		return err
	}
	w.c = next
	return nil
}

// own lists the credentials of the connection's identity.
func (w *work) own(ctx context.Context) ([]cloud.OwnCredential, error) {
	rotator, err := w.rotator(ctx)
	if err != nil {
		return nil, err
	}
	return rotator.OwnCredentials(ctx)
}

// rotator is the provider with the credential that is in use.
func (w *work) rotator(ctx context.Context) (cloud.CredentialRotator, error) {
	provider, err := w.r.Core.Provider(ctx, w.name)
	if err != nil {
		return nil, err
	}
	rotator, ok := provider.(cloud.CredentialRotator)
	if !ok {
		return nil, request.Invalidf("provider %s cannot replace its credentials; make a new one at the cloud and write it to config/%s, with %s",
			w.d.Name, w.name, strings.Join(w.secrets(), ", "))
	}
	return rotator, nil
}

// secrets are the fields that hold the provider's secrets.
func (w *work) secrets() []string {
	var names []string
	for _, f := range w.d.Fields {
		if f.Kind == cloud.FieldSecret && f.Written() {
			names = append(names, f.Name)
		}
	}
	return names
}

// FinishAll goes on with rotations that were cut short. It is called now and then, where
// storage may be written.
func (r *Rotator) FinishAll(ctx context.Context) error {
	names, err := r.Connections.List(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		c, err := r.Connections.Get(ctx, name)
		if err != nil || c == nil || c.RootRotation == nil || !r.mayRetry(name, r.Now()) {
			continue
		}
		r.finish(ctx, name)
	}
	return nil
}

func (r *Rotator) finish(ctx context.Context, name string) {
	w, end, err := r.start(ctx, name)
	if err != nil {
		return // somebody is at it, or the connection is gone
	}
	defer end()
	if w.c.RootRotation == nil {
		return
	}
	done, err := w.settle(ctx)
	r.tried(name, err, r.Now())
	switch {
	case err != nil:
		r.Log().Warn("an unfinished rotate-root could not be finished; it is tried again", "connection", name, "error", err)
	case done != nil:
		r.Log().Info("an unfinished rotate-root was finished", "connection", name, "credential", done.NewID, "deleted", done.OldID)
	case len(w.c.Leftovers) > 0:
		r.Log().Warn("an unfinished rotate-root came to nothing; delete what it left behind at the cloud", "connection", name,
			"leftover_credentials", w.c.LeftoverIDs())
	default:
		r.Log().Info("an unfinished rotate-root came to nothing", "connection", name)
	}
}
