package role

import (
	"encoding/json"
	"fmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// What any of Vault's storages takes for one entry, less what a role's entry, and the record of its shared password, may come
// to hold besides the instances. Consul takes 512 KiB and integrated storage 1 MiB by default
// (developer.hashicorp.com/vault/docs/internals/limits), and a plugin is not told which of them it has.
const (
	maxEntry = 512 << 10
	// roleReserve is for up to 100 conflicts with their reasons.
	roleReserve = 64 << 10
	// groupReserve is for 1,000 leases of about 200 bytes, 100 clients of about 150, and 100 versions of up to 500, of which 3 have
	// 20 readers.
	groupReserve = 336 << 10
)

// checkSize refuses a role with so many instances that storage would not take its entry, or the record of its
// shared password. MaxInstances with long names, or one password, would be too many.
func (r *Record) checkSize(name string, members []member) error {
	sized := *r
	sized.Conflicts, sized.Users = nil, make(map[string]string, len(members))
	ids := make([]rotation.ID, 0, len(members))
	for _, m := range members {
		sized.Users[m.instance.ID] = m.username
		ids = append(ids, rotation.ID{Connection: sized.Connection, InstanceID: m.instance.ID, Username: m.username})
	}
	entry, err := json.Marshal(&sized)
	if err != nil {
		return fmt.Errorf("encode role %s: %w", name, err)
	}
	if len(entry) > maxEntry-roleReserve {
		return r.tooLarge(len(members))
	}
	if !sized.Shared() {
		return nil
	}
	if entry, err = json.Marshal(ids); err != nil {
		return fmt.Errorf("encode role %s: %w", name, err)
	}
	if len(entry) > maxEntry-groupReserve {
		return r.tooLarge(len(members))
	}
	return nil
}

func (r *Record) tooLarge(members int) error {
	field := "instance_ids"
	if r.InstanceTags != nil {
		field = "instance_tags"
	}
	return request.Invalidf("%s: Vault's storage takes no entry as large as one with these %d instances; write several roles", field, members)
}
