// Package bench compares the speed of cloudpw's reads and revocations with what stands around them, side by side in one
// real Vault: Vault's own sys/health and KV, a plugin that does nothing (the floor, see floor/), and HashiCorp's OpenLDAP
// engine with a real slapd where one is installed. `make bench` runs it and prints a table; docs/benchmarks.md has one.
//
// All engines are asked in turn, in rounds, by the same client code in the same process, so that what disturbs the
// machine disturbs all of them. Ratios are those of one round, and the median of the rounds is reported.
package bench
