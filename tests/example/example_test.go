package example_test

import (
	"context"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/example"
)

// Example makes a connection, finds a server by its tag and sets a password, as the engine does.
func Example() {
	ctx := context.Background()
	memory := new(example.Memory)
	memory.Add(example.Server{ID: "web-1", Tags: map[string]string{"team": "ops"}}, "root", "first-password")

	descriptor := example.Descriptor(func(cloud.Config) example.API { return memory })
	provider, err := descriptor.New(cloud.Config{
		Values: cloud.Values{"region": "eu-1", "access_key": "id", "secret_key": "key of the connection"}, Limiter: cloud.Unlimited{},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := provider.FindInstances(ctx, map[string]string{"team": "ops"})
	if err != nil || len(found) != 1 {
		fmt.Println(found, err)
		return
	}
	server, user := found[0], provider.DefaultUsername(found[0])
	value, err := password.Generate(provider.PasswordRules(server), user, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	// The engine has stored the value before this call, and sends the same one again until it knows the outcome.
	resetter := provider.(cloud.PasswordResetters).Resetter(cloud.MethodAPI)
	started, err := resetter.StartReset(ctx, cloud.Reset{InstanceIDs: []string{server.ID}, Username: user, Password: value, ForceStop: true})
	if err != nil {
		fmt.Println(cloud.KindOf(err), err)
		return
	}
	for state := cloud.OperationNone; state != cloud.OperationSuccess; {
		records, err := resetter.ResetRecords(ctx, []cloud.ResetRef{{InstanceID: server.ID, RequestID: started.RequestID}})
		if err != nil {
			fmt.Println(cloud.KindOf(err), err)
			return
		}
		state = records[server.ID].State
		fmt.Println(started.RequestID, state)
	}
	fmt.Println("the server has it:", memory.Accepts(server.ID, user, value))
	// Output:
	// operation-1 running
	// operation-1 success
	// the server has it: true
}
