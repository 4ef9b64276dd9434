package novaapi

import (
	"fmt"
	"net/http"
)

type link struct {
	Rel  string `json:"rel"`
	Type string `json:"type,omitempty"`
	Href string `json:"href"`
}

func self(url string) link     { return link{Rel: "self", Href: url} }
func bookmark(url string) link { return link{Rel: "bookmark", Href: url} }
func next(url string) link     { return link{Rel: "next", Href: url} }

type mediaType struct {
	Base string `json:"base"`
	Type string `json:"type"`
}

// versionDocument describes one major version of a service.
type versionDocument struct {
	ID         string      `json:"id"`
	Status     string      `json:"status"`
	Version    *string     `json:"version,omitempty"`
	MinVersion *string     `json:"min_version,omitempty"`
	Updated    string      `json:"updated,omitempty"`
	Links      []link      `json:"links"`
	MediaTypes []mediaType `json:"media-types,omitempty"`
}

func identityVersion(base string) versionDocument {
	return versionDocument{
		ID: "v3.14", Status: "stable", Updated: "2020-04-07T00:00:00Z",
		Links:      []link{self(base + "/v3/")},
		MediaTypes: []mediaType{{"application/json", "application/vnd.openstack.identity-v3+json"}},
	}
}

// identityVersions answers GET / of Keystone.
func identityVersions(base string) *answer {
	a := &answer{status: http.StatusMultipleChoices, body: map[string]any{
		"versions": map[string]any{"values": []versionDocument{identityVersion(base)}},
	}}
	return a.with("Location", base+"/v3/")
}

// computeVersion describes the version whose path is v2.1 or v2.
func (c *Cloud) computeVersion(base, path string) versionDocument {
	none, low, high := "", fmt.Sprintf("2.%d", minMinor), fmt.Sprintf("2.%d", c.opts.MaxMicroversion)
	if path == "v2" {
		return versionDocument{ID: "v2.0", Status: "SUPPORTED", Version: &none, MinVersion: &none,
			Updated: "2011-01-21T11:33:21Z", Links: []link{self(base + "/v2/")}}
	}
	return versionDocument{ID: "v2.1", Status: "CURRENT", Version: &high, MinVersion: &low,
		Updated: "2013-07-23T11:33:21Z", Links: []link{self(base + "/v2.1/")}}
}

// computeVersions answers GET / of Nova.
func (c *Cloud) computeVersions(base string) *answer {
	a := ok(map[string]any{"versions": []versionDocument{c.computeVersion(base, "v2"), c.computeVersion(base, "v2.1")}})
	a.anonymous = c.plain()
	return a
}

// alone adds what the document of one version has and the list of them has not.
func (d versionDocument) alone() versionDocument {
	d.Links = append(d.Links, link{Rel: "describedby", Type: "text/html", Href: "http://docs.openstack.org/"})
	return d.withMediaTypes()
}

func (d versionDocument) withMediaTypes() versionDocument {
	number := "2.1"
	if d.ID == "v2.0" {
		number = "2"
	}
	d.MediaTypes = []mediaType{{"application/json", "application/vnd.openstack.compute+json;version=" + number}}
	return d
}

// choice is one of the versions that Nova offers for a path without one.
func (c *Cloud) choice(base, version, path string) versionDocument {
	d := c.computeVersion(base, version).withMediaTypes()
	return versionDocument{ID: d.ID, Status: d.Status, MediaTypes: d.MediaTypes, Links: []link{self(base + "/" + version + "/" + path)}}
}
