package rotation

import "github.com/hashicorp/vault/sdk/helper/locksutil"

// executor does the steps that plans name: it asks the clouds, and records what they answer. Each step that fails leaves its
// account to be planned again.
type executor struct {
	*planner

	bindings []*locksutil.LockEntry // rule 15: one lock for whatever binds one instance and user
	initials *initialPasswords      // rule 23
}
