package cloud

import (
	"context"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/password"
)

// Provider is one connection to one cloud account in one region. Implementations are safe for
// concurrent use, honour the context, never retry a call by themselves, call Config.Limiter before
// every request except those of StartReset (see PasswordResetter), and return *Error values.
type Provider interface {
	// DescribeInstances returns those of the given instances that exist, in any order. An id that
	// the cloud does not know is left out, it is no error. Any number of ids may be given; the
	// provider asks in the cloud's batches. Terminated instances that the cloud still shows are
	// returned with StateGone.
	DescribeInstances(ctx context.Context, ids []string) ([]Instance, error)
	// FindInstances returns all instances that carry every one of the tags; with no tags, all
	// instances. It follows pagination to the end. Gone instances are left out.
	FindInstances(ctx context.Context, tags map[string]string) ([]Instance, error)
	// Verify makes one cheap authenticated call and returns nil if the credentials work.
	Verify(ctx context.Context) error
	// ValidateInstanceID says whether an id has the cloud's form, without asking the cloud. It is
	// called on all client input before that reaches a URL or a request.
	ValidateInstanceID(id string) error
	// DefaultUsername is the account that the cloud sets up on such an instance.
	DefaultUsername(Instance) string
	// PasswordRules are the cloud's complexity rules for a password on such an instance.
	PasswordRules(Instance) password.Rules
}

// Platform of an instance.
type Platform string

// The platforms that matter to passwords; an instance whose platform the cloud does not tell has "".
const (
	Windows Platform = "windows"
	Linux   Platform = "linux"
)

// State of an instance, as far as passwords are concerned.
type State string

// States. The cloud's own word is in Instance.CloudState.
const (
	StateRunning State = "running"
	StateStopped State = "stopped"
	// StateChanging: starting, stopping, rebooting, rescue mode and the like.
	StateChanging State = "changing"
	// StateGone: terminated or deleted. It never comes back.
	StateGone State = "gone"
)

// Instance is one server, as the cloud describes it.
type Instance struct {
	ID         string
	Name       string
	Platform   Platform
	OSName     string // the cloud's name of the operating system or image; may be empty
	State      State
	CloudState string // the cloud's own word for the state
	KeyName    string // the instance's key-pair name in the cloud; empty if it has none
	LoginUser  string // the default account, where the cloud names it; see Provider.DefaultUsername
	PrivateIP  string
	PublicIP   string
	Tags       map[string]string
	LaunchTime time.Time // zero if the cloud does not tell
	// Image, SystemDisk and SpawnTime tell whether the server's system was made again under the same id. What the cloud does not
	// tell, or tells of other things too, is empty: a start must change none of them.
	Image      string // id of the image that the system disk was made of
	SystemDisk string // id or name of the system disk
	// SpawnTime is when the cloud last made the server from its image, or did one of the things that Nova shows in the same way:
	// a resize, a rescue, an unshelve or an evacuation.
	SpawnTime time.Time
}

// InitialPasswordReader is implemented by providers whose cloud keeps an encrypted password that
// the guest made at its first boot.
type InitialPasswordReader interface {
	// InitialPassword returns the ciphertext as the cloud gave it: base64, maybe with white space.
	// It is written by the guest and therefore hostile. A password that is not there yet is an
	// Error of kind NotReady.
	InitialPassword(ctx context.Context, instanceID string) (ciphertext string, err error)
	// CheckInitialPassword reports whether the credentials may read the initial password of the
	// instance, without reading it where the cloud can do that; nil means yes or not known.
	CheckInitialPassword(ctx context.Context, instanceID string) error
	// InitialPasswordDelay is how long after launch the cloud says the password may take.
	InitialPasswordDelay() time.Duration
	// KeyFingerprint returns what the cloud prints as the fingerprint of the key pair with that
	// name, or "" if it does not tell. It only serves error messages.
	KeyFingerprint(ctx context.Context, keyName string) (string, error)
}

// InitialPasswordExplainer is implemented by providers that know why an initial password may never come.
type InitialPasswordExplainer interface {
	// WhyNoInitialPassword lists the usual causes, as the end of a sentence: "the image ..., or ...".
	WhyNoInitialPassword() string
}

