package campaign

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/store"
)

// Kind is which path took an order.
type Kind string

// Kinds of orders.
const (
	RotateRole       Kind = "rotate-role"
	RotateConnection Kind = "rotate-connection"
	RotateReader     Kind = "rotate-reader"
	VerifyRole       Kind = "verify"
	VerifyConnection Kind = "verify-connection"
)

// Order is what somebody has ordered.
type Order struct {
	Kind       Kind   `json:"kind"`
	Role       string `json:"role,omitempty"`
	Connection string `json:"connection,omitempty"`
	// Reader is whose passwords are to be rotated.
	Reader rotation.Requester `json:"reader,omitzero"`
	// Action is the drift_action of checks; empty: what roles say.
	Action rotation.DriftAction `json:"action,omitempty"`
	// By is who gave the order.
	By rotation.Requester `json:"by,omitzero"`
}

// covers reports whether an order is about everything that an earlier one was about.
func (o Order) covers(earlier Order) bool {
	earlier.By = o.By
	return o == earlier
}

// isCheck reports whether servers are only looked at.
func (o Order) isCheck() bool { return o.Kind == VerifyRole || o.Kind == VerifyConnection }

// engineOrder is the order as the engine takes it.
func (r *record) engineOrder() rotation.Order {
	o := rotation.Order{Check: r.isCheck(), Role: r.Role, Action: r.Action, Given: r.Created, Gone: r.Kind == RotateRole}
	switch {
	case o.Check:
	case r.Kind == RotateReader:
		o.Reason = rotation.DueReader
	default:
		o.Reason = rotation.DueManual
	}
	return o
}

// EndReason is why a campaign has ended.
type EndReason string

// Reasons.
const (
	// Completed: each account is done or skipped.
	Completed EndReason = "completed"
	// Superseded: a later order was about the same accounts.
	Superseded EndReason = "superseded"
	// Expired: something was left to be done for Lifetime. It stays due.
	Expired EndReason = "expired"
	// Lost: a part of its list is missing in storage. What of that was not ordered yet is not ordered.
	Lost EndReason = "lost"
)

// skipLost is how accounts are counted of which a lost list does not tell any more how far they are.
const skipLost rotation.SkipReason = "lost"

// lostCounts are those of a campaign whose list is lost.
func (r *record) lostCounts() *Counts {
	c := new(Counts)
	c.skip(skipLost, r.Total)
	return c
}

// Lifetime is after how long a campaign ends though something is left to be done.
const Lifetime = 30 * 24 * time.Hour

// record is a campaign as it is stored.
type record struct {
	store.Header
	Order
	Created time.Time `json:"created"`
	// Total is how many accounts it is about, and Refused which of them were left out when the order was given.
	Total   int                         `json:"total"`
	Refused map[rotation.SkipReason]int `json:"refused,omitempty"`
	Parts   int                         `json:"parts"`
	// Ended is set for good, with what was counted then.
	Ended  time.Time `json:"ended,omitzero"`
	Reason EndReason `json:"end_reason,omitempty"`
	Counts *Counts   `json:"counts,omitempty"`
}

// Counts are how many accounts are how far.
type Counts struct {
	Done      int `json:"done,omitempty"`
	Failed    int `json:"failed,omitempty"`
	Waiting   int `json:"waiting,omitempty"`
	Skipped   int `json:"skipped,omitempty"`
	Unordered int `json:"unordered,omitempty"`
	// Skips are those that were skipped, by the reason, and Results those that were checked, by what was found.
	Skips   map[rotation.SkipReason]int  `json:"skips,omitempty"`
	Results map[rotation.CheckResult]int `json:"results,omitempty"`
}

// Final reports whether nothing is left to be done.
func (c *Counts) Final() bool { return c.Failed+c.Waiting+c.Unordered == 0 }

// add adds the counts of others.
func (c *Counts) add(more *Counts) {
	c.Done += more.Done
	c.Failed += more.Failed
	c.Waiting += more.Waiting
	c.Unordered += more.Unordered
	for reason, n := range more.Skips {
		c.skip(reason, n)
	}
	for result, n := range more.Results {
		c.found(result, n)
	}
}

func (c *Counts) skip(reason rotation.SkipReason, n int) {
	if n == 0 {
		return
	}
	if c.Skips == nil {
		c.Skips = map[rotation.SkipReason]int{}
	}
	c.Skipped += n
	c.Skips[reason] += n
}

func (c *Counts) found(result rotation.CheckResult, n int) {
	if c.Results == nil {
		c.Results = map[rotation.CheckResult]int{}
	}
	c.Results[result] += n
}

// clone is a copy that shares nothing.
func (c *Counts) clone() *Counts {
	copied := *c
	copied.Skips, copied.Results = maps.Clone(c.Skips), maps.Clone(c.Results)
	return &copied
}

// part is a piece of the list of a campaign's accounts.
type part struct {
	store.Header
	// Carried is set once the order was carried out for all of it.
	Carried bool `json:"carried,omitempty"`
	// Counts stand for the accounts once nothing is left to be done.
	Counts *Counts `json:"counts,omitempty"`
	Items  []item  `json:"items,omitempty"`
}

// item is an account of the list. Its names are short, since there may be a hundred thousand.
type item struct {
	Account string `json:"a"`
	// Accounts is how many it stands for, if not one.
	Accounts int                 `json:"n,omitempty"`
	Before   int                 `json:"v,omitempty"`
	Follow   bool                `json:"f,omitempty"`
	Skip     rotation.SkipReason `json:"s,omitempty"`
	// Carried is set once the order was carried out for it.
	Carried bool `json:"c,omitempty"`
}

// itemOf is how an account is stored.
func itemOf(o rotation.Ordered) item {
	i := item{Account: o.ID.String(), Before: o.Before, Follow: o.Follow}
	if o.Accounts > 1 {
		i.Accounts = o.Accounts
	}
	return i
}

// ordered is the account as the engine takes it.
func (i *item) ordered() (rotation.Ordered, error) {
	id, err := rotation.ParseID(i.Account)
	return rotation.Ordered{ID: id, Accounts: max(1, i.Accounts), Before: i.Before, Follow: i.Follow}, err
}

// partBytes and partItems bound a part. Vault's Raft storage takes 512 KiB as one entry; names have up to 128 bytes.
const (
	partBytes = 128 << 10
	partItems = 1000
)

// cut divides a list into parts, the first of which has the accounts that are carried out while the order is taken.
func cut(list []rotation.Ordered, first int) []*part {
	var parts []*part
	size := 0
	for n, o := range list {
		i := itemOf(o)
		size += len(i.Account) + 64
		if n == 0 || n == first || size > partBytes || len(parts[len(parts)-1].Items) == partItems {
			parts = append(parts, &part{Header: store.Header{Schema: store.SchemaVersion}})
			size = len(i.Account) + 64
		}
		last := parts[len(parts)-1]
		last.Items = append(last.Items, i)
	}
	return parts
}

// errUnreadable is the error of an entry that is there and cannot be decoded.
var errUnreadable = errors.New("the stored entry cannot be read")

// decode reads what was stored, unless a newer version of the plugin has written it.
func decode[T any](raw []byte) (*T, error) {
	if err := store.CheckSchema(raw); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	var value T
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return &value, nil
}
