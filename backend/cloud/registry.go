package cloud

import "time"

// Descriptor tells the backend about a provider without making one.
type Descriptor struct {
	// Name is the value of a connection's provider field.
	Name string
	// Title is the cloud's name for people.
	Title string
	// New makes a provider. It sends nothing.
	New func(Config) (Provider, error)
	// Fields are the connection fields that this provider uses, besides those of every provider
	// (provider, endpoints, ca_certificate, allowed_roles, required_tags, max_requests_per_second,
	// request_timeout, password_policy, verify_connection).
	Fields []string
	// Validate checks the provider's own rules for a connection (which credentials belong
	// together, which fields are required, forms of values). Errors name the field.
	Validate func(Config) error
	// EndpointKeys are the services whose URL may be overridden.
	EndpointKeys []string
	// DefaultRequestsPerSecond is the default of max_requests_per_second.
	DefaultRequestsPerSecond float64
	// RateSource says where that figure comes from.
	RateSource string
	// DefaultSignatureStyle is the default of signature_style, "" where it does not apply.
	DefaultSignatureStyle string
	// HasInitialPassword, CanClearInitial and CanReset say what the provider implements.
	HasInitialPassword bool
	CanClearInitial    bool
	CanReset           bool
	// ResetMayStop is set where a reset of a running instance shuts it down, so that a role must
	// decide on force_stop.
	ResetMayStop bool
	// UsualInitialDelay is how long the cloud says an initial password may take after launch.
	UsualInitialDelay time.Duration
}

// Registry maps provider names to their descriptors.
type Registry map[string]Descriptor
