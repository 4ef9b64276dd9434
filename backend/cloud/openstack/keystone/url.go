package keystone

import (
	"net/url"
	"path"
	"regexp"
	"strings"
)

var versionForm = regexp.MustCompile(`^v[0-9]+(\.[0-9]+)?$`)

// IsVersion reports whether a segment of a path is the version of an API, such as v2.1.
func IsVersion(segment string) bool { return versionForm.MatchString(segment) }

// LastSegment returns the last path segment of a URL, "" if it has none.
func LastSegment(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	if last := path.Base(u.Path); last != "/" && last != "." {
		return last
	}
	return ""
}

// VersionOf returns the version at the end of a compute URL, and whether a project follows it. It is
// "" for a URL without a version.
func VersionOf(raw string) (version string, project bool) {
	raw = strings.TrimRight(raw, "/")
	last := LastSegment(raw)
	if IsVersion(last) {
		return last, false
	}
	before := LastSegment(strings.TrimSuffix(raw, "/"+last))
	if last != "" && IsVersion(before) {
		return before, true
	}
	return "", false
}

// WithProject completes a compute endpoint to the URL that resources hang below. Every Nova takes the
// project in the path; only newer ones (microversion 2.18) do without it.
func WithProject(base, projectID string) string {
	if _, named := VersionOf(base); named {
		return base + "/"
	}
	return base + "/" + projectID + "/"
}

// versioned completes an endpoint of the catalogue without a version, and gives it a final slash.
func versioned(base, version string) string {
	base = strings.TrimRight(base, "/")
	if have, _ := VersionOf(base); have != "" {
		return base + "/"
	}
	return base + "/" + version + "/"
}
