package protocol

// The versions of an account.

import "slices"

// defaultMaxVersions applies where the settings name none.
const defaultMaxVersions = 10

// Add appends a version, which becomes the current one.
func (a *Account) Add(v Version) {
	if cur := a.Current(); cur != nil {
		cur.Ended = v.Created
	}
	a.LastVersion++
	v.Number = a.LastVersion
	a.Versions = append(a.Versions, v)
}

// prune drops the oldest versions past max_versions. A version that may be live is never dropped: that is the
// current one, also while a pending or a candidate exists. Nor is the newest version of another place (rule 18).
// Candidates are not versions and do not count (rule 8).
func (a *Account) prune() {
	a.forgetReaders()
	keep := a.Settings.MaxVersions
	if keep <= 0 {
		keep = defaultMaxVersions
	}
	n := len(a.Versions) - keep
	if n <= 0 {
		return
	}
	var kept []Version
	for i, v := range a.Versions {
		newer := func(o Version) bool { return o.Place.Same(v.Place) }
		if i >= n || !slices.ContainsFunc(a.Versions[i+1:], newer) {
			kept = append(kept, v)
		}
	}
	a.Versions = kept
}
