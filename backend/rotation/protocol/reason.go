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
	// DueReader: an operator has asked for it since somebody was given the current version who must not know it any more.
	DueReader Reason = "reader"
	// DuePlace: the current version is another place's than the connection's (rule 18).
	DuePlace Reason = "place"
	// DueDrifted: a check has shown that the server has another password (rule 22).
	DueDrifted Reason = "drifted"
	// Restored is no reason to be due: it stands with a version that an operator has recorded from an older one.
	Restored Reason = "restore"
	// Reread is none either: it stands with an initial password that was asked for again (rule 27).
	Reread Reason = "reread"
)

// DueReasons are all for which an account can be due.
func DueReasons() []Reason {
	return []Reason{DueFirst, DueRevoked, DueDeadline, DueLeaver, DueJoiner, DueMoved, DueSchedule, DueManual, DueImport, DueRead,
		DueReader, DuePlace, DueDrifted}
}

// ForbidsReading reports whether the current version must not be handed out before the account has
// been rotated.
func (r Reason) ForbidsReading() bool {
	switch r {
	case DueFirst, DueRevoked, DueDeadline, DueLeaver, DuePlace, DueMoved, DueDrifted:
		return true
	}
	return false
}

// IsWord reports whether it is an operator's word to rotate.
func (r Reason) IsWord() bool { return r == DueManual || r == DueReader }

// Requester is who asked for something, as far as Vault tells; zero: nobody did, or it is not known.
type Requester struct {
	EntityID    string `json:"entity_id,omitempty"`
	DisplayName string `json:"display_name,omitempty"`
}

// Due says that a rotation should happen.
type Due struct {
	Since  time.Time `json:"since"`
	Reason Reason    `json:"reason"`
	// Forced is an operator's word not to wait for the rotation window.
	Forced bool `json:"forced,omitempty"`
	// By is who asked for it last.
	By Requester `json:"by,omitzero"`
}
