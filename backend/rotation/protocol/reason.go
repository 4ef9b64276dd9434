package protocol

// Why an account is due, and since when.

import "time"

// Reason why an account is due.
type Reason string

// Reasons. Those that ForbidsReading names forbid reading until the account has been rotated; the others
// leave it readable until an attempt is recorded.
const (
	DueFirst    Reason = "first"
	DueRevoked  Reason = "revoked"
	DueDeadline Reason = "deadline"
	DueLeaver   Reason = "leaver"
	DueJoiner   Reason = "joiner"
	DueMoved    Reason = "moved" // readers of another role, or account, know the current version (rule 23)
	DueSchedule Reason = "schedule"
	DueManual   Reason = "manual"
	DueImport   Reason = "import"
	DueRead     Reason = "read"
	// DuePlace: the current version is another place's than the connection's (rule 18).
	DuePlace Reason = "place"
)

// ForbidsReading reports whether the current version must not be handed out before the account has
// been rotated.
func (r Reason) ForbidsReading() bool {
	switch r {
	case DueFirst, DueRevoked, DueDeadline, DueLeaver, DuePlace, DueMoved:
		return true
	}
	return false
}

// Due says that a rotation should happen.
type Due struct {
	Since  time.Time `json:"since"`
	Reason Reason    `json:"reason"`
	// Forced is an operator's word not to wait for the rotation window.
	Forced bool `json:"forced,omitempty"`
}
