package host

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// defaultPort is that of SSH (RFC 4251, section 8.1 names it; IANA has assigned it).
const defaultPort = 22

// How the pinned key came to be known.
const (
	// PinnedByWrite: somebody wrote it.
	PinnedByWrite = "written"
	// PinnedByFirstUse: the host showed it first, and was trusted.
	PinnedByFirstUse = "first use"
)

// Record is an entry as stored: a host, or a tombstone, which keeps what must not change while accounts of the host exist.
// Nobody changes one that is stored.
type Record struct {
	store.Header
	Connection string `json:"connection"`
	// Address is "" on the connection of a cloud, which tells it.
	Address string `json:"address,omitempty"`
	Port    int    `json:"port,omitempty"` // 0: the default
	// HostKey is in the form of cloud.Host.HostKey; "": none is pinned yet.
	HostKey         string         `json:"host_key,omitempty"`
	KeyPinned       string         `json:"key_pinned,omitempty"` // PinnedByWrite or PinnedByFirstUse, where there is a key
	KeyTime         time.Time      `json:"key_time,omitzero"`
	TrustOnFirstUse bool           `json:"trust_on_first_use,omitempty"`
	Platform        cloud.Platform `json:"platform,omitempty"` // "" on the connection of a cloud
	// LoginUser and Sudo are "" where the connection's apply.
	LoginUser string            `json:"login_user,omitempty"`
	Sudo      string            `json:"sudo,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	// Serial is another one for each server that takes the name.
	Serial  string    `json:"serial"`
	Created time.Time `json:"created"`
	// ByFirstUse is set for an entry that a login made by itself, for a server of a cloud.
	ByFirstUse bool `json:"by_first_use,omitempty"`
	// Deleted makes it a tombstone.
	Deleted time.Time `json:"deleted,omitzero"`
}

// decode reads a stored entry.
func decode(raw []byte) (*Record, error) {
	if err := store.CheckSchema(raw); err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("the stored host cannot be decoded: %w", err)
	}
	return &r, nil
}

// newRecord is an entry of a server that the mount does not know yet.
func newRecord(now time.Time) *Record {
	return &Record{Header: store.Header{Schema: store.SchemaVersion}, Serial: newSerial(), Created: now.UTC()}
}

// newSerial names a server. No two are the same.
func newSerial() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails (crypto/rand, since Go 1.24)
	return hex.EncodeToString(b)
}

// clone is a copy that may be changed.
func (r *Record) clone() *Record {
	n := *r
	n.Tags = maps.Clone(r.Tags)
	n.Schema = store.SchemaVersion
	return &n
}

// living reports whether the entry is a host, and no tombstone; nil is none.
func (r *Record) living() bool { return r != nil && r.Deleted.IsZero() }

// pin sets the host key.
func (r *Record) pin(key, how string, now time.Time) {
	r.HostKey, r.KeyPinned, r.KeyTime = key, how, now.UTC()
}

// portInForce is port with its default.
func (r *Record) portInForce() int {
	if r.Port == 0 {
		return defaultPort
	}
	return r.Port
}

// host is the entry as providers see it. The tags are shared.
func (r *Record) host(name string) cloud.Host {
	return cloud.Host{
		Name: name, Connection: r.Connection, Address: r.Address, Port: r.portInForce(), HostKey: r.HostKey, TrustOnFirstUse: r.TrustOnFirstUse,
		Platform: r.Platform, LoginUser: r.LoginUser, Sudo: r.Sudo, Tags: r.Tags, Serial: r.Serial, Created: r.Created,
	}
}
