package model

import (
	"cmp"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/guestos"
)

// State is the state of a server, in words of no cloud. API packages map
// them. Any other word may be set by SetState to play a rare state; Tencent's
// API shows it in upper case (rescue_mode -> RESCUE_MODE).
type State string

// The usual states.
const (
	StatePending    State = "pending"
	StateRunning    State = "running"
	StateStarting   State = "starting"
	StateStopping   State = "stopping"
	StateStopped    State = "stopped"
	StateRebooting  State = "rebooting"
	StateTerminated State = "terminated"
)

// Platforms of a server.
const (
	Linux   = "linux"
	Windows = "windows"
)

// Server is a simulated server. Fields left empty when it is added are filled
// in with plausible values.
type Server struct {
	Cloud     Cloud  `json:"cloud,omitempty"`
	ID        string `json:"id,omitempty"`
	AccountID string `json:"account_id,omitempty"`
	ProjectID string `json:"project_id,omitempty"` // Keystone clouds
	Region    string `json:"region,omitempty"`
	Name      string `json:"name,omitempty"`
	// ResourceGroup is where an Azure server is; default DefaultResourceGroup. In it, names are unique whatever their case.
	ResourceGroup string `json:"resource_group,omitempty"`

	Platform string `json:"platform,omitempty"` // Linux or Windows
	OSName   string `json:"os_name,omitempty"`  // as Tencent prints it, "Ubuntu Server 22.04 LTS 64bit"
	State    State  `json:"state,omitempty"`
	// StopCharging marks a stopped server that is not billed, on Tencent Cloud and on Azure, which calls it deallocated.
	StopCharging bool `json:"stop_charging,omitempty"`
	// RestrictState is Tencent's billing state; default NORMAL.
	RestrictState string `json:"restrict_state,omitempty"`
	// LockReasons are why Alibaba Cloud has locked the server: financial, security, Recycling, ...
	LockReasons []string `json:"lock_reasons,omitempty"`
	// LoginAsNonRoot marks a server of Alibaba Cloud whose image logs in as ecs-user.
	LoginAsNonRoot bool `json:"login_as_non_root,omitempty"`
	// NoOSProfile marks a server of Azure that was made from a specialized disk, NoExtensions one that was made with
	// allowExtensionOperations=false.
	NoOSProfile  bool `json:"no_os_profile,omitempty"`
	NoExtensions bool `json:"no_extensions,omitempty"`

	KeyName string `json:"key_name,omitempty"` // launch key pair
	ImageID string `json:"image_id,omitempty"`
	// ImageProperties are the image's, on OpenStack. nil makes those of an image whose guest agent sets
	// passwords; see AdminUser.
	ImageProperties map[string]string `json:"image_properties,omitempty"`
	VPCID           string            `json:"vpc_id,omitempty"`
	SubnetID        string            `json:"subnet_id,omitempty"`
	PrivateIP       string            `json:"private_ip,omitempty"`
	PublicIP        string            `json:"public_ip,omitempty"`
	ElasticIP       string            `json:"elastic_ip,omitempty"` // Alibaba Cloud's EIP
	Tags            map[string]string `json:"tags,omitempty"`
	Metadata        map[string]string `json:"metadata,omitempty"` // Nova metadata beyond what the API adds
	Created         time.Time         `json:"created,omitzero"`   // operation clock, as the next two
	// Launched is when its system disk was made, by default with it; Started is when it was last started.
	Launched time.Time `json:"launched,omitzero"`
	Started  time.Time `json:"started,omitzero"`
	// DiskID tells its system disk from earlier ones; "" for the first.
	DiskID string `json:"disk_id,omitempty"`

	// InitialPassword is what the guest made at first boot, in clear.
	InitialPassword string `json:"initial_password,omitempty"`
	// InitialUser has InitialPassword; default by platform.
	InitialUser string `json:"initial_user,omitempty"`
	// ReadyAfter is how long after Launched the guest publishes the
	// ciphertext of InitialPassword. Only a Windows server with an RSA launch
	// key pair ever does.
	ReadyAfter time.Duration `json:"ready_after,omitempty"`
	// Ciphertext overrides what the guest publishes; it may be rubbish.
	Ciphertext string `json:"ciphertext,omitempty"`
	// Cleared tells that the cloud's copy was deleted.
	Cleared bool `json:"cleared,omitempty"`

	// Logins are the guest's users and their current passwords.
	Logins map[string]string `json:"logins,omitempty"`
	// Hashes are the passwords, in the form of crypt(3), of users whose password a command set: nobody
	// here knows it in clear, and their entry in Logins is empty.
	Hashes map[string]string `json:"hashes,omitempty"`
	// Guest is the inside of the server, as far as commands go.
	Guest Guest `json:"guest,omitzero"`
	// WrongTries are the wrong passwords that the accounts of a Windows server have counted.
	WrongTries map[string]guestos.WrongTries `json:"wrong_tries,omitempty"`

	// Orders are what the registry of a Windows server notes of accounts: the order of the value that each took last.
	Orders map[string]string `json:"orders,omitempty"`

	// Latest is what the cloud shows of the latest operation.
	Latest Operation `json:"latest"`
	// Locked servers of OpenStack refuse actions of others than administrators.
	Locked bool `json:"locked,omitempty"`
	// Busy is true while an operation runs.
	Busy bool `json:"busy,omitempty"`
}

