package rotation

import (
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// The part of the protocol in which this package's own API speaks, so that its callers need one import. What each of
// them is stands beside it in package protocol.
type (
	ID             = protocol.ID
	Account        = protocol.Account
	Settings       = protocol.Settings
	Schedule       = protocol.Schedule
	Mode           = protocol.Mode
	Checkout       = protocol.Checkout
	Source         = protocol.Source
	RotateOnRevoke = protocol.RotateOnRevoke
	Facts          = protocol.Facts
	Place          = protocol.Place
	Version        = protocol.Version
	Change         = protocol.Change
	Candidate      = protocol.Candidate
	Lease          = protocol.Lease
	LeaseRef       = protocol.LeaseRef
	Given          = protocol.Given
	Client         = protocol.Client
	Reader         = protocol.Reader
	Error          = protocol.Error
	ErrorKind      = protocol.ErrorKind
	Reason         = protocol.Reason
	// DriftAction and CheckResult are of checks.
	DriftAction = protocol.DriftAction
	CheckResult = protocol.CheckResult
)

// The values of these types.
const (
	Leased       = protocol.Leased
	Static       = protocol.Static
	Shared       = protocol.Shared
	Exclusive    = protocol.Exclusive
	LastLease    = protocol.LastLease
	AnyLease     = protocol.AnyLease
	FromReset    = protocol.FromReset
	FromInitial  = protocol.FromInitial
	FromImport   = protocol.FromImport
	ForNothing   = protocol.ForNothing
	Invalid      = protocol.Invalid
	NotFound     = protocol.NotFound
	NoRecord     = protocol.NoRecord
	Unbound      = protocol.Unbound
	NotReadable  = protocol.NotReadable
	Conflict     = protocol.Conflict
	Unavailable  = protocol.Unavailable
	DriftReport  = protocol.DriftReport
	DriftRestore = protocol.DriftRestore
	DriftRotate  = protocol.DriftRotate
	DueManual    = protocol.DueManual
	DueReader    = protocol.DueReader
)

// ParseID is protocol.ParseID.
func ParseID(s string) (ID, error) { return protocol.ParseID(s) }

// GroupID is protocol.GroupID.
func GroupID(connection, role string) ID { return protocol.GroupID(connection, role) }

// FactsOf is protocol.FactsOf.
func FactsOf(i cloud.Instance) Facts { return protocol.FactsOf(i) }

// PlaceOf is protocol.PlaceOf.
func PlaceOf(names []string, account string, proven bool) Place {
	return protocol.PlaceOf(names, account, proven)
}

// ParseSchedule is protocol.ParseSchedule.
func ParseSchedule(expression, timezone string) error {
	return protocol.ParseSchedule(expression, timezone)
}

// States are the values of View.State.
func States() []string { return protocol.States() }

// DueReasons are the reasons why an account can be due.
func DueReasons() []string {
	all := protocol.DueReasons()
	names := make([]string, len(all))
	for i, reason := range all {
		names[i] = string(reason)
	}
	return names
}

// CheckResults are what a check can show, by their names.
func CheckResults() []string {
	all := protocol.CheckResults()
	names := make([]string, len(all))
	for i, result := range all {
		names[i] = string(result)
	}
	return names
}

// Reasons are due reasons by their names.
func Reasons(names []string) []protocol.Reason {
	reasons := make([]protocol.Reason, len(names))
	for i, name := range names {
		reasons[i] = protocol.Reason(name)
	}
	return reasons
}
