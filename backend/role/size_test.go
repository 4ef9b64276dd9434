package role

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// longestUsername has 32 characters of four bytes each.
var longestUsername = strings.Repeat("\U00010400", 32)

// manyMembers are instances with ids as long as Nova's.
func manyMembers(n int, username string) []member {
	members := make([]member, n)
	for i := range members {
		members[i] = member{instance: cloud.Instance{ID: fmt.Sprintf("0f8fad5b-d9cb-469f-a165-%012d", i)}, username: username}
	}
	return members
}

func TestRolesThatStorageWouldNotTakeAreRefused(t *testing.T) {
	tags := map[string]string{"env": "prod"}
	for name, c := range map[string]struct {
		instances int
		username  string
		shared    bool
		says      string // "": it is taken
	}{
		"most of a role's":             {MaxInstances * 3 / 4, "Administrator", false, ""},
		"with long names":              {MaxInstances * 3 / 4, longestUsername, false, "instance_tags: "},
		"with a shared password":       {MaxInstances / 3, "root", true, "instance_tags: "},
		"fewer of them, which share":   {MaxInstances / 7, "Administrator", true, ""},
		"fewer of them with long ones": {MaxInstances / 7, longestUsername, true, "instance_tags: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Record{Connection: "prod-openstack", InstanceTags: tags, SharedPassword: &c.shared}
			err := r.checkSize("r", manyMembers(c.instances, c.username))
			switch {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says != "" && (err == nil || !strings.HasPrefix(err.Error(), c.says) || !strings.Contains(err.Error(), "write several roles")):
				t.Errorf("the refusal is %v", err)
			}
		})
	}
}

// TestReservesAreLargeEnough: the largest role, and the largest record of a shared password, stay below what
// storage takes.
func TestReservesAreLargeEnough(t *testing.T) {
	now := time.Now()
	group := rotation.Account{Leases: map[string]rotation.Lease{}}
	for n := range 1000 {
		group.Leases[fmt.Sprintf("%032d", n)] = rotation.Lease{Version: maxVersionsBound, Issued: now, Expires: now, Renewed: now,
			TTL: 720 * time.Hour, Owner: strings.Repeat("o", 12), Client: 1 + n%100}
	}
	client := rotation.Client{Address: "2001:db8:1234:5678:9abc:def0:1234:5678"}
	client.EntityID, client.DisplayName = "0f8fad5b-d9cb-469f-a165-70867728950e", strings.Repeat("n", 48)
	for range 100 {
		group.Clients = append(group.Clients, client)
	}
	for range maxVersionsBound {
		group.Versions = append(group.Versions, rotation.Version{Number: 1 << 30, Password: strings.Repeat("p", 255),
			Source: rotation.FromImport,
			Batch:  strings.Repeat("b", 32), Created: now, Disclosed: now, Until: now, Ended: now, Confirmed: true})
	}
	for i := range 3 {
		for range 20 {
			group.Versions[i].Given.Readers = append(group.Versions[i].Given.Readers, protocol.KnownReader{Client: client, First: now, Last: now})
		}
	}
	var conflicts Record
	for range MaxConflicts {
		conflicts.Conflicts = append(conflicts.Conflicts, Conflict{InstanceID: strings.Repeat("i", 36), Username: longestUsername,
			Reason: hint.Plain(strings.Repeat("r", 400))})
	}
	for name, c := range map[string]struct {
		entry   any
		reserve int
	}{"group": {group, groupReserve}, "role": {conflicts, roleReserve}} {
		raw, err := json.Marshal(c.entry)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > c.reserve {
			t.Errorf("%s: %d bytes besides the instances, %d are reserved", name, len(raw), c.reserve)
		}
		t.Logf("%s: %d of %d bytes", name, len(raw), c.reserve)
	}
}
