package ssh

import (
	"cmp"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/sshclient"
)

var errJump = errors.New("is not of the form [user@]host[:port], such as jump.example.com or cloudpw@192.0.2.1:2222")

// parseJump reads proxy_jump. A user that it does not name is empty.
func parseJump(value string) (sshclient.Jump, error) {
	j := sshclient.Jump{Port: cloud.SSHPort, Address: value}
	if at := strings.LastIndexByte(value, '@'); at >= 0 {
		j.User, j.Address = value[:at], value[at+1:]
		if checkLoginUser(j.User) != nil {
			return sshclient.Jump{}, errJump
		}
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(j.Address, "["), "]")
	switch {
	case strings.Count(j.Address, ":") == 1 || strings.Contains(j.Address, "]:"):
		host, port, err := net.SplitHostPort(j.Address)
		if err != nil {
			return sshclient.Jump{}, errJump
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return sshclient.Jump{}, errJump
		}
		j.Address, j.Port = host, int(n)
	case len(bare) == len(j.Address)-2:
		j.Address = bare
	}
	if err := sshclient.CheckAddress(j.Address); errors.Is(err, sshclient.ErrNoAddress) {
		return sshclient.Jump{}, errJump
	} else if err != nil {
		return sshclient.Jump{}, err
	}
	return j, nil
}

// jumpOf is the jump host of a connection; nil: it has none.
func jumpOf(v cloud.Values) (*sshclient.Jump, error) {
	value := v.Text(fieldProxyJump)
	if value == "" {
		return nil, nil //nolint:nilnil // the hosts are reached directly
	}
	j, err := parseJump(value)
	if err != nil {
		return nil, err
	}
	j.User = cmp.Or(j.User, v.Text(fieldLoginUser))
	j.HostKey, err = sshclient.ParseHostKey(v.Text(fieldProxyJumpHostKey))
	return &j, err
}
