// Package contract tests that providers keep the contracts of cloud.PasswordResetter and cloud.PasswordChecker, which
// package cloud documents and the rotation core relies on. It tests every method through the real SDK and the cloud
// simulator. A provider's tests call Resets for each of its reset methods; its check methods are tried on the passwords
// that those have set. What is special to one method stays in the provider's own tests.
package contract

import (
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

// Subject is a reset method that is to keep the contract.
type Subject struct {
	// Descriptor is the provider's. Its name is that of the simulated cloud, unless there is InProcess.
	Descriptor cloud.Descriptor
	// Method is one of the descriptor's reset methods.
	Method string
	// Synchronous says that the method's answer is the proof of success. Only where the server has a larger order is there a record.
	Synchronous bool
	// Direct says that a Synchronous method reaches each server by itself, with InProcess: there is no API in between that could
	// throttle the connection, lack a permission of its key, or be asked for a record. The simulator's throttling and permissions are
	// then those of the one server, which refuses, and looks at records ask nobody. See Session.
	Direct bool
	// LinuxOnly says that there is no way to set passwords on Windows servers: they are refused before anything is sent.
	LinuxOnly bool
	// Refusal holds Code and Status of an answer by which the cloud refuses a request for certain, and for
	// no reason that has a kind of its own.
	Refusal model.Fault
	// Logged is what the simulator's log, and its faults, call the request that carries the password, and Permission the pattern by
	// which the right to it is denied. By default both follow from the Action of the method's traits.
	Logged, Permission string
	// New makes the provider; nil is Descriptor.New. It is there for a provider that waits for a server
	// between two looks: the simulator needs no wait.
	New func(cloud.Config) (cloud.Provider, error)
	// InProcess is for a provider whose cloud has no API on the network, as an example has. It plays on the state of the
	// simulated cloud Plays, in whose name it logs its calls. What is about connections is not checked then.
	InProcess func(cloud.Config, *model.World) (cloud.Provider, error)
	Plays     model.Cloud
}

// check is one promise. It gets a world of its own.
type check struct {
	name string
	run  func(*testing.T, *scene)
}

// Resets tries every promise on a reset method, each as a subtest.
func Resets(t *testing.T, subject Subject) {
	t.Helper()
	if _, ok := subject.Descriptor.ResetMethod(subject.Method); !ok {
		t.Fatalf("%s has no reset method %q", subject.Descriptor.Name, subject.Method)
	}
	lists := [][]check{methodChecks, settingChecks, answerChecks, inputChecks, recordChecks, lostChecks, orderChecks, cleanChecks,
		checkingChecks(subject)}
	if subject.InProcess == nil {
		lists = append(lists, networkChecks)
	}
	if subject.Direct {
		lists = append(lists, directChecks)
	}
	for _, list := range lists {
		for _, c := range list {
			t.Run(c.name, func(t *testing.T) { c.run(t, newScene(t, subject)) })
		}
	}
}
