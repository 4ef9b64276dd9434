package openstack

import (
	"net/url"
	"path"
	"strings"
)

// lastSegment returns the last path segment of a URL, "" if it has none.
func lastSegment(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	if last := path.Base(u.Path); last != "/" && last != "." {
		return last
	}
	return ""
}

// versionOf returns the version at the end of a compute URL, and whether a project follows it. It is
// "" for a URL without a version.
func versionOf(raw string) (version string, project bool) {
	raw = strings.TrimRight(raw, "/")
	last := lastSegment(raw)
	if versionForm.MatchString(last) {
		return last, false
	}
	before := lastSegment(strings.TrimSuffix(raw, "/"+last))
	if last != "" && versionForm.MatchString(before) {
		return before, true
	}
	return "", false
}

// withProject completes a compute endpoint to the URL that resources hang below. Every Nova takes the
// project in the path; only newer ones (microversion 2.18) do without it.
func withProject(base, projectID string) string {
	if _, named := versionOf(base); named {
		return base + "/"
	}
	return base + "/" + projectID + "/"
}

// versioned completes an endpoint of the catalogue without a version, and gives it a final slash.
func versioned(base, version string) string {
	base = strings.TrimRight(base, "/")
	if have, _ := versionOf(base); have != "" {
		return base + "/"
	}
	return base + "/" + version + "/"
}