// server is a Server inside the world, with what no API shows.
type server struct {
	Server
	op *running
	// guestKey is the key pair that a Windows server keeps for commands.
	guestKey *rsa.PrivateKey
	// hidden is the newest record while the visible one lags behind.
	hidden *Operation
	// snapshots are copies of its disk, by id.
	snapshots map[string]Snapshot
}

// DefaultResourceGroup is the resource group of an Azure server that names none.
const DefaultResourceGroup = "demo"

// NoImage is the ImageID of a server of OpenStack that was booted from a volume.
const NoImage = "-"

// ErrNoServer says that an id belongs to no server.
var ErrNoServer = errors.New("no such server")

// IsWindows says whether the server runs Windows.
func (s Server) IsWindows() bool { return s.Platform == Windows }

// DefaultUser is the account that the cloud's image logs in with:
// Administrator on Windows, ubuntu on Tencent's Ubuntu images, ecs-user on images
// of Alibaba Cloud that say so, azureuser on Azure (Windows too: there the built-in administrator is renamed), else root.
func (s Server) DefaultUser() string {
	switch {
	case s.Cloud == Azure:
		return "azureuser"
	case s.IsWindows():
		return "Administrator"
	case s.Cloud == TencentCloud && len(s.OSName) >= 6 && s.OSName[:6] == "Ubuntu":
		return "ubuntu"
	case s.Cloud == AlibabaCloud && s.LoginAsNonRoot:
		return "ecs-user"
	default:
		return "root"
	}
}

// Login finds a user of the guest by name and returns the name as the guest
// writes it and the password.
func (s Server) Login(user string) (name, password string, ok bool) {
	for _, name := range sortedKeys(s.Logins) {
		if foldEqual(s.IsWindows(), name, user) {
			return name, s.Logins[name], true
		}
	}
	return "", "", false
}

// ReadyAt is when the guest publishes the ciphertext of its initial password.
func (s Server) ReadyAt() time.Time { return s.Launched.Add(s.ReadyAfter) }

// AddServer adds a server and fills in what is empty. It fails for an
// account, project or key pair that does not exist and for an id in use.
func (w *World) AddServer(s Server) (Server, error) {
	defer w.enter()()
	if err := w.checkPlace(s); err != nil {
		return Server{}, err
	}
	s.ID = cmp.Or(s.ID, w.serverID(s.Cloud))
	if w.servers[s.ID] != nil {
		return Server{}, fmt.Errorf("server %q: the id is in use", s.ID)
	}
	if err := w.fill(&s); err != nil {
		return Server{}, err
	}
	in := &server{Server: s.clone()}
	w.servers[s.ID] = in
	w.order = append(w.order, s.ID)
	return in.copy(), nil
}

// checkPlace checks that what a new server refers to exists.
func (w *World) checkPlace(s Server) error {
	a := w.accounts[accountID{s.Cloud, s.AccountID}]
	switch {
	case a == nil:
		return fmt.Errorf("server %q: account %q of cloud %q does not exist; add it first", s.Name, s.AccountID, s.Cloud)
	case !a.HasRegion(s.Region):
		return fmt.Errorf("server %q: account %q has no region %q", s.Name, s.AccountID, s.Region)
	case s.ProjectID != "" && w.projects[projectID{s.Cloud, s.ProjectID}] == nil:
		return fmt.Errorf("server %q: project %q does not exist; add it first", s.Name, s.ProjectID)
	case s.Platform != "" && s.Platform != Linux && s.Platform != Windows:
		return fmt.Errorf("server %q: platform %q; use %q or %q", s.Name, s.Platform, Linux, Windows)
	case s.Cloud == Azure && w.nameTaken(s):
		return fmt.Errorf("server %q: resource group %q has one of that name", s.Name, cmp.Or(s.ResourceGroup, DefaultResourceGroup))
	case s.KeyName != "" && w.keyPair(s.Cloud, s.AccountID, s.Region, s.KeyName) == nil:
		return fmt.Errorf("server %q: key pair %q does not exist; import it first", s.Name, s.KeyName)
	}
	return nil
}

