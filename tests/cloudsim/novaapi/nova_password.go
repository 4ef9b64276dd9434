package novaapi

import (
	"fmt"
	"net/http"
)

// noServer is Nova's answer to an id that belongs to no server of the project,
// well-formed or not.
func noServer(id string) *answer {
	return novaFault(http.StatusNotFound, fmt.Sprintf("Instance %s could not be found.", id))
}

// showServerPassword answers with the guest's ciphertext, or with an empty
// string and 200 while there is none.
func (c *Cloud) showServerPassword(r *request) *answer {
	s, found := c.findServer(r, r.vars[0])
	if !found {
		return noServer(r.vars[0])
	}
	ciphertext, err := c.world.EncryptedPassword(s.ID)
	if err != nil { // removed since it was found
		return noServer(s.ID)
	}
	return ok(map[string]string{"password": ciphertext})
}

// deleteServerPassword erases the cloud's copy, whether there is one or not.
func (c *Cloud) deleteServerPassword(r *request) *answer {
	s, found := c.findServer(r, r.vars[0])
	if !found || c.world.ClearPassword(s.ID) != nil {
		return noServer(r.vars[0])
	}
	return &answer{status: http.StatusNoContent}
}
