package novaapi

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

const (
	headerNovaVersion = "X-OpenStack-Nova-API-Version"
	headerAPIVersion  = "OpenStack-API-Version"
)

// microversion is the version of Nova's API that a request asks for. Minor
// counts from 1; the major number is 2 in all that are answered.
type microversion struct {
	major, minor int
	// stated tells that the path speaks microversions at all: /v2 does not.
	stated bool
}

// The minor versions that the simulator speaks.
const (
	minMinor = 1
	// vendorMinor is the highest of Huawei Cloud and Open Telekom Cloud, after the latter's example of its
	// version document.
	vendorMinor = 60
	// topMinor is the highest of OpenStack: the one of 2025.1 that shows image properties.
	topMinor = minorImageProperties
)

// Minor versions at which a request or an answer changes
// (nova/api/openstack/compute/rest_api_version_history.rst).
const (
	minorKeypairType       = 2
	minorExtended          = 3
	minorIPv6Filter        = 5
	minorLocked            = 9
	minorKeypairUser       = 10
	minorDescription       = 19
	minorTags              = 26
	minorKeypairPaging     = 35
	minorStrictStatus      = 38
	minorFlavorInline      = 47
	minorFlavorDescription = 55
	minorFlavorSpecs       = 61
	minorTrustedCerts      = 63
	minorChangesBefore     = 66
	minorServerGroups      = 71 // of one server; lists never have them
	minorLockedReason      = 73
	minorStrictQuery       = 75
	minorMoreFilters       = 83
	minorHostname          = 90
	minorPinnedZone        = 96
	minorImageProperties   = 98
)

func (v microversion) String() string { return strconv.Itoa(v.major) + "." + strconv.Itoa(v.minor) }

func (v microversion) atLeast(minor int) bool { return v.minor >= minor }

// versionForm is that of a version header (nova/api/openstack/api_version_request.py).
var versionForm = regexp.MustCompile(`^([1-9]\d*)\.([1-9]\d*|0)$`)

// readMicroversion reads the request's version headers. The newer one wins. A
// version that the cloud does not know is stated back, one of no form is not.
func (c *Cloud) readMicroversion(r *http.Request) (microversion, *answer) {
	v := microversion{major: 2, minor: minMinor, stated: true}
	text := r.Header.Get(headerNovaVersion)
	for part := range strings.SplitSeq(strings.Join(r.Header.Values(headerAPIVersion), ","), ",") {
		if service, version, _ := strings.Cut(strings.TrimSpace(part), " "); service == "compute" {
			text = strings.TrimSpace(version)
		}
	}
	switch text {
	case "":
		return v, nil
	case "latest":
		v.minor = c.opts.MaxMicroversion
		return v, nil
	}
	parts := versionForm.FindStringSubmatch(text)
	if parts == nil {
		return microversion{},
			novaFault(http.StatusBadRequest, fmt.Sprintf("API Version String %s is of invalid format. Must be of format MajorNum.MinorNum.", text))
	}
	v.major, _ = strconv.Atoi(parts[1])
	v.minor, _ = strconv.Atoi(parts[2])
	if v.major != 2 || v.minor < minMinor || v.minor > c.opts.MaxMicroversion {
		return v, novaFault(http.StatusNotAcceptable,
			fmt.Sprintf("Version %s is not supported by the API. Minimum is 2.%d and maximum is 2.%d.", text, minMinor, c.opts.MaxMicroversion))
	}
	return v, nil
}
