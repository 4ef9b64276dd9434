// Package scale measures the plugin with 100,000 accounts in a real Vault. Run it with `make bench-scale`.
package scale
