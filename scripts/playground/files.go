package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writeFiles writes what another terminal needs: env.sh, a file for each person, and the configuration of ssh. Servers are looked up by
// their private addresses, as in a fleet; ssh finds the simulated ones on loopback.
func (p *playground) writeFiles(links map[string]string) error {
	bin := filepath.Join(p.dir, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return fmt.Errorf("the folder of commands: %w", err)
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			return fmt.Errorf("the folder of commands: %w", err)
		}
	}
	config, known, err := p.ssh()
	if err != nil {
		return err
	}
	files := map[string]string{"ssh_config": config, "known_hosts": known, "env.sh": p.env()}
	for _, who := range people() {
		files[who.name] = "export VAULT_TOKEN=" + quote(p.people[who.name].Token()) + "\n"
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// variables are those of the playground's shell.
func (p *playground) variables() [][2]string {
	return [][2]string{
		{"VAULT_ADDR", p.vault.address},
		{"VAULT_TOKEN", p.people[me].Token()},
		{"CLOUDPW_SSH_ARGS", "-F " + filepath.Join(p.dir, "ssh_config")},
		{"SIM_ADMIN", p.world.sim.AdminURL()},
		{"PLAYGROUND", p.dir},
	}
}

// env is a file for the shell.
func (p *playground) env() string {
	var out strings.Builder
	fmt.Fprintf(&out, "unset VAULT_NAMESPACE VAULT_CACERT VAULT_CAPATH VAULT_SKIP_VERIFY CLOUDPW_MOUNT\n")
	fmt.Fprintf(&out, "unset BAO_ADDR BAO_TOKEN BAO_NAMESPACE BAO_CACERT BAO_CAPATH BAO_SKIP_VERIFY\n")
	for _, v := range p.variables() {
		fmt.Fprintf(&out, "export %s=%s\n", v[0], quote(v[1]))
	}
	fmt.Fprintf(&out, "export PATH=%s:\"$PATH\"\n", quote(filepath.Join(p.dir, "bin")))
	return out.String()
}

// ssh is the client's configuration for all servers, and their host keys.
func (p *playground) ssh() (config, known string, err error) {
	var hosts, keys strings.Builder
	for _, name := range slices.Sorted(slices.Values(p.world.order)) {
		s := p.world.servers[name]
		addr, err := p.world.sim.SSHAddr(s.ID)
		if err != nil {
			return "", "", err
		}
		key, err := p.world.sim.SSHHostKey(s.ID)
		if err != nil {
			return "", "", err
		}
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return "", "", fmt.Errorf("SSH of %s: %w", name, err)
		}
		fmt.Fprintf(&hosts, "# %s\nHost %s\n\tHostName %s\n\tPort %s\n", name, s.PrivateIP, host, port)
		fmt.Fprintf(&keys, "[%s]:%s %s\n", host, port, key)
	}
	// A path with blanks is in quotes, as ssh_config(5) has it.
	fmt.Fprintf(&hosts, "Host *\n\tUserKnownHostsFile \"%s\"\n\tGlobalKnownHostsFile /dev/null\n\tStrictHostKeyChecking yes\n",
		filepath.Join(p.dir, "known_hosts"))
	return hosts.String(), keys.String(), nil
}

// quote makes one shell word of any text.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
