// Package console holds the tests of `cloudpw console` in a headless Chromium, with the built command, a real Vault and simulated
// clouds (build tag console; make test-console). axe-core, from npm, checks every view for accessibility. With PICTURES=folder they
// also take the pictures of the README and the docs. With the tag bench they measure 100,000 accounts (make bench-console).
package console
