package keystone

import "testing"

func TestVersionOf(t *testing.T) {
	for url, want := range map[string]struct {
		version string
		project bool
	}{
		"https://v2":                         {"", false},
		"https://v2/compute":                 {"", false},
		"https://nova.example/v2.1":          {"v2.1", false},
		"https://nova.example/v2.1/":         {"v2.1", false},
		"https://nova.example/compute/v2/p1": {"v2", true},
		"https://nova.example/v2.1/v2":       {"v2", false},
		"https://nova.example":               {"", false},
	} {
		if version, project := VersionOf(url); version != want.version || project != want.project {
			t.Errorf("VersionOf(%q) = %q, %v; want %+v", url, version, project, want)
		}
	}
}
