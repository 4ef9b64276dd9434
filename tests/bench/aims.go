package bench

import "fmt"

// Names of the targets.
const (
	health      = "sys/health"
	kv          = "KV v1"
	floorRead   = "floor: nothing"
	floorStored = "floor: one storage get"
	floorLeased = "floor: leased"
	ownRead     = "cloudpw: scheduled static role"
	ownLeased   = "cloudpw: leased role"
	ownCrowd    = "cloudpw: leased role, 16 readers an account"
	ldapRead    = "OpenLDAP: static-cred"
	ldapLeased  = "OpenLDAP: creds"
)

// many is the larger of the two numbers of clients.
const many = 16

// aim is a figure to reach: a target's ratio to another one.
type aim struct {
	figure  string
	target  string
	against string
	// limit is 0 where nothing is aimed at: the figure shows what the ones before and after it can be.
	limit float64
	// rate: the rate of revocation, which is to be at least the limit. Otherwise the p50 of a read, at most the limit.
	rate bool
	// inmem: the figure is aimed at on inmem only.
	inmem bool
}

var allAims = []aim{
	{figure: "static role's read / floor", target: ownRead, against: floorRead, limit: 1.10},
	{figure: "static role's read / OpenLDAP's `static-cred`", target: ownRead, against: ldapRead, limit: 0.8},
	{figure: "leased read / leased floor", target: ownLeased, against: floorLeased, limit: 1.5, inmem: true},
	{figure: "leased read / OpenLDAP's `creds`", target: ownLeased, against: ldapLeased, limit: 0.7},
	{figure: "the leased floor / OpenLDAP's `creds`", target: floorLeased, against: ldapLeased},
	{figure: "rate of revocation / OpenLDAP's", target: ownLeased, against: ldapLeased, limit: 3, rate: true},
	{figure: "the floor's rate of revocation / OpenLDAP's", target: floorLeased, against: ldapLeased, rate: true},
	{figure: "rate of revocation / the floor's", target: ownLeased, against: floorLeased, rate: true},
}

// aims shows what was aimed at beside what came out. What misses its aim is bold.
func (r *Report) aims(t *table) {
	t.head("figure", "aim", "inmem, 1 client", "inmem, 16", "raft, 1 client", "raft, 16")
	for _, a := range allAims {
		cells := []string{a.figure, a.wanted()}
		for _, storage := range []string{"inmem", "raft"} {
			for _, clients := range []int{1, many} {
				cells = append(cells, r.outcome(a, storage, clients))
			}
		}
		t.row(cells...)
	}
}

func (a aim) wanted() string {
	switch {
	case a.limit == 0:
		return ""
	case a.rate:
		return fmt.Sprintf("at least %g", a.limit)
	case a.inmem:
		return fmt.Sprintf("at most %.2f on inmem", a.limit)
	}
	return fmt.Sprintf("at most %.2f", a.limit)
}

// outcome is the ratio; empty if it was not measured.
func (r *Report) outcome(a aim, storage string, clients int) string {
	ratio, ok := r.ratio(a, storage, clients)
	if !ok {
		return ""
	}
	missed := a.limit > 0 && (!a.rate && ratio > a.limit || a.rate && ratio < a.limit)
	if a.inmem && storage != "inmem" {
		missed = false
	}
	if missed {
		return fmt.Sprintf("**%.2f**", ratio)
	}
	return fmt.Sprintf("%.2f", ratio)
}

func (r *Report) ratio(a aim, storage string, clients int) (float64, bool) {
	if a.rate {
		for _, v := range r.Revoked {
			if v.Storage == storage && v.Name == a.target && clients == 1 { // Vault does it, with as many at once as it likes
				ratio, ok := v.Ratios[a.against]
				return ratio, ok
			}
		}
		return 0, false
	}
	for _, row := range r.Reads {
		if row.Storage == storage && row.Name == a.target && row.Clients == clients {
			ratio, ok := row.Ratios[a.against]
			return ratio, ok
		}
	}
	return 0, false
}
