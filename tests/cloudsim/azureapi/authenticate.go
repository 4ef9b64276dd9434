package azureapi

import (
	"net/http"
	"slices"
	"strings"
)

// audiences are what tokens for ARM may be for, in the clouds that the plugin knows.
var audiences = []string{
	"https://management.core.windows.net", "https://management.azure.com",
	"https://management.core.usgovcloudapi.net", "https://management.usgovcloudapi.net",
	"https://management.core.chinacloudapi.cn", "https://management.chinacloudapi.cn",
}

// authenticate says who sends a request.
func (a *API) authenticate(r *http.Request) (Principal, *failure) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return Principal{}, unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	}
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Principal{}, unauthorized("AuthenticationFailed",
			"Authentication failed. The 'Authorization' header is provided in an invalid format.")
	}
	p, ok := a.opts.Tokens.Token(token)
	switch {
	case !ok:
		return Principal{}, unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
	case !a.world.Now().Before(p.Expires):
		return p, unauthorized("ExpiredAuthenticationToken", "The access token expiry UTC time '"+stamp(p.Expires)+
			"' is earlier than current UTC time '"+stamp(a.world.Now())+"'.")
	case !slices.Contains(audiences, strings.TrimRight(p.Audience, "/")):
		return p, unauthorized("InvalidAuthenticationTokenAudience",
			"The access token has been obtained for wrong audience or resource '"+p.Audience+"'.")
	}
	return p, nil
}

func unauthorized(code, message string) *failure { return fail(http.StatusUnauthorized, code, message) }
