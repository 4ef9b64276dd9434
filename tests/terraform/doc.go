// Package terraform reads the modules of examples/terraform, as far as it takes to check them without Terraform: what they declare,
// what they refer to, and the values of their locals. Its tests hold the permissions that the modules give against the guides to the
// clouds. With the build tag terraform they also run OpenTofu with the real provider for Vault: `make test-terraform`.
package terraform
