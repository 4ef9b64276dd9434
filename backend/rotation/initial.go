package rotation

// What is known of initial passwords that were read, by their value (rule 23). One server can be reached as another
// user's, through another connection and under another id, and a host that a connection names itself may say what it
// likes: the one thing that cannot differ is the password. So it is looked up after it was decrypted, for a host may
// write a genuine ciphertext in another way.

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/helper/locksutil"
	"github.com/hashicorp/vault/sdk/helper/salt"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

const (
	initialPrefix = "initial/"
	// initialKept is for how long a password is remembered after all accounts that have read it were forgotten, their
	// servers being gone: a cloud may have said so of a server that another connection still sees.
	initialKept = 365 * 24 * time.Hour
	// initialReaders is how many accounts are named that have read a password. One that more have read, as that of an
	// image, is remembered for good.
	initialReaders = 100
)

// initialPassword is what is stored of an initial password: under a keyed hash of it, so that storage does not tell it.
type initialPassword struct {
	Schema int `json:"schema"`
	// Role is the one to whose readers it was given, or is about to be.
	Role string `json:"role,omitempty"`
	// Accounts have read it, but for those of servers that are gone and that were forgotten since.
	Accounts []string `json:"accounts,omitempty"`
	// Several is set once a second account has read it, and Many once there are too many to name.
	Several bool `json:"several,omitempty"`
	Many    bool `json:"many,omitempty"`
	// Forgotten is when the last of the accounts was.
	Forgotten time.Time `json:"forgotten,omitzero"`
}

// read notes that an account has read the password, and reports whether that is new. Readers of its role are about to be
// given it, unless it was another role's before.
func (p *initialPassword) read(a *Account) bool {
	before := *p
	if p.Role == "" {
		p.Role = a.Role
	}
	account := a.String()
	if !slices.Contains(p.Accounts, account) {
		p.Several = p.Several || p.Many || len(p.Accounts) > 0 || !p.Forgotten.IsZero()
		if len(p.Accounts) < initialReaders {
			p.Accounts = append(slices.Clone(p.Accounts), account)
		} else {
			p.Many = true
		}
	}
	p.Forgotten = time.Time{}
	return p.Role != before.Role || p.Several != before.Several || p.Many != before.Many || !p.Forgotten.Equal(before.Forgotten) ||
		len(p.Accounts) != len(before.Accounts)
}

// forget notes that an account was forgotten whose server is gone, and reports whether that is new.
func (p *initialPassword) forget(account string, now time.Time) bool {
	i := slices.Index(p.Accounts, account)
	if i < 0 {
		return false
	}
	p.Accounts = slices.Delete(slices.Clone(p.Accounts), i, i+1)
	if len(p.Accounts) == 0 && !p.Many {
		p.Forgotten = now
	}
	return true
}

// rename notes that an account goes on under another name, and reports whether that is new.
func (p *initialPassword) rename(from, to string) bool {
	i := slices.Index(p.Accounts, from)
	if i < 0 {
		return false
	}
	p.Accounts = slices.Clone(p.Accounts)
	if slices.Contains(p.Accounts, to) {
		p.Accounts = slices.Delete(p.Accounts, i, i+1)
	} else {
		p.Accounts[i] = to
	}
	return true
}

// initialPasswords has what is stored of initial passwords. It asks nobody, and knows no record.
type initialPasswords struct {
	*env

	folders []*locksutil.LockEntry // see lock; held over storage

	mu   sync.Mutex // of salt; held over storage, while that is read for the first time
	salt *salt.Salt // nil: it has not been read yet
}

func newInitialPasswords(base *env) *initialPasswords {
	return &initialPasswords{env: base, folders: locksutil.CreateLocks()}
}

// forgetSalt has the mount's salt read again.
func (i *initialPasswords) forgetSalt() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.salt = nil
}

// key is where it is stored what is known of an initial password: its folder, and the name in there.
func (i *initialPasswords) key(ctx context.Context, id ID, password string) (folder, name string, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.salt == nil {
		ctx, cancel := writeContext(ctx)
		defer cancel()
		i.salt, err = salt.NewSalt(ctx, i.opts.Storage, &salt.Config{HMAC: sha256.New, HMACType: "hmac-sha256"})
		if err != nil {
			i.salt = nil
			return "", "", storageError("reading the mount's salt for", id, err)
		}
	}
	sum := i.salt.GetHMAC(password)
	return initialPrefix + sum[:3] + "/", sum[3:], nil
}

