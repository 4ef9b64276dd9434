package azureapi

import (
	"encoding/json"
	"net/http"
)

// Metadata answers what ARM tells anybody, where its own clouds' services are, and hands all else on. Clients of a cloud
// that they do not know by name ask for it first: Azure CLI when a cloud is registered, Terraform for its metadata host.
// login returns the base URL of the login service, by HTTPS or not.
func Metadata(arm http.Handler, login func(secure bool) string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metadata/endpoints" {
			arm.ServeHTTP(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
		body := describe(r.URL.Query().Get("api-version"), base(r), login(r.TLS != nil))
		if body == nil {
			rw.WriteHeader(http.StatusBadRequest)
			body = map[string]any{"error": errorBody{Code: "InvalidApiVersionParameter", Message: "The api-version is invalid."}}
		}
		_ = json.NewEncoder(rw).Encode(body) // the client is gone: nobody left to tell
	})
}

// describe is one cloud in the form of an API version, nil for a version that is not simulated: a few names in the old
// ones, which Azure CLI's library reads (msrestazure), later a list, then this one cloud alone.
func describe(version, arm, login string) any {
	audiences := []string{"https://management.core.windows.net/", "https://management.azure.com/"}
	cloud := map[string]any{
		"name":            "AzureCloud",
		"portal":          "https://portal.azure.com",
		"resourceManager": arm + "/",
		"authentication": map[string]any{
			"loginEndpoint": login, "audiences": audiences, "tenant": "common", "identityProvider": "AAD",
		},
		"graph":         "https://graph.windows.net/",
		"graphAudience": "https://graph.windows.net/",
		"suffixes":      map[string]string{"storage": "core.windows.net", "keyVaultDns": "vault.azure.net"},
	}
	switch version {
	case "1.0", "2015-01-01":
		return map[string]any{
			"galleryEndpoint": "https://gallery.azure.com/", "graphEndpoint": "https://graph.windows.net/",
			"portalEndpoint": "https://portal.azure.com/",
			"authentication": map[string]any{"loginEndpoint": login, "audiences": audiences},
		}
	case "2019-05-01", "2020-06-01":
		return []any{cloud}
	case "2022-09-01":
		return cloud
	}
	return nil
}
