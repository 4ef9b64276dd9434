package cloud

import (
	"fmt"
	"os"
	"testing"
)

// The client takes proxies from the environment and reads that once per process: a developer's proxy
// must not stand between these tests and their servers.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		os.Unsetenv(name)
	}
	if proxy := os.Getenv(proxyVariable); proxy != "" {
		if err := throughTheProxy(proxy); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
