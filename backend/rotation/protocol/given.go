package protocol

// Who was given a password.

import (
	"slices"
	"time"
)

const (
	// maxReaders bounds the readers that are kept with a value by name.
	maxReaders = 20
	// versionsWithReaders is how many versions keep them, the newest ones.
	versionsWithReaders = 3
	// maxClients bounds the clients of live leases that an account keeps by name.
	maxClients = 100
)

// Client is who was given a password, as far as Vault tells.
type Client struct {
	Requester
	// Address is where the request came from; empty: Vault did not tell.
	Address string `json:"address,omitempty"`
}

// KnownReader is a reader who is kept by name: an entity, or, without one, a display name.
type KnownReader struct {
	Client // as at the first read; Address: at the last one
	// OtherNames is set once the entity has read under another display name.
	OtherNames bool      `json:"other_names,omitempty"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
}

// Given is to whom a value was given. Its slice is never changed in place: records share it.
type Given struct {
	Readers []KnownReader `json:"readers,omitempty"`
	// More is set once it was given to somebody who is not among Readers.
	More bool `json:"more,omitempty"`
}

// find is the place of a reader among those that are kept by name; -1: it is not there.
func (g Given) find(r Requester) int {
	return slices.IndexFunc(g.Readers, func(k KnownReader) bool {
		if r.EntityID != "" || k.EntityID != "" {
			return r.EntityID == k.EntityID
		}
		return r.DisplayName == k.DisplayName
	})
}

// Knows reports whether the record needs no change before the value is given to a client.
func (g Given) Knows(c Client) bool {
	if c.Requester == (Requester{}) {
		return g.More
	}
	i := g.find(c.Requester)
	if i < 0 {
		return g.More && len(g.Readers) >= maxReaders
	}
	return g.Readers[i].OtherNames || g.Readers[i].DisplayName == c.DisplayName
}

// note adds a client to whom the value is given, and reports whether that must be stored before it is.
func (g *Given) note(c Client, at time.Time) bool {
	known := g.Knows(c)
	i := -1
	if c.Requester != (Requester{}) {
		i = g.find(c.Requester)
	}
	switch {
	case i >= 0:
		other := g.Readers[i].DisplayName != c.DisplayName
		g.Seen(i, c.Address, at)
		g.Readers[i].OtherNames = g.Readers[i].OtherNames || other
	case c.Requester == (Requester{}) || len(g.Readers) >= maxReaders:
		g.More = true
	default:
		g.Readers = append(slices.Clip(g.Readers), KnownReader{Client: c, First: at, Last: at})
	}
	return !known
}

// Place is the place of a client among the readers that are kept by name; -1: it is not there.
func (g Given) Place(c Client) int {
	if c.Requester == (Requester{}) {
		return -1
	}
	return g.find(c.Requester)
}

// Seen notes that the reader at a place was given the value again.
func (g *Given) Seen(place int, address string, at time.Time) {
	g.Readers = slices.Clone(g.Readers)
	r := &g.Readers[place]
	r.Address = address
	if at.After(r.Last) {
		r.Last = at
	}
}

// join adds all to whom the same value was given under another number.
func (g *Given) join(o Given) {
	g.More = g.More || o.More
	for _, r := range o.Readers {
		switch {
		case g.find(r.Requester) >= 0:
		case len(g.Readers) >= maxReaders:
			g.More = true
		default:
			g.Readers = append(slices.Clip(g.Readers), r)
		}
	}
}

// Certainty is how sure it is that somebody was given a value.
type Certainty int

// Certainties.
const (
	NotGiven Certainty = iota
	MaybeGiven
	WasGiven
)

// To says whether the value was given to somebody, who is an entity or has a display name.
func (g Given) To(who Requester) Certainty {
	sure := NotGiven
	if g.More {
		sure = MaybeGiven
	}
	for _, r := range g.Readers {
		switch {
		case who.EntityID != "" && r.EntityID == who.EntityID, who.EntityID == "" && r.DisplayName == who.DisplayName:
			return WasGiven
		case who.EntityID == "" && r.OtherNames:
			sure = MaybeGiven
		}
	}
	return sure
}
