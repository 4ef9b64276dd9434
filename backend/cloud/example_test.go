package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// lab is the smallest provider that can set passwords. Its cloud has one server, and sets a password before it answers.
type lab struct {
	limiter  cloud.Limiter
	password string // that the server has
}

func (l *lab) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	if err := l.limiter.Wait(ctx, "Show"); err != nil {
		return nil, err
	}
	var found []cloud.Instance
	for _, id := range ids {
		if id == "server-1" { // one that does not exist is left out
			found = append(found, cloud.Instance{ID: id, Platform: cloud.Linux, State: cloud.StateRunning})
		}
	}
	return found, nil
}

func (l *lab) FindInstances(ctx context.Context, tags map[string]string) ([]cloud.Instance, error) {
	if len(tags) > 0 {
		return nil, nil // its server has none
	}
	return l.DescribeInstances(ctx, []string{"server-1"})
}

func (l *lab) Verify(ctx context.Context) error { return l.limiter.Wait(ctx, "Show") }

func (l *lab) ValidateInstanceID(id string) error {
	if id != "server-1" {
		return errors.New("instance_id: the lab has server-1 only")
	}
	return nil
}

func (l *lab) DefaultUsername(cloud.Instance) string { return "root" }

func (l *lab) PasswordRules(cloud.Instance) password.Rules { return password.Rules{MinLength: 12} }

func (l *lab) Resetter(method string) cloud.PasswordResetter {
	if method == cloud.MethodAPI {
		return l
	}
	return nil
}

func (l *lab) ResetTraits() cloud.ResetTraits {
	return cloud.ResetTraits{
		Action: "SetPassword", BatchSize: 1, SignatureLifetime: time.Minute, LongestOperation: time.Minute, PollInterval: time.Second,
	}
}

func (l *lab) StartReset(_ context.Context, r cloud.Reset) (cloud.ResetStarted, error) {
	if err := cloud.CheckInstanceIDs("SetPassword", r.InstanceIDs, 1, l.ValidateInstanceID); err != nil {
		return cloud.ResetStarted{}, err
	}
	if r.Username != "root" {
		return cloud.ResetStarted{}, cloud.Errorf(cloud.Refused, "SetPassword: the server has no user %s", r.Username)
	}
	l.password = r.Password
	return cloud.ResetStarted{Done: true}, nil
}

// ResetRecords shows that each server has no operation: the answer to StartReset has said all.
func (l *lab) ResetRecords(_ context.Context, refs []cloud.ResetRef) (map[string]cloud.ResetRecord, error) {
	records := map[string]cloud.ResetRecord{}
	for _, ref := range refs {
		records[ref.InstanceID] = cloud.ResetRecord{}
	}
	return records, nil
}

// The smallest provider: the methods of Provider, PasswordResetters and PasswordResetter, and a descriptor. Package example in
// the folder of tests is a complete one, with errors of the cloud and operations that take time.
func Example() {
	var server lab
	descriptor := cloud.Descriptor{
		Name: "lab", Title: "Lab", ResetMethods: []cloud.ResetMethod{{Name: cloud.MethodAPI}},
		New: func(cfg cloud.Config) (cloud.Provider, error) {
			server.limiter = cfg.Limiter
			return &server, nil
		},
	}
	provider, err := descriptor.New(cloud.Config{Limiter: cloud.Unlimited{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	resetter := provider.(cloud.PasswordResetters).Resetter(cloud.MethodAPI)
	reset := cloud.Reset{InstanceIDs: []string{"server-1"}, Username: "admin", Password: "Correct-Horse-9"}
	_, err = resetter.StartReset(context.Background(), reset)
	fmt.Println(cloud.KindOf(err), "-", err)
	reset.Username = "root"
	started, err := resetter.StartReset(context.Background(), reset)
	fmt.Println(started.Done, err, server.password == reset.Password)
	// Output:
	// refused - SetPassword: the server has no user admin
	// true <nil> true
}
