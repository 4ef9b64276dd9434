// Package azuresdk has Azure's own clients for Go, azidentity and armcompute, sign in to the simulated login service and work with
// the simulated Azure Resource Manager, both over TLS. It is a module of its own, so that the clients never enter the plugin's
// go.mod. `make test-azure` runs it.
//
// What the client makes of an answer is written as JSON again and compared with what was sent: a field that the simulator names
// or writes otherwise than Azure would be lost on the way.
package azuresdk
