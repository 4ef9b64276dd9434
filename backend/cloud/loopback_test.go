package cloud

import (
	"os"
)

// The simulated clouds of these tests listen on loopback, without TLS.
func init() {
	if err := os.Setenv(LoopbackHTTPVariable, "true"); err != nil {
		panic(err)
	}
}
