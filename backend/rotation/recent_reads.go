package rotation

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation/protocol"
)

// recentReads are the last reads of a static version by readers whom its record knows. They need no write of their own, and go
// along with the next one. The lock of the record guards them.
type recentReads struct {
	version int
	last    []lastRead // by the reader's place in the version
}

type lastRead struct {
	at      time.Time
	address string
}

// note notes that a version was given to a client again.
func (r *recentReads) note(v *protocol.Version, to protocol.Client, at time.Time) {
	place := v.Given.Place(to)
	if place < 0 {
		return
	}
	if r.version != v.Number {
		r.version, r.last = v.Number, nil
	}
	if place >= len(r.last) {
		r.last = append(r.last, make([]lastRead, len(v.Given.Readers)-len(r.last))...)
	}
	r.last[place] = lastRead{at, to.Address}
}

// into adds what is noted to a record that is about to be written, and that nobody else has yet.
func (r *recentReads) into(a *Account) {
	v := a.Version(r.version)
	if v == nil {
		return
	}
	for place, last := range r.last {
		if place < len(v.Given.Readers) && last.at.After(v.Given.Readers[place].Last) {
			v.Given.Seen(place, last.address, last.at)
		}
	}
}

// givenOf is to whom a version was given, with what is noted.
func (r *recentReads) givenOf(v protocol.Version) protocol.Given {
	one := &Account{Versions: []Version{v}}
	r.into(one)
	return one.Versions[0].Given
}