// InitialPasswordClearer is implemented by providers whose cloud can delete its copy of the initial
// password.
type InitialPasswordClearer interface {
	// ClearInitialPassword deletes the cloud's copy. Clearing an already cleared one succeeds. The
	// password inside the server does not change.
	ClearInitialPassword(ctx context.Context, instanceID string) error
}

// PasswordResetters is implemented by providers that can set a password of the caller's choice, by one
// or more reset methods.
type PasswordResetters interface {
	// Resetter returns the reset method with that name, one of Descriptor.ResetMethods, or nil if the
	// provider has none of that name. What it returns is comparable, and equal for equal names.
	Resetter(method string) PasswordResetter
}

// PasswordResetter is one method of setting a password of the caller's choice. It may also be a
// ResetChecker and a ResetPreparer.
type PasswordResetter interface {
	// ResetTraits are constants of the reset method.
	ResetTraits() ResetTraits
	// StartReset asks the cloud to set the password. It sends exactly one request, at once: the
	// rotation core has waited for the limiter already, and the time of signing must be the time of
	// sending. A nil error means that the cloud accepted the request.
	StartReset(ctx context.Context, reset Reset) (ResetStarted, error)
	// ResetRecords returns what the cloud shows of each reset reference: of the reset that it names,
	// where the cloud keeps a record of each; else, and where it names none, of the instance's latest
	// operation. The result has one element per reference that exists, keyed by instance id; an
	// instance that does not exist any more is left out.
	ResetRecords(ctx context.Context, refs []ResetRef) (map[string]ResetRecord, error)
}

// ResetChecker is implemented by reset methods that cannot set every user's password on every
// instance.
type ResetChecker interface {
	// CheckReset says, without asking the cloud, why the method cannot set that user's password on
	// that instance; nil if it can, as far as can be told. It is asked when a role is written.
	CheckReset(i Instance, username string) error
}

// ResetPreparer is implemented by reset methods that need to ask the cloud, or the guest, for something
// before a password can be sent. The core calls it before it records the attempt.
type ResetPreparer interface {
	// Prepares reports whether instances of a platform need it. Those that do are reset one a request.
	Prepares(Platform) bool
	// PrepareReset returns what StartReset is to be given as Reset.Prepared; "" where the platform needs nothing. It
	// may send several requests and wait for their outcome, within the context's deadline, but it never sets a
	// password. The reset names one instance and no password yet.
	// If StartReset's outcome is that the preparation does not fit any more, the next call makes a new one.
	PrepareReset(ctx context.Context, reset Reset) (prepared string, err error)
}

// ResetBounder is implemented by reset methods whose cloud can be told until when it may accept a request.
type ResetBounder interface {
	// BoundReset fixes, before an attempt is recorded, when a request for it expires that the cloud may receive until d from
	// now. The zero bound means that this cannot be told now: the request is sent without, and ResetTraits.SignatureLifetime
	// holds. It sends nothing and does not wait.
	BoundReset(d time.Duration) ResetBound
}

// ResetBound is how long a request can be accepted.
type ResetBound struct {
	// Expires is for Reset.Expires.
	Expires time.Time
	// Within is how long after BoundReset's answer, truly counted, the cloud may accept the request at most, whenever it is
	// signed and sent. It is longer than the d that was asked for.
	Within time.Duration
}

// Reset is one request to set a password.
type Reset struct {
	InstanceIDs []string // at most ResetTraits.BatchSize; all get the same password
	Username    string
	Password    string
	ForceStop   bool // allow the cloud to shut a running instance down for the reset
	// Platform of the instances, as last described; "" if the cloud does not tell.
	Platform Platform
	// Prepared is the answer of PrepareReset, where the method is a ResetPreparer; else "".
	Prepared string
	// Order is the value's order number among those of its account, where ResetTraits.KeepsOrder is set: at least the
	// Unix time in seconds at which the value was made, and larger than that of each value before it. A request that is sent
	// again for the same value has the same number.
	Order int64
	// NotAfter is when a method with KeepsOrder must not begin with the change any more, by the server's clock.
	NotAfter time.Time
	// Expires is the Expires of a ResetBound, by the cloud's own clock: the cloud must not accept the request after it. Zero:
	// the request lives as long as ResetTraits.SignatureLifetime says.
	Expires time.Time
	// Name is our own id of the request, where ResetTraits.OwnIDs is set: 1 to 64 letters, digits and hyphens, which
	// no other request has.
	Name string
}

