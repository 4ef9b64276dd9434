package protocol

import (
	"testing"
	"time"
)

// FuzzAccountRecords reads any record as storage may return it, plans with it and makes events of it: no panic,
// and what is written of it can be read again.
func FuzzAccountRecords(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"schema":1,"connection":"c","instance_id":"i","username":"u","versions":[{"number":1,"password":"p"}],"last_version":1,"pending":{"password":"q","attempts":[{"id":"a"}]},"leases":{"n":{"version":1}}}`))
	f.Add([]byte(`{"settings":{"source":"initial"},"role":"r","rebuilt":{"image":true}}`))
	f.Add([]byte(`{"pending":{},"old_unresolved":[{}],"versions":[{}],"due":{},"backoff":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := DecodeAccount(raw)
		if err != nil {
			return
		}
		encoded, err := EncodeAccount(a)
		if err != nil {
			return // a time beyond what JSON can hold
		}
		if _, err := DecodeAccount(encoded); err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		a.Clone()
		a.Current()
		a.AwaitsOutcome()
		_ = a.WantsFirst() || a.WantsInitial()
		a.ReplacedAt(Waiting{}, time.Now())
		_ = a.CheckRereadable(time.Now())
		if a.Rebuilt != nil {
			a.WhyRebuilt()
		}
	})
}

func FuzzAccountIDs(f *testing.F) {
	f.Add("prod/srv-1/root")
	f.Add("a//b")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err == nil && id.String() != s {
			t.Errorf("%q became %q", s, id.String())
		}
	})
}