// nameTaken says whether the resource group of a new Azure server has one of its name.
func (w *World) nameTaken(s Server) bool {
	for _, other := range w.servers {
		if other.Cloud == Azure && other.AccountID == s.AccountID && strings.EqualFold(other.Name, s.Name) &&
			strings.EqualFold(other.ResourceGroup, cmp.Or(s.ResourceGroup, DefaultResourceGroup)) {
			return true
		}
	}
	return false
}

func (w *World) fill(s *Server) error {
	n := len(w.order) + 1
	s.Name = cmp.Or(s.Name, fmt.Sprintf("server-%d", n))
	s.Platform = cmp.Or(s.Platform, Linux)
	if s.OSName == "" {
		s.OSName = map[string]string{
			Linux:   "TencentOS Server 3.1 (TK4)",
			Windows: "Windows Server 2022 DataCenter 64bit EN",
		}[s.Platform]
		if s.Cloud == AlibabaCloud && !s.IsWindows() {
			s.OSName = "Alibaba Cloud Linux  3.2104 LTS 64 bit"
		}
	}
	if s.Cloud == Azure {
		s.ResourceGroup = cmp.Or(s.ResourceGroup, DefaultResourceGroup)
	}
	if s.Cloud == OpenStack {
		s.ImageProperties = imageProperties(s)
	}
	s.State = cmp.Or(s.State, StateRunning)
	s.RestrictState = cmp.Or(s.RestrictState, "NORMAL")
	s.PrivateIP = cmp.Or(s.PrivateIP, fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255))
	if s.Created.IsZero() {
		s.Created = w.now()
	}
	if s.Launched.IsZero() {
		s.Launched = s.Created
	}
	if s.Started.IsZero() {
		s.Started = s.Launched
	}
	switch s.Cloud {
	case AWS:
		s.ImageID = cmp.Or(s.ImageID, "ami-"+w.random(hexDigits, 17))
		s.VPCID = cmp.Or(s.VPCID, "vpc-"+w.random(hexDigits, 17))
		s.SubnetID = cmp.Or(s.SubnetID, "subnet-"+w.random(hexDigits, 17))
	case TencentCloud:
		s.ImageID = cmp.Or(s.ImageID, "img-"+w.random(base36, 8))
		s.VPCID = cmp.Or(s.VPCID, "vpc-"+w.random(base36, 8))
		s.SubnetID = cmp.Or(s.SubnetID, "subnet-"+w.random(base36, 8))
	case AlibabaCloud:
		s.ImageID = cmp.Or(s.ImageID, "m-"+w.random(base36, 20))
		s.VPCID = cmp.Or(s.VPCID, "vpc-"+w.random(base36, 21))
		s.SubnetID = cmp.Or(s.SubnetID, "vsw-"+w.random(base36, 21))
	default:
		s.ImageID = cmp.Or(s.ImageID, w.uuid())
		s.VPCID = cmp.Or(s.VPCID, w.uuid())
		s.SubnetID = cmp.Or(s.SubnetID, w.uuid())
	}
	s.InitialPassword = cmp.Or(s.InitialPassword, w.initialPassword())
	s.InitialUser = cmp.Or(s.InitialUser, s.DefaultUser())
	w.fillLogins(s)
	return w.fillCiphertext(s)
}

// fillLogins gives the guest the users of its image.
func (w *World) fillLogins(s *Server) {
	s.Logins = maps.Clone(s.Logins)
	if s.Logins == nil {
		s.Logins = map[string]string{}
	}
	if _, _, ok := s.Login(s.InitialUser); !ok {
		s.Logins[s.InitialUser] = s.InitialPassword
	}
	if !s.IsWindows() && s.Logins["root"] == "" {
		s.Logins["root"] = w.initialPassword()
	}
}

