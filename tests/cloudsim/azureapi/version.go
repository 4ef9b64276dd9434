package azureapi

import (
	"net/http"
	"slices"
	"strings"
)

// computeVersions are those of Microsoft.Compute that have run commands and that the simulator knows.
var computeVersions = []string{
	"2021-07-01", "2021-11-01", "2022-03-01", "2022-08-01", "2022-11-01", "2023-03-01", "2023-07-01", "2023-09-01", "2024-03-01",
	"2024-07-01", "2024-11-01", "2025-04-01", "2025-11-01", "2026-03-01", "2026-04-01",
}

// networkVersions are those of Microsoft.Network that the simulator knows.
var networkVersions = []string{
	"2018-01-01", "2018-11-01", "2019-09-01", "2019-11-01", "2020-11-01", "2021-02-01", "2021-05-01", "2021-08-01", "2022-01-01",
	"2022-05-01", "2022-07-01", "2022-09-01", "2022-11-01", "2023-02-01", "2023-04-01", "2023-05-01", "2023-06-01", "2023-09-01",
	"2023-11-01", "2024-01-01", "2024-03-01", "2024-05-01", "2024-07-01", "2024-10-01",
}

// resourceVersions are those of Microsoft.Resources that the simulator knows.
var resourceVersions = []string{"2016-06-01", "2018-06-01", "2019-06-01", "2019-11-01", "2020-01-01", "2021-01-01", "2022-12-01"}

// checkVersion refuses requests without a version of the API, or with one that the provider does not have. The first message is
// that of Microsoft's guidelines for REST APIs, the second one's is in many public reports (Azure/azure-cli#28496).
func (r *request) checkVersion() *failure {
	version := r.query.Get("api-version")
	provider, short, _ := strings.Cut(r.route.kind, "/")
	known := computeVersions
	switch {
	case r.route.kind == subscriptions:
		known = resourceVersions
	case provider != compute:
		known = networkVersions
	}
	switch {
	case version == "":
		return fail(http.StatusBadRequest, "MissingApiVersionParameter",
			"The api-version query parameter (?api-version=) is required for all requests.")
	case slices.Contains(known, version):
		return nil
	}
	where := "global"
	if r.found {
		where = r.vm.Region
	}
	return fail(http.StatusBadRequest, "NoRegisteredProviderFound", "No registered resource provider found for location '"+where+
		"' and API version '"+version+"' for type '"+short+"'. The supported api-versions are '"+strings.Join(known, ", ")+"'.")
}
