package backend

import (
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// maxClientText is how many characters of each word about a client are kept with what it was given. An account may keep
// hundreds of them.
const maxClientText = 48

// clientOf is who is given something, as far as Vault tells. People may choose parts of a display name.
func clientOf(req *logical.Request) rotation.Client {
	c := rotation.Client{Requester: rotation.Requester{EntityID: clientText(req.EntityID), DisplayName: clientText(req.DisplayName)}}
	if req.Connection != nil {
		c.Address = clientText(req.Connection.RemoteAddr)
	}
	return c
}

// clientText is text.Name, which costs a read more than the rest of its answer.
func clientText(s string) string {
	if len(s) > maxClientText {
		return text.Name(s, maxClientText)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return text.Name(s, maxClientText)
		}
	}
	return s
}

// addClient tells who was given something.
func addClient(data map[string]any, c rotation.Client) {
	setText(data, "entity_id", c.EntityID)
	setText(data, "display_name", c.DisplayName)
	setText(data, "remote_address", c.Address)
}

// addReaders tells to whom a version was given.
func addReaders(data map[string]any, g rotation.Given) {
	readers := make([]map[string]any, 0, len(g.Readers))
	for _, r := range g.Readers {
		one := map[string]any{"first_time": request.Timestamp(r.First), "last_time": request.Timestamp(r.Last)}
		addClient(one, r.Client)
		if r.OtherNames {
			one["other_names"] = true
		}
		readers = append(readers, one)
	}
	data["readers"] = readers
	if g.More {
		data["more_readers"] = true
	}
}

// readersWords describes what addReaders adds.
const readersWords = "readers (to whom it was given: entity_id, display_name, remote_address, first_time, last_time, and other_names if " +
	"the entity also read under another display name; the first 20, of the newest 3 versions) and more_readers (only if true: it was also " +
	"given to others, or Vault did not say to whom)"