// ResetStarted is the cloud's answer to an accepted reset.
type ResetStarted struct {
	// RequestID is the id under which the cloud reports the outcome.
	RequestID string
	// Done is set where the answer itself is the proof of success (a synchronous API).
	Done bool
}

// ResetRef names a reset whose outcome is wanted.
type ResetRef struct {
	InstanceID string
	RequestID  string // as in ResetStarted; empty where it is not known, or to ask only for the latest operation
	// Name is Reset.Name of the request, where the method has OwnIDs; empty to ask only for the latest operation.
	Name string
	// Sent is when the request was sent, or a moment before, by this machine's clock; zero: not known.
	Sent time.Time
}

// OperationState of an operation record.
type OperationState string

// Operation states. An instance that never had an operation has OperationNone.
const (
	OperationNone    OperationState = ""
	OperationRunning OperationState = "running"
	OperationSuccess OperationState = "success"
	OperationFailed  OperationState = "failed"
)

// ResetRecord is what the cloud shows of an instance's latest operation.
type ResetRecord struct {
	OperationID string // empty if the instance has had no operation yet
	// Name is our own id of the request that the operation belongs to; empty: the cloud does not tell.
	Name  string
	State OperationState
	// Message is why the operation failed, maybe in the cloud's own words: the rotation core keeps the
	// password that was sent out of it and shortens it.
	Message string
	// Kind says what a failure means: Refused or PasswordRefused where it proves that this very reset
	// changed nothing; else empty.
	Kind Kind
	Gone bool // the instance is terminated
	// Order is the larger order that the server has, where it refused ours for it; 0: none. The server says it, so it may be
	// any up to 9,999,999,999.
	Order int64
}

// OrderDeadline is how long after an attempt's start a method with KeepsOrder may begin with the change, by the server's clock:
// Reset.NotAfter is the start and this. It is long enough for an agent that polls, and for a server's clock that is ahead by
// some minutes; what it bounds is how long a value may come late to a server where somebody set another one by hand.
const OrderDeadline = 10 * time.Minute

// ClockTolerance is by how much a clock may be wrong without an error of its own: for the server's, which may be behind, and
// for Vault's, which may have been ahead when Reset.NotAfter was made. A server without time synchronization is off by more.
const ClockTolerance = 5 * time.Minute

// ResetTraits are the constants of a reset method that the rotation core needs.
type ResetTraits struct {
	// Action is the limiter's name for the reset request, normally the API action.
	Action string
	// BatchSize is how many instances one request may name.
	BatchSize int
	// PollBatch is how many references ResetRecords takes without a further request; 0: BatchSize.
	PollBatch int
	// SignatureLifetime is the longest time after signing at which the cloud still accepts a
	// request that has no Reset.Expires, clock skew included.
	SignatureLifetime time.Duration
	// Serial is set where the cloud refuses a second operation on an instance while one runs.
	Serial bool
	// LongestOperation is the longest time that the cloud may take to carry out a request that it
	// received. If Serial, it counts only when the account's reset method is changed, since the cloud
	// orders the operations of one method then, and not those of two.
	LongestOperation time.Duration
	// VisibilityGrace is how long an accepted operation may stay invisible in the record.
	VisibilityGrace time.Duration
	// PollInterval is the usual time between two looks at the record.
	PollInterval time.Duration
	// KeepsOrder is set where the server itself refuses a value whose Reset.Order is smaller than that of the value that
	// it took last, and begins with none past Reset.NotAfter. Such a request may be carried out late, and again, without
	// harm. LongestOperation then counts from NotAfter, and only when the account's reset method or place is changed: it
	// is what the server's clock may be behind.
	KeepsOrder bool
	// OwnIDs is set where ResetRecords finds a request by its Reset.Name alone, as after a lost answer. That it
	// finds none proves nothing.
	OwnIDs bool
}

// ResetCleaner is implemented by reset methods whose records at the cloud are limited in number, or can be run again.
type ResetCleaner interface {
	// CleanReset removes the record of a reset whose outcome is known, or will never be shown. A record that is not in a
	// final state stays, and the error is of kind NotReady: removing it could end what it shows. One that does not exist
	// (any more) is no error. After any other error the record may be there, or not; the core asks again later.
	CleanReset(ctx context.Context, ref ResetRef) error
}
