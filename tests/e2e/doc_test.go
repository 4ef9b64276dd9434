//go:build e2e

// Package e2e tests the built plugin in a real Vault against the simulated clouds. Run it with `make test-e2e`, which
// builds what it needs and sets the environment of the harness; the cluster of ha_test.go with `make test-ha`.
package e2e
