package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

const (
	// healthTime bounds the first request, in which a wrong address shows.
	healthTime = 15 * time.Second
	// maxSkew is how far clocks may differ: times of leases and reports are compared with them.
	maxSkew = 30 * time.Second
	// certificateNotice is how long before its end a certificate is worth a word.
	certificateNotice = 14 * 24 * time.Hour
)

// The parts that findings are about.
const (
	partAddress     = "address"
	partTLS         = "TLS"
	partVault       = "Vault"
	partClock       = "clock"
	partToken       = "token"
	partMount       = "mount"
	partPermissions = "permissions"
	partConnections = "connections"
	partAccounts    = "accounts"
	partTools       = "local tools"
)

func (d *Doctor) address() {
	address := d.Client.Vault().Address()
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		d.add(partAddress, Wrong, "export VAULT_ADDR=https://vault.example.com:8200", fmt.Sprintf("%q is no URL", address))
		return
	case u.Scheme == "http" && !loopback(u.Hostname()):
		d.add(partAddress, Wrong, "export VAULT_ADDR="+output.Word("https://"+u.Host), address+" is plain HTTP: token and passwords can be read "+
			"on the way")
	default:
		text := address
		if os.Getenv("VAULT_ADDR") == "" && loopback(u.Hostname()) {
			text += " (VAULT_ADDR is not set)"
		}
		d.add(partAddress, OK, "", text)
	}
	if namespace := d.Client.Vault().Namespace(); namespace != "" {
		d.add(partAddress, OK, "", "namespace "+namespace)
	}
	if d.SkipVerify {
		d.add(partTLS, Wrong, "--ca-cert FILE, or VAULT_CACERT, in place of --tls-skip-verify and VAULT_SKIP_VERIFY",
			"Vault's certificate is not checked: whoever is in between gets token and passwords")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// health is the answer of sys/health.
type health struct {
	Initialized        bool   `json:"initialized"`
	Sealed             bool   `json:"sealed"`
	Standby            bool   `json:"standby"`
	PerformanceStandby bool   `json:"performance_standby"`
	Mode               string `json:"replication_dr_mode"`
	ServerTime         int64  `json:"server_time_utc"`
	Version            string `json:"version"`
	Enterprise         bool   `json:"enterprise"`
	Cluster            string `json:"cluster_name"`
}

// server reports whether requests can be made.
func (d *Doctor) server(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	// The answer is 200 in every state, and the path exists in the root namespace only.
	query := url.Values{}
	for _, state := range []string{"standbycode", "drsecondarycode", "performancestandbycode", "sealedcode", "uninitcode"} {
		query.Set(state, strconv.Itoa(http.StatusOK))
	}
	before := d.Now()
	resp, err := d.Client.Vault().WithNamespace("").Logical().ReadRawWithDataWithContext(ctx, "sys/health", query)
	if resp != nil && resp.Body != nil {
		defer func() { _ = resp.Body.Close() }()
	}
	if err != nil {
		d.unreachable(err)
		return false
	}
	var h health
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil || h.Version == "" {
		d.add(partVault, Wrong, "export VAULT_ADDR=https://vault.example.com:8200", "what answers at "+d.Client.Vault().Address()+" is no Vault")
		return false
	}
	d.certificate(resp.TLS)
	d.clock(h.ServerTime, before, d.Now())
	return d.health(h)
}

func (d *Doctor) unreachable(err error) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	address := d.Client.Vault().Address()
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	switch {
	case errors.As(err, &unknown):
		d.add(partTLS, Wrong, "export VAULT_CACERT=FILE, the certificate of your authority in PEM", "the certificate of "+address+
			" is signed by an unknown authority")
	case errors.As(err, &name):
		d.add(partTLS, Wrong, "export VAULT_ADDR=https://NAME:8200, with a name of the certificate, or VAULT_TLS_SERVER_NAME=NAME",
			"the certificate is of another name: "+name.Error())
	case errors.As(err, &invalid):
		d.add(partTLS, Wrong, "ask whoever runs Vault to renew the certificate, or correct this computer's clock",
			"the certificate is not valid: "+invalid.Error())
	case errors.As(err, &record) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		d.add(partTLS, Wrong, "export VAULT_ADDR="+output.Word(strings.Replace(address, "https://", "http://", 1))+
			", if it is on this computer", address+" does not speak TLS")
	default:
		d.add(partVault, Wrong, "export VAULT_ADDR=https://vault.example.com:8200, and check network and proxy (HTTPS_PROXY)",
			address+" does not answer: "+err.Error())
	}
}

func (d *Doctor) certificate(state *tls.ConnectionState) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return
	}
	end := state.PeerCertificates[0].NotAfter
	switch left := end.Sub(d.Now()); {
	case d.SkipVerify:
	case left < certificateNotice:
		d.add(partTLS, Note, "ask whoever runs Vault to renew it", "Vault's certificate ends in "+output.Age(left))
	default:
		d.add(partTLS, OK, "", fmt.Sprintf("%s, the certificate is valid until %s", tls.VersionName(state.Version), output.Time(end)))
	}
}

// clock compares clocks. Vault tells whole seconds, at some time between two of ours.
func (d *Doctor) clock(seconds int64, before, after time.Time) {
	if seconds == 0 {
		return
	}
	server := time.Unix(seconds, 0)
	skew := time.Duration(0)
	switch {
	case server.Add(time.Second).Before(before):
		skew = before.Sub(server.Add(time.Second))
	case server.After(after):
		skew = server.Sub(after)
	}
	if skew > maxSkew {
		d.add(partClock, Wrong, "timedatectl status", fmt.Sprintf("the clocks of this computer and of Vault differ by %s: ages and ends of "+
			"leases look wrong", output.Age(skew)))
		return
	}
	d.add(partClock, OK, "", "this computer's and Vault's agree")
}

func (d *Doctor) health(h health) bool {
	about := "Vault " + h.Version
	if h.Cluster != "" {
		about += ", cluster " + h.Cluster
	}
	switch {
	case !h.Initialized:
		d.add(partVault, Wrong, "vault operator init", about+" is not initialized")
	case h.Sealed:
		d.add(partVault, Wrong, "vault operator unseal", about+" is sealed: it hands out and rotates nothing")
	case h.Mode == "secondary":
		d.add(partVault, Wrong, "export VAULT_ADDR=URL of the primary cluster", about+" is a secondary for disaster recovery, which answers no "+
			"requests")
	case h.Standby || h.PerformanceStandby:
		d.add(partVault, OK, "", about+" is unsealed; this node is a standby, which forwards to the active one")
		return true
	default:
		d.add(partVault, OK, "", about+" is unsealed; this node is active")
		return true
	}
	return false
}
