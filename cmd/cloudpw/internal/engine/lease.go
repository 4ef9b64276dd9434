package engine

import (
	"fmt"
	"strings"
)

// CheckLeaseID refuses what is no id of a lease. An id is a path: MOUNT/creds/ROLE/RANDOM, or with the server before RANDOM.
func CheckLeaseID(id string) error {
	parts := strings.Split(id, "/")
	for _, part := range parts {
		if checkSegment(part) != nil {
			parts = nil
		}
	}
	if len(parts) < 4 || !strings.Contains(id, "/creds/") {
		return fmt.Errorf("%q is no id of a lease; it looks like %s/creds/ROLE/MfLv4Mk4up7VtxEGW4gRZm6R", id, DefaultMount)
	}
	return nil
}
