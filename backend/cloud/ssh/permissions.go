package ssh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

// checkedHosts is how many hosts CheckPermissions asks at most.
const checkedHosts = 5

var _ cloud.PermissionChecker = (*provider)(nil)

// toolsProbe prints which of the commands are missing that the script needs. It changes nothing.
const (
	toolsProbe = "for tool in chpasswd flock date; do command -v \"$tool\" >/dev/null 2>&1 || echo \"cloudpw: missing $tool\"; done\n" +
		"echo cloudpw: looked\nexit 0\n"
	toolsSeen    = "cloudpw: looked"
	toolsMissing = "cloudpw: missing "
)

// tools are those that toolsProbe looks for.
var tools = []string{"chpasswd", "flock", "date"}

// CheckPermissions implements cloud.PermissionChecker for some hosts, chosen at random: whether the key is let in, whether it can become
// root, and whether what the script needs is there. A permission is granted if all of these hosts grant it.
func (p *provider) CheckPermissions(ctx context.Context) ([]cloud.Permission, error) {
	hosts, err := p.sample(ctx, checkedHosts)
	if err != nil {
		return nil, err
	}
	user := p.cfg.Text(fieldLoginUser)
	all := []*tally{
		{Permission: cloud.Permission{Action: "ssh:login", Required: true, Purpose: "log in to the hosts with the connection's key",
			Policy: publicKey(p.cfg.Values)}},
		{Permission: cloud.Permission{Action: "ssh:root", Required: true, Purpose: "become root to set passwords and look at them",
			Policy: sudoersLine(user, p.cfg.InForce(fieldSudo))}},
		{Permission: cloud.Permission{Action: "ssh:tools", Required: true, Purpose: "set passwords by chpasswd, under a lock of flock"}},
	}
	login, root, found := all[0], all[1], all[2]
	for _, h := range hosts {
		var in bool
		err := p.within(ctx, h, func(client *sshclient.Client) error {
			in = true
			login.passed(h)
			if h.Platform == cloud.Windows {
				return nil
			}
			if err := p.checkRoot(ctx, client, h); err != nil {
				root.failed(h, err)
				return nil
			}
			root.passed(h)
			got, err := p.shellRun(ctx, client, h, toolsProbe)
			found.looked(h, got, err)
			return nil
		})
		if err != nil && !in {
			login.failed(h, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	out := make([]cloud.Permission, len(all))
	for i, t := range all {
		out[i] = t.verdict(len(hosts))
	}
	return out, nil
}

// sudoersLine is what lets the login user become root; "" where that needs nothing.
func sudoersLine(user, how string) string {
	switch {
	case user == "root" || how == sudoNever:
		return ""
	case how == sudoTTY:
		return user + " ALL=(root) NOPASSWD: /bin/sh"
	}
	return user + " ALL=(root) NOPASSWD: " + shell
}

// tally is a permission on several hosts.
type tally struct {
	cloud.Permission
	granted []string
	denied  []string // with the reason
}

func (t *tally) passed(h cloud.Host) { t.granted = append(t.granted, h.Name) }

func (t *tally) failed(_ cloud.Host, err error) { t.denied = append(t.denied, err.Error()) }

// looked takes what toolsProbe has shown.
func (t *tally) looked(h cloud.Host, got sshclient.Result, err error) {
	if err != nil || !hasLine(got.Output, toolsSeen) {
		return // root's shell was there a moment ago: nothing is known of the tools
	}
	var missing []string
	for line := range strings.Lines(got.Output) {
		if tool, ok := strings.CutPrefix(strings.TrimRight(line, " \r\n"), toolsMissing); ok && slices.Contains(tools, tool) {
			missing = append(missing, tool)
		}
	}
	if len(missing) == 0 {
		t.passed(h)
		return
	}
	t.denied = append(t.denied, fmt.Sprintf("%s has no %s in root's PATH; install shadow-utils (package passwd) and util-linux", h.Name,
		strings.Join(missing, ", ")))
}

// verdict is the permission on all hosts that were asked.
func (t *tally) verdict(hosts int) cloud.Permission {
	switch {
	case hosts == 0:
		return t.Untried("the connection has no hosts yet, see hosts/")
	case len(t.denied) > 0:
		t.Verdict, t.Message = cloud.PermissionDenied, strings.Join(t.denied, "; ")
	case len(t.granted) == 0:
		return t.Untried("no host could be asked that far")
	default:
		t.Verdict, t.Message = cloud.PermissionGranted, "asked: "+strings.Join(t.granted, ", ")
	}
	return t.Permission
}