// initialFolder is the folder of a key.
func initialFolder(key string) string { return key[:len(initialPrefix)+4] }

// lock locks what is known of the initial passwords of a folder: of two accounts that read one at the same moment,
// the second sees the first.
func (i *initialPasswords) lock(folder string) func() {
	lock := locksutil.LockForKey(i.folders, folder)
	lock.Lock()
	return lock.Unlock
}

// note remembers that an account has read an initial password, and returns where, and what is known of it then.
// That is durable before the account's record has the password: what a crash leaves behind is at most a role that was
// never given it.
func (i *initialPasswords) note(ctx context.Context, a *Account, password string) (key string, known initialPassword, err error) {
	folder, name, err := i.key(ctx, a.ID, password)
	if err != nil {
		return "", known, err
	}
	defer i.lock(folder)()
	key = folder + name
	known, err = loadInitial(ctx, i.opts.Storage, key, a.ID)
	if err == nil && known.read(a) {
		err = saveInitial(ctx, i.opts.Storage, key, a.ID, known)
	}
	return key, known, err
}

// rename notes that an account which has read an initial password goes on under another name.
func (i *initialPasswords) rename(ctx context.Context, a *Account, to ID) error {
	if a.InitialKey == "" {
		return nil
	}
	defer i.lock(initialFolder(a.InitialKey))()
	known, err := loadInitial(ctx, i.opts.Storage, a.InitialKey, a.ID)
	if err == nil && known.rename(a.String(), to.String()) {
		err = saveInitial(ctx, i.opts.Storage, a.InitialKey, a.ID, known)
	}
	return err
}

// forget notes that an account was forgotten whose server is gone. What was forgotten long ago is deleted, as far as
// it is in the same folder: so there is never much more than the servers of a year.
func (i *initialPasswords) forget(ctx context.Context, a *Account) error {
	folder := initialFolder(a.InitialKey)
	defer i.lock(folder)()
	known, err := loadInitial(ctx, i.opts.Storage, a.InitialKey, a.ID)
	if err == nil && known.forget(a.String(), i.opts.Now()) {
		err = saveInitial(ctx, i.opts.Storage, a.InitialKey, a.ID, known)
	}
	if err != nil {
		return err
	}
	names, err := i.opts.Storage.List(ctx, folder)
	if err != nil {
		return storageError("listing what is known of initial passwords for", a.ID, err)
	}
	for _, name := range names {
		known, err := loadInitial(ctx, i.opts.Storage, folder+name, a.ID)
		if err != nil {
			return err
		}
		if known.Forgotten.IsZero() || !i.clock.read().Passed(known.Forgotten.Add(initialKept)) {
			continue
		}
		if err := deleteRecord(ctx, i.opts.Storage, folder+name); err != nil {
			return storageError("deleting what is known of an initial password for", a.ID, err)
		}
	}
	return nil
}

func loadInitial(ctx context.Context, s logical.Storage, key string, id ID) (initialPassword, error) {
	var p initialPassword
	raw, err := s.Get(ctx, key)
	if err != nil {
		return p, storageError("reading what is known of the initial password of", id, err)
	}
	if raw == nil {
		return p, nil
	}
	if err := json.Unmarshal(raw.Value, &p); err != nil {
		return p, storageError("decoding what is known of the initial password of", id, err)
	}
	if p.Schema > protocol.SchemaVersion {
		return p, protocol.Errorf(Unavailable, "what is known of the initial password of account %s has schema %d, newer than %d: run the "+
			"newer plugin version that wrote it", id, p.Schema, protocol.SchemaVersion)
	}
	return p, nil
}

func saveInitial(ctx context.Context, s logical.Storage, key string, id ID, p initialPassword) error {
	ctx, cancel := writeContext(ctx)
	defer cancel()
	p.Schema = protocol.SchemaVersion
	raw, err := json.Marshal(p)
	if err != nil {
		return storageError("encoding what is known of the initial password of", id, err)
	}
	if err := s.Put(ctx, &logical.StorageEntry{Key: key, Value: raw}); err != nil {
		return storageError("writing what is known of the initial password of", id, err)
	}
	return nil
}
