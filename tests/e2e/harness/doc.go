// Package harness runs a real Vault, the plugin and the cloud simulator for the end-to-end tests: each test starts its
// own servers on loopback ports or, for a cluster, in network namespaces where the machine allows that, in folders of its
// own, and every process ends with the test that started it.
//
// The binaries come from the environment (see [FindBinaries]); `make test-e2e` builds them and sets it.
package harness
