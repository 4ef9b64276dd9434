package azure

// Names of the clouds, as the values of the cloud field.
const (
	cloudPublic       = "public"
	cloudUSGovernment = "usgovernment"
	cloudChina        = "china"
)

// place is one of Microsoft's clouds, which know nothing of each other.
type place struct {
	arm, login string
	// audience is whom a token is for.
	audience string
}

// places are the clouds (azcore v1.24.0, cloud/cloud.go and arm/runtime/runtime.go).
var places = map[string]place{
	cloudPublic: {"https://management.azure.com", "https://login.microsoftonline.com", "https://management.core.windows.net/"},
	cloudUSGovernment: {"https://management.usgovcloudapi.net", "https://login.microsoftonline.us",
		"https://management.core.usgovcloudapi.net/"},
	cloudChina: {"https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/"},
}
