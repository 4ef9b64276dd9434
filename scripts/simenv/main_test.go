package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

func TestShellReadsBackEveryValue(t *testing.T) {
	sim := cloudsim.Start(t, cloudsim.Options{})
	seeded, err := sim.Seed(cloudsim.SeedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ready, err := json.Marshal(sim.Info())
	if err != nil {
		t.Fatal(err)
	}
	var assignments bytes.Buffer
	if err := run(context.Background(), bytes.NewReader(ready), &assignments); err != nil {
		t.Fatal(err)
	}
	aws := seeded[model.AWS]
	address, err := sim.SSHAddr(aws.Servers["windows-1"])
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"SIM_ADMIN":             sim.AdminURL(),
		"SIM_AWS_URL_EC2":       sim.URL(model.AWS, "ec2"),
		"SIM_AWS_SECRET_KEY":    aws.SecretKey,
		"SIM_AWS_PRIVATE_KEY":   aws.PrivateKey, // several lines
		"SIM_AWS_WINDOWS_1_ID":  aws.Servers["windows-1"],
		"SIM_AWS_WINDOWS_1_SSH": address,
		"SIM_AZURE_TLS_URL_ARM": sim.SecureURL(model.Azure, "arm"),
		"SIM_TLS_CA":            sim.Info().TLS.CAPEM,
	} {
		script := assignments.String() + "\nprintf %s \"$" + name + "\""
		got, err := exec.Command("sh", "-c", script).Output()
		if err != nil || string(got) != want {
			t.Errorf("%s is %q in the shell (error %v), want %q", name, got, err, want)
		}
	}
}

func TestQuoteSurvivesTheShell(t *testing.T) {
	for _, text := range []string{"", "it's", `"$HOME" \n`, "two\nlines", "`id`"} {
		got, err := exec.Command("sh", "-c", "printf %s "+quote(text)).Output()
		if err != nil || string(got) != text {
			t.Errorf("quote(%q) reads back as %q (error %v)", text, got, err)
		}
	}
}

func TestNoReadyLine(t *testing.T) {
	err := run(context.Background(), strings.NewReader("cloudsim: no free port\n"), &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "ready line") {
		t.Errorf("error %v, want one that names the ready line", err)
	}
}
