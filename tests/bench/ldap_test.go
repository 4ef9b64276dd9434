//go:build bench

package bench

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/e2e/harness"
)

// Debian's places of what slapd needs; the programs may be elsewhere on the PATH.
const (
	ldapSchemas = "/etc/ldap/schema"
	ldapModules = "/usr/lib/ldap"
)

const ldapBase = "dc=bench,dc=test"

// ldapMissing says why OpenLDAP cannot be compared with, or "".
func ldapMissing(bin harness.Binaries) string {
	for _, file := range []string{slapd("slapd"), slapd("slapadd"), filepath.Join(ldapSchemas, "inetorgperson.schema"),
		filepath.Join(ldapModules, "back_mdb.so")} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Sprintf("OpenLDAP was left out: there is no %s here. On Debian, `apt-get install slapd` brings it.", file)
		}
	}
	if file := pluginBeside(bin, ldapPlugin); !exists(file) {
		return "OpenLDAP was left out: its plugin could not be built from tests/bench/openldap."
	}
	return ""
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// slapd finds one of its programs, which Debian keeps where only root's PATH leads.
func slapd(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	return filepath.Join("/usr/sbin", program)
}

// openLDAP mounts HashiCorp's engine over a slapd of its own, with a static role and a dynamic role.
func openLDAP(t *testing.T, v *harness.Vault, bin harness.Binaries) []Target {
	t.Helper()
	url, password := startSlapd(t)
	enable(t, v, bin, ldapPlugin, "ldap")
	program := pluginBeside(bin, ldapPlugin)
	v.Write(t, "ldap/config", map[string]any{
		"url": url, "binddn": "cn=admin," + ldapBase, "bindpass": password, "userdn": "ou=users," + ldapBase, "schema": "openldap",
	})
	v.Write(t, "ldap/static-role/static", map[string]any{"username": "static", "dn": "uid=static,ou=users," + ldapBase,
		"rotation_period": "24h"})
	role := map[string]any{
		"default_ttl": "1h", "max_ttl": "24h",
		"creation_ldif": "dn: uid={{.Username}},ou=users," + ldapBase + `
objectClass: inetOrgPerson
uid: {{.Username}}
cn: {{.Username}}
sn: bench
userPassword: {{.Password}}
`,
		"deletion_ldif": "dn: uid={{.Username}},ou=users," + ldapBase + "\nchangetype: delete\n",
	}
	for i := range parts {
		v.Write(t, "ldap/role/"+part("dynamic", i+1), role)
	}
	return []Target{
		{Name: ldapRead, Paths: []string{"ldap/static-cred/static"}, Wants: []string{`"rotation_period":`, `"password":"`}, Plugin: program},
		{Name: ldapLeased, Paths: inParts(ldapLeases), Wants: []string{`"lease_id":"` + ldapLeases, `"password":"`}, Plugin: program},
	}
}

// startSlapd runs slapd with an empty directory but for one user, and returns its URL and the administrator's password.
func startSlapd(t *testing.T) (url, password string) {
	t.Helper()
	dir := t.TempDir()
	password = rand.Text()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatalf("slapd's files: %v", err)
		}
		return path
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatalf("slapd's files: %v", err)
	}
	config := write("slapd.conf", fmt.Sprintf(`
include %[1]s/core.schema
include %[1]s/cosine.schema
include %[1]s/inetorgperson.schema
modulepath %[2]s
moduleload back_mdb
pidfile %[3]s/slapd.pid
database mdb
maxsize 1073741824
suffix "%[4]s"
rootdn "cn=admin,%[4]s"
rootpw %[5]s
directory %[6]s
index objectClass,uid eq
`, ldapSchemas, ldapModules, dir, ldapBase, password, data))
	entries := write("entries.ldif", fmt.Sprintf(`dn: %[1]s
objectClass: dcObject
objectClass: organization
dc: bench
o: bench

dn: ou=users,%[1]s
objectClass: organizationalUnit
ou: users

dn: uid=static,ou=users,%[1]s
objectClass: inetOrgPerson
uid: static
cn: static
sn: bench
userPassword: first
`, ldapBase))
	add := exec.CommandContext(t.Context(), slapd("slapadd"), "-f", config, "-l", entries)
	if output, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, bytes.TrimSpace(output))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	url = "ldap://" + address
	process := harness.StartProcess(t, "slapd", dir, slapd("slapd"), "-f", config, "-h", url+"/", "-d", "0")
	harness.Eventually(t, 20*time.Second, "slapd on "+url, func() error {
		if ended, err := process.Exited(); ended {
			return fmt.Errorf("it has ended: %w", err)
		}
		connection, err := net.Dial("tcp", address)
		if err == nil {
			err = connection.Close()
		}
		return err
	})
	return url, password
}
