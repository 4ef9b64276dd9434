// Command simenv turns the ready line of a running cloud simulator into shell variables, for scripts that have only
// a shell. It reads the simulator's ready line from standard input and prints assignments to be evaluated:
//
//	SIM_ADMIN                            URL of the control API
//	SIM_<CLOUD>_URL_<SERVICE>            URL of a service, such as SIM_AWS_URL_EC2
//	SIM_<CLOUD>_TLS_URL_<SERVICE>        the same with TLS, of the clouds whose clients want it, such as SIM_AZURE_TLS_URL_ARM
//	SIM_TLS_CA                           the certificate to trust there, in PEM
//	SIM_<CLOUD>_<FIELD>                  the account's credentials, such as SIM_AWS_ACCESS_KEY
//	SIM_<CLOUD>_<SERVER>_ID, ..._SSH     a server's id and SSH address, such as SIM_AWS_WINDOWS_1_ID
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/adminapi"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "simenv:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, in io.Reader, out io.Writer) error {
	var info cloudsim.Info
	if err := json.NewDecoder(in).Decode(&info); err != nil {
		return fmt.Errorf("the simulator's ready line on standard input: %w", err)
	}
	variables := map[string]string{"SIM_ADMIN": info.Admin, "SIM_TLS_CA": info.TLS.CAPEM}
	for cloud, services := range info.Endpoints {
		for service, url := range services {
			variables[variable(string(cloud), "url", service)] = url
		}
	}
	for cloud, services := range info.TLS.Endpoints {
		for service, url := range services {
			variables[variable(string(cloud), "tls", "url", service)] = url
		}
	}
	admin := &adminapi.Client{URL: info.Admin}
	for cloud, account := range info.Seeded {
		fields, err := textFields(account)
		if err != nil {
			return err
		}
		for field, value := range fields {
			variables[variable(string(cloud), field)] = value
		}
		for name, id := range account.Servers {
			server, err := admin.Server(ctx, id)
			if err != nil {
				return err
			}
			variables[variable(string(cloud), name, "id")] = id
			variables[variable(string(cloud), name, "ssh")] = server.SSHAddr
		}
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if _, err := fmt.Fprintf(out, "%s=%s\n", name, quote(variables[name])); err != nil {
			return err
		}
	}
	return nil
}

// textFields returns the fields of an account that are texts, by their JSON names.
func textFields(account cloudsim.Credentials) (map[string]string, error) {
	text, err := json.Marshal(account)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for name, value := range all {
		if s, ok := value.(string); ok {
			fields[name] = s
		}
	}
	return fields, nil
}

// variable joins words to the name of a shell variable.
func variable(words ...string) string {
	name := "SIM_" + strings.Join(words, "_")
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}

// quote makes one shell word of any text.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
