package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/adminapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/azureapi"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func TestServeAndLogin(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	exit := make(chan int, 1)
	var errOut bytes.Buffer
	go func() {
		code := run(context.Background(), []string{"-until-stdin-closes", "-tls", "-ca-file", ca, "-seed", "5"}, inR, outW, &errOut)
		outW.Close()
		exit <- code
	}()
	line, err := bufio.NewReader(outR).ReadBytes('\n')
	if err != nil {
		t.Fatalf("no ready line: %v: %s", err, errOut.String())
	}
	var info cloudsim.Info
	if err := json.Unmarshal(line, &info); err != nil || !info.Ready {
		t.Fatalf("ready line %s: %v", line, err)
	}
	if text, err := os.ReadFile(ca); err != nil || string(text) != info.CAPEM {
		t.Errorf("CA file: %v", err)
	}
	client := &adminapi.Client{URL: info.Admin}
	server, err := client.Server(context.Background(), info.Seeded[model.TencentCloud].Servers["ubuntu-1"])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args     []string
		password string
		want     int
	}{
		{[]string{server.SSHAddr, "ubuntu"}, server.InitialPassword, exitOK},
		{[]string{server.SSHAddr, "ubuntu"}, server.InitialPassword + "\n", exitOK},
		{[]string{server.SSHAddr, "ubuntu"}, "wrong", exitRefused},
		{[]string{server.SSHAddr, "nobody"}, server.InitialPassword, exitRefused},
		{[]string{"127.0.0.1:1", "ubuntu"}, "x", exitError},
		{[]string{server.SSHAddr}, "x", exitError},
	} {
		var out, errOut bytes.Buffer
		if got := run(context.Background(), append([]string{"login"}, c.args...), strings.NewReader(c.password), &out, &errOut); got != c.want {
			t.Errorf("login %q: exit %d, want %d: %s", c.args, got, c.want, errOut.String())
		}
		if strings.Contains(out.String()+errOut.String(), c.password) && len(c.password) > 5 {
			t.Error("the password is printed")
		}
	}
	inW.Close()
	if got := <-exit; got != exitOK {
		t.Errorf("exit %d: %s", got, errOut.String())
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"}, {"extra"}, {"-coc-parameters", "none"}, {"-listen", "aws"}, {"-listen", "aws=0.0.0.0:0"},
		{"-listen", "nowhere=127.0.0.1:0"},
	} {
		var out, errOut bytes.Buffer
		if got := run(context.Background(), args, strings.NewReader(""), &out, &errOut); got != exitError || errOut.Len() == 0 {
			t.Errorf("%q: exit %d, %q", args, got, errOut.String())
		}
	}
}

func TestAzureLimitsCanBeLeftOut(t *testing.T) {
	for flag, left := range map[string]bool{"-azure-limits=false": true, "-azure-limits": false} {
		c, err := parse([]string{flag}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var o azureapi.Options
		if c.options.Azure(&o); left != (o.Limits != nil) || len(o.Limits) > 0 {
			t.Errorf("%s: limits %v", flag, o.Limits)
		}
	}
}
