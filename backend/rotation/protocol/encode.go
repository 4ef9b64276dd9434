package protocol

// The record as it is stored.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unique"
)

// About how long the parts are that are encoded by hand.
const (
	leaseBytes   = 160
	versionBytes = 640
	readerBytes  = 190
)

// EncodeAccount is the record's JSON, as json.Marshal gives it but for the order of its parts. Every
// leased read and every end of a lease writes the record, which is mostly leases, versions and their
// readers, and these mostly times, for which encoding/json takes about ten times as long.
func EncodeAccount(a *Account) ([]byte, error) {
	raw, err := json.Marshal(rest{Account: a})
	if err != nil {
		return nil, err
	}
	size := len(raw) + leaseBytes*len(a.Leases)
	for i := range a.Versions {
		size += versionBytes + readerBytes*len(a.Versions[i].Given.Readers)
	}
	w := jsonWriter{out: make([]byte, 0, size)}
	w.out = append(w.out, bytes.TrimSuffix(raw, []byte("}"))...) // the schema stands before what follows
	if len(a.Versions) > 0 {
		w.name("versions")
		w.list('[')
		for i := range a.Versions {
			w.version(&a.Versions[i])
		}
		w.end(']')
	}
	if len(a.Leases) > 0 {
		w.name("leases")
		w.list('{')
		for nonce, l := range a.Leases {
			w.key(nonce)
			w.lease(l)
		}
		w.end('}')
	}
	w.end('}')
	return w.out, w.err
}

// rest is a record without what is written by hand. It holds no copy of that: encoding/json passes over the fields of an embedded
// struct whose names the outer one has, and over those of the outer one, as they are empty.
type rest struct {
	*Account
	Versions *struct{} `json:"versions,omitempty"`
	Leases   *struct{} `json:"leases,omitempty"`
}

func (w *jsonWriter) version(v *Version) {
	w.list('{')
	w.number("number", int64(v.Number))
	w.text("password", v.Password)
	w.text("source", string(v.Source))
	w.time("created", v.Created)
	w.flag("confirmed", v.Confirmed)
	w.someTime("disclosed", v.Disclosed)
	w.someTime("until", v.Until)
	w.someTime("ended", v.Ended)
	w.flag("known", v.Known)
	w.someText("batch", v.Batch)
	w.someText("place", string(v.Place))
	w.someText("roles", string(v.Roles))
	if len(v.Given.Readers) > 0 || v.Given.More {
		w.name("given")
		w.given(v.Given)
	}
	if v.Change != (Change{}) {
		w.name("change")
		w.change(&v.Change)
	}
	w.end('}')
}

func (w *jsonWriter) given(g Given) {
	w.list('{')
	if len(g.Readers) > 0 {
		w.name("readers")
		w.list('[')
		for i := range g.Readers {
			r := &g.Readers[i]
			w.list('{')
			w.requester(r.Requester)
			w.someText("address", r.Address)
			w.flag("other_names", r.OtherNames)
			w.time("first", r.First)
			w.time("last", r.Last)
			w.end('}')
		}
		w.end(']')
	}
	w.flag("more", g.More)
	w.end('}')
}

func (w *jsonWriter) change(c *Change) {
	w.list('{')
	w.text("reason", string(c.Reason))
	w.time("since", c.Since)
	if c.By != (Requester{}) {
		w.name("by")
		w.list('{')
		w.requester(c.By)
		w.end('}')
	}
	w.someTime("begun", c.Begun)
	w.someNumber("attempts", int64(c.Attempts))
	w.someText("request_id", c.RequestID)
	w.flag("checked", c.Checked)
	w.flag("force_stop", c.ForceStop)
	w.end('}')
}

func (w *jsonWriter) requester(r Requester) {
	w.someText("entity_id", r.EntityID)
	w.someText("display_name", r.DisplayName)
}

func (w *jsonWriter) lease(l Lease) {
	w.list('{')
	w.number("version", int64(l.Version))
	w.time("issued", l.Issued)
	w.time("expires", l.Expires)
	w.someTime("renewed", l.Renewed)
	w.someNumber("ttl", int64(l.TTL))
	w.someText("owner", l.Owner)
	w.someNumber("client", int64(l.Client))
	w.end('}')
}

// SchemaVersion of Account records. A record of a newer schema is refused, not guessed at.
const SchemaVersion = 1

// DecodeAccount reads a record, and parses its schedule once.
func DecodeAccount(raw []byte) (*Account, error) {
	var a Account
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, fmt.Errorf("the account's record cannot be read: %w", err)
	}
	if a.Schema > SchemaVersion {
		return nil, fmt.Errorf("the account's record has schema %d, newer than %d: run the newer plugin version that wrote it", a.Schema,
			SchemaVersion)
	}
	a.keepTimetable()
	a.shareText()
	return &a, nil
}

// shareText has records share the text that many of them have: that of a role's settings, of a connection's place, and of images.
func (a *Account) shareText() {
	s := &a.Settings
	share(&a.Provider, &a.Role, &a.LastRole, &s.Key, &s.PasswordPolicy, &s.ResetMethod, &s.Cron, &s.Timezone, &s.CheckMethod, &a.Facts.OSName,
		&a.Facts.KeyName, &a.Facts.Image)
	share(&s.CheckAddress)
	share(&s.Mode)
	share(&s.Source)
	share(&s.Checkout)
	share(&a.Facts.Platform)
	share(&a.Place, &a.Facts.Place)
	for i := range a.Trusted {
		share(&a.Trusted[i])
	}
	for i := range a.Leftovers {
		share(&a.Leftovers[i].Method)
		share(&a.Leftovers[i].Place)
	}
	for i := range a.Versions {
		share(&a.Versions[i].Source)
		share(&a.Versions[i].Place)
		share(&a.Versions[i].Roles)
		share(&a.Versions[i].Change.Reason)
	}
}

func share[T ~string](texts ...*T) {
	for _, text := range texts {
		if *text != "" {
			*text = unique.Make(*text).Value()
		}
	}
}
