// Package example is a provider to copy for a new cloud, complete but for what most clouds do not need. Its cloud, [Memory], is
// in the memory of the process; in a real provider an SDK's client stands in the place of [API]. It imports only packages that a
// provider may import: cloud, password and text.
//
// The cloud sets passwords by its API: SetPassword starts an operation, and ListServers shows of each server its latest one.
// A real package comment says here what the provider relies on, and where the cloud's documentation says so:
//
//   - the API calls, and the permission that each needs;
//   - how the outcome of a reset is told, and how long after a request it may still arrive (see traits in reset.go);
//   - which errors prove that nothing was done (see kinds in errors.go). All others leave the outcome open.
//
// The files: descriptor.go is what the backend knows without a connection, provider.go finds servers, reset.go sets passwords,
// errors.go says what errors mean, and memory.go is the cloud.
package example