// fillCiphertext is what a guest publishes that can.
func (w *World) fillCiphertext(s *Server) error {
	if s.Ciphertext == "" && s.IsWindows() && s.KeyName != "" {
		if p := w.keyPair(s.Cloud, s.AccountID, s.Region, s.KeyName); p.PublicKey != nil {
			sealed, err := p.seal(s.InitialPassword)
			if err != nil {
				return fmt.Errorf("server %q: %w", s.Name, err)
			}
			s.Ciphertext = sealed
		}
	}
	return nil
}

// Server finds a server by id. A terminated server stays visible.
func (w *World) Server(id string) (Server, bool) {
	defer w.enter()()
	s := w.servers[id]
	if s == nil {
		return Server{}, false
	}
	return s.copy(), true
}

// Servers lists the servers that match, in order of creation. A nil match
// takes all.
func (w *World) Servers(match func(Server) bool) []Server {
	defer w.enter()()
	var out []Server
	for _, id := range w.order {
		// Judge before cloning: a big world is listed page by page.
		s := w.servers[id]
		view := s.Server
		view.Busy = s.op != nil
		if match == nil || match(view) {
			out = append(out, s.copy())
		}
	}
	return out
}

// EncryptedPassword returns the ciphertext of the initial password in one
// line of base64, or "" when there is none (yet, or any more).
func (w *World) EncryptedPassword(id string) (string, error) {
	defer w.enter()()
	s := w.servers[id]
	switch {
	case s == nil:
		return "", fmt.Errorf("server %q: %w", id, ErrNoServer)
	case s.Cleared, w.now().Before(s.ReadyAt()):
		return "", nil
	default:
		return s.Ciphertext, nil
	}
}

// ClearPassword deletes the cloud's copy of the initial password. The guest
// keeps the password.
func (w *World) ClearPassword(id string) error {
	return w.change(id, func(s *server) { s.Cleared = true })
}

// SetTags replaces a server's tags.
func (w *World) SetTags(id string, tags map[string]string) error {
	return w.change(id, func(s *server) { s.Tags = maps.Clone(tags) })
}

// SetLogin changes a password inside the guest, as an administrator of the
// server would, without the cloud's knowledge.
func (w *World) SetLogin(id, user, password string) error {
	return w.change(id, func(s *server) {
		if name, _, ok := s.Login(user); ok {
			user = name
		}
		s.setLogin(user, password, "")
	})
}

// RemoveLogin removes a user from the guest, as userdel would.
func (w *World) RemoveLogin(id, user string) error {
	return w.change(id, func(s *server) {
		if name, _, ok := s.Login(user); ok {
			delete(s.Logins, name)
			delete(s.Hashes, name)
		}
	})
}

// SetState puts a server into a state at once, without an operation.
func (w *World) SetState(id string, state State) error {
	return w.change(id, func(s *server) { s.State = state })
}

// SetLocked locks a server, or unlocks it.
func (w *World) SetLocked(id string, locked bool) error {
	return w.change(id, func(s *server) { s.Locked = locked })
}

// Terminate ends a server. What it ran stops, and no login works any more.
func (w *World) Terminate(id string) error {
	return w.change(id, w.terminate)
}

// Remove makes a server vanish without a trace.
func (w *World) Remove(id string) error {
	defer w.enter()()
	if w.servers[id] == nil {
		return fmt.Errorf("server %q: %w", id, ErrNoServer)
	}
	w.terminate(w.servers[id]) // ends what it ran
	delete(w.servers, id)
	w.order = slices.DeleteFunc(w.order, func(o string) bool { return o == id })
	return nil
}

func (w *World) terminate(s *server) {
	s.State = StateTerminated
	if s.op != nil {
		s.op.cancelled = true
		s.op = nil
	}
	w.endCommands(s)
}

// change runs f on one server under the lock.
func (w *World) change(id string, f func(*server)) error {
	defer w.enter()()
	s := w.servers[id]
	if s == nil {
		return fmt.Errorf("server %q: %w", id, ErrNoServer)
	}
	f(s)
	return nil
}

// copy returns what others may see and keep.
func (s *server) copy() Server {
	out := s.clone()
	out.Busy = s.op != nil
	return out
}

func (s Server) clone() Server {
	s.Tags, s.Metadata, s.Logins, s.Hashes = maps.Clone(s.Tags), maps.Clone(s.Metadata), maps.Clone(s.Logins), maps.Clone(s.Hashes)
	s.LockReasons = slices.Clone(s.LockReasons)
	s.ImageProperties, s.WrongTries, s.Orders = maps.Clone(s.ImageProperties), maps.Clone(s.WrongTries), maps.Clone(s.Orders)
	return s
}
