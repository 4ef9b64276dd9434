package protocol

// The record as it is stored.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// leaseBytes is about how long a lease is when it is encoded.
const leaseBytes = 160

// EncodeAccount is the record's JSON, as json.Marshal gives it but for the order of its parts. Every
// leased read and every end of a lease writes the record, and with many live leases these are nearly
// all of it; encoding/json takes ten times as long for them.
func EncodeAccount(a *Account) ([]byte, error) {
	if len(a.Leases) == 0 {
		return json.Marshal(a)
	}
	rest := *a
	rest.Leases = nil
	raw, err := json.Marshal(&rest)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(raw)+leaseBytes*len(a.Leases))
	out = append(out, bytes.TrimSuffix(raw, []byte("}"))...) // the schema stands before it
	out = append(out, `,"leases":{`...)
	first := true
	for nonce, l := range a.Leases {
		if !first {
			out = append(out, ',')
		}
		first = false
		if out, err = appendLease(out, nonce, l); err != nil {
			return nil, err
		}
	}
	return append(out, "}}"...), nil
}

// appendLease appends a nonce and its lease as the JSON of one member of an object.
func appendLease(out []byte, nonce string, l Lease) ([]byte, error) {
	if strings.ContainsFunc(nonce, escaped) {
		quoted, err := json.Marshal(nonce)
		if err != nil {
			return nil, err
		}
		out = append(out, quoted...)
	} else {
		out = append(out, '"')
		out = append(out, nonce...)
		out = append(out, '"')
	}
	out = append(out, `:{"version":`...)
	out = strconv.AppendInt(out, int64(l.Version), 10)
	out = append(out, `,"issued":"`...)
	out, err := l.Issued.AppendText(out)
	if err != nil {
		return nil, err
	}
	out = append(out, `","expires":"`...)
	if out, err = l.Expires.AppendText(out); err != nil {
		return nil, err
	}
	out = append(out, '"')
	if !l.Renewed.IsZero() {
		out = append(out, `,"renewed":"`...)
		if out, err = l.Renewed.AppendText(out); err != nil {
			return nil, err
		}
		out = append(out, '"')
	}
	if l.TTL != 0 {
		out = append(out, `,"ttl":`...)
		out = strconv.AppendInt(out, int64(l.TTL), 10)
	}
	if l.Owner != "" {
		quoted, err := json.Marshal(l.Owner)
		if err != nil {
			return nil, err
		}
		out = append(out, `,"owner":`...)
		out = append(out, quoted...)
	}
	if l.Client != 0 {
		out = append(out, `,"client":`...)
		out = strconv.AppendInt(out, int64(l.Client), 10)
	}
	return append(out, '}'), nil
}

// escaped reports whether a character must be escaped in a JSON string; for some that need not be it says so
// as well. Nonces that this package makes have none.
func escaped(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }

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
	a.timetable = a.Settings.Timetable()
	return &a, nil
}
