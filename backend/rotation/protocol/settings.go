package protocol

// What an account carries of its role and of its instance.

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

// Mode of a role: how its passwords are handed out.
type Mode string

// Modes.
const (
	Leased Mode = "leased" // every answer has a lease, and its end rotates the account
	Static Mode = "static" // never a lease
)

// Source of a version.
type Source string

// Sources.
const (
	FromInitial Source = "initial" // the cloud's first-boot password, decrypted
	FromReset   Source = "reset"   // set through the cloud's reset API
	FromImport  Source = "import"  // recorded by an operator; of a role: people set all of its passwords
)

// Checkout of a leased role.
type Checkout string

// Checkouts.
const (
	Shared    Checkout = "shared"
	Exclusive Checkout = "exclusive"
)

// RotateOnRevoke of a leased role.
type RotateOnRevoke string

// Which ends of leases of the current version make an account due.
const (
	LastLease RotateOnRevoke = "last"
	AnyLease  RotateOnRevoke = "any"
)

// Settings are what the rotation of an account needs of its role. The account carries them, so that
// a role may be changed or deleted while leases exist.
type Settings struct {
	Mode     Mode     `json:"mode"`
	Source   Source   `json:"source"`
	Checkout Checkout `json:"checkout,omitempty"`
	// RotateOnRevoke is which lease's end makes a leased account due; empty: the last one's.
	RotateOnRevoke RotateOnRevoke `json:"rotate_on_revoke,omitempty"`
	// TTL and MaxTTL are those of leases; both are positive in leased mode.
	TTL    time.Duration `json:"ttl,omitempty"`
	MaxTTL time.Duration `json:"max_ttl,omitempty"`
	// Key names the private key for the initial password; empty: the instance's own key-pair name.
	Key              string        `json:"key,omitempty"`
	PasswordPolicy   string        `json:"password_policy,omitempty"`
	ForceStop        bool          `json:"force_stop,omitempty"`
	MinResetInterval time.Duration `json:"min_reset_interval,omitempty"`
	MaxVersions      int           `json:"max_versions,omitempty"`
	ClearInitial     bool          `json:"clear_initial,omitempty"`
	// CanReset is whether passwords may be reset: the provider can, and the role has it do so.
	CanReset bool `json:"can_reset,omitempty"`
	// ResetMethod names the way in which passwords are set; see cloud.Descriptor.
	ResetMethod string `json:"reset_method,omitempty"`
	// SharedPassword makes the account a member of its role's group (rule 16).
	SharedPassword bool `json:"shared_password,omitempty"`
	Schedule
	// RotateOnRead makes a static account due when it is read, at most once per RotateOnReadCooldown.
	RotateOnRead         bool          `json:"rotate_on_read,omitempty"`
	RotateOnReadCooldown time.Duration `json:"rotate_on_read_cooldown,omitempty"`
	// CheckMethod names the way in which the server's password is looked at; empty: it is not. See cloud.Descriptor.
	CheckMethod string `json:"check_method,omitempty"`
	// VerifyPeriod is the time between two checks; 0: only those that are asked for.
	VerifyPeriod time.Duration `json:"verify_period,omitempty"`
	DriftAction  DriftAction   `json:"drift_action,omitempty"`
	// ReadDrifted lets a version be handed out that the server does not have.
	ReadDrifted bool `json:"read_drifted,omitempty"`
	// CheckAddress and CheckPort say where a login by the check method finds a cloud's server; empty and 0: at the defaults.
	// CheckFirstUse lets the first host key that it shows be pinned.
	CheckAddress  cloud.AddressKind `json:"check_address,omitempty"`
	CheckPort     int               `json:"check_port,omitempty"`
	CheckFirstUse bool              `json:"check_first_use,omitempty"`
}

// Facts are what an answer tells about the instance, as last described by the cloud.
type Facts struct {
	Name       string         `json:"name,omitempty"`
	Platform   cloud.Platform `json:"platform,omitempty"`
	OSName     string         `json:"os_name,omitempty"`
	PrivateIP  string         `json:"private_ip,omitempty"`
	PublicIP   string         `json:"public_ip,omitempty"`
	KeyName    string         `json:"key_name,omitempty"`
	LaunchTime time.Time      `json:"launch_time,omitzero"`
	// Image, SystemDisk and SpawnTime are those of [cloud.Instance].
	Image      string    `json:"image,omitempty"`
	SystemDisk string    `json:"system_disk,omitempty"`
	SpawnTime  time.Time `json:"spawn_time,omitzero"`
	// Place is where the cloud described it so.
	Place Place `json:"place,omitempty"`
}

// FactsOf takes an instance's facts.
func FactsOf(i cloud.Instance) Facts {
	return Facts{Name: i.Name, Platform: i.Platform, OSName: i.OSName, PrivateIP: i.PrivateIP,
		PublicIP: i.PublicIP, KeyName: i.KeyName, LaunchTime: i.LaunchTime, Image: i.Image, SystemDisk: i.SystemDisk, SpawnTime: i.SpawnTime}
}

// Instance is the inverse of FactsOf, for the provider's pure methods.
func (f Facts) Instance(id string) cloud.Instance {
	return cloud.Instance{ID: id, Name: f.Name, Platform: f.Platform, OSName: f.OSName, PrivateIP: f.PrivateIP,
		PublicIP: f.PublicIP, KeyName: f.KeyName, LaunchTime: f.LaunchTime, Image: f.Image, SystemDisk: f.SystemDisk, SpawnTime: f.SpawnTime}
}

// Rebuild is what the cloud has shown of a server whose system seems to have been made again since the current version was
// recorded (rule 27).
type Rebuild struct {
	// Seen is when that was noticed last.
	Seen time.Time `json:"seen"`
	// Image and Disk say that the server has another image, and another system disk. Spawned is when it was launched again.
	Image   bool      `json:"image,omitempty"`
	Disk    bool      `json:"disk,omitempty"`
	Spawned time.Time `json:"spawned,omitzero"`
}
