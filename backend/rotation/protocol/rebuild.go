package protocol

// Servers that are rebuilt: their system is made again under the same id, and has another password (rule 27).

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
)

// withKnown are facts with what an earlier look has told of the server's system at the same place and this one does not tell.
func (a *Account) withKnown(f Facts) Facts {
	if !f.Place.Same(a.Facts.Place) {
		return f
	}
	f.Image, f.SystemDisk = cmp.Or(f.Image, a.Facts.Image), cmp.Or(f.SystemDisk, a.Facts.SystemDisk)
	if f.SpawnTime.IsZero() {
		f.SpawnTime = a.Facts.SpawnTime
	}
	return f
}

// describe takes over facts of withKnown, and notes where they show that the server has another system than when the current
// version was known to be its password. What was not known before is no change, and a server without a version has none to doubt.
func (a *Account) describe(f Facts, at time.Time) {
	before := a.Facts
	a.Facts = f
	if !f.Place.Same(before.Place) || a.Current() == nil {
		return
	}
	seen := Rebuild{Seen: at, Image: before.Image != "" && before.Image != f.Image,
		Disk: before.SystemDisk != "" && before.SystemDisk != f.SystemDisk}
	if !before.SpawnTime.IsZero() && f.SpawnTime.After(before.SpawnTime) {
		seen.Spawned = f.SpawnTime
	}
	if !seen.Image && !seen.Disk && seen.Spawned.IsZero() {
		return
	}
	if was := a.Rebuilt; was != nil {
		seen.Image, seen.Disk, seen.Spawned = seen.Image || was.Image, seen.Disk || was.Disk, Latest(was.Spawned, seen.Spawned)
	}
	a.Rebuilt = &seen
	a.loginsUnknown()
	if c := a.Checked(); a.Settings.CheckMethod != "" && c.Asked.IsZero() {
		c.Asked = at
		a.Check = &c
	}
}

// loginsUnknown forgets that a password was let in once: the server may have another system, with other rules.
func (a *Account) loginsUnknown() {
	if c := a.Checked(); c.LoggedIn {
		c.LoggedIn = false
		a.Check = &c
	}
}

// systemUnknown forgets what looks have told of the server's system: somebody has just told which password it has, perhaps since it
// was rebuilt, which no look has shown yet. The next look tells which system that password belongs to.
func (a *Account) systemUnknown() {
	a.Rebuilt = nil
	a.loginsUnknown()
	a.Facts.Image, a.Facts.SystemDisk, a.Facts.SpawnTime = "", "", time.Time{}
}

// resetAfterRebuild ends the doubt where an attempt that was begun after the rebuild was noticed has set the password.
func (a *Account) resetAfterRebuild(t Attempt) {
	if a.Rebuilt != nil && t.Started.After(a.Rebuilt.Seen) {
		a.Rebuilt = nil
	}
}

// checkedAfterRebuild ends the doubt where a check has found the current version that began with the record seen.
func (a *Account) checkedAfterRebuild(seen *Account) {
	if a.Rebuilt != nil && seen.Rebuilt != nil && *seen.Rebuilt == *a.Rebuilt {
		a.Rebuilt = nil
	}
}

// Words say what the cloud has shown, as the end of a sentence about the server.
func (r Rebuild) Words() string {
	var words []string
	if r.Image {
		words = append(words, "has another image")
	}
	if r.Disk {
		words = append(words, "has another system disk")
	}
	if !r.Spawned.IsZero() {
		words = append(words, "was launched again at "+r.Spawned.UTC().Format(time.RFC3339)+
			" (by a rebuild, or a resize, rescue, unshelve or evacuation)")
	}
	return strings.Join(words, " and ")
}

// WhyRebuilt says of an account whose server seems to have been rebuilt what that means for its password, and what helps.
func (a *Account) WhyRebuilt() hint.Text {
	var ways []hint.Text
	cur := a.Current()
	if a.Settings.Source == FromInitial && a.Role != "" && cur != nil && cur.Source == FromInitial {
		ways = append(ways, hint.Textf("ask the cloud for its new password, with sudo: %s", a.rereadHint()))
	}
	if a.Settings.CheckMethod != "" {
		ways = append(ways, hint.Textf("have it checked: %s", a.verifyHint()))
	}
	if a.Settings.CanReset {
		ways = append(ways, hint.Textf("have another one set: %s", a.rotateHint()))
	}
	if !a.Settings.CanReset || len(ways) == 0 {
		ways = append(ways, hint.Textf("record the one that it has: %s", a.ImportHint()))
	}
	words := hint.Textf("the server of account %s %s, so it may have another password than this version (noticed at %s)", a.ID,
		a.Rebuilt.Words(), a.Rebuilt.Seen.UTC().Format(time.RFC3339))
	for i, way := range ways {
		if i == 0 {
			words = words.Add(hint.Textf("; %s", way))
			continue
		}
		words = words.Add(hint.Textf("; or %s", way))
	}
	return words
}

// hasInitial reports whether the account has a version that is the initial password, which the cloud's copy then need not be.
func (a *Account) hasInitial() bool {
	return slices.ContainsFunc(a.Versions, func(v Version) bool { return v.Source == FromInitial })
}
