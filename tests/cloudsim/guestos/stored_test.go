package guestos

import (
	"strings"
	"testing"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

// handOver hands a stored script's parameters over: put in their places, or as variables.
func (s System) handOver(replace bool, script guest.Script) (System, string) {
	text := script.Stored.Text
	s.Environment = map[string]string{}
	for _, p := range script.Stored.Parameters {
		if replace {
			text = strings.ReplaceAll(text, "${"+p.Name+"}", p.Value)
		} else {
			s.Environment[p.Name] = p.Value
		}
	}
	return s, text
}

// Stored scripts are run in both ways of handing over, and one that is cloudpw's but for another value is not.
func TestStoredScriptsRun(t *testing.T) {
	set, err := guest.Linux(change("web", "secret", 100))
	if err != nil {
		t.Fatal(err)
	}
	look, err := guest.Look("web")
	if err != nil {
		t.Fatal(err)
	}
	for _, replace := range []bool{true, false} {
		machine := System{Accounts: []string{"root", "web"}, Wall: noon}
		system, text := machine.handOver(replace, set)
		r, err := system.Run("shell", text)
		if err != nil || r.ExitCode != 0 || r.User != "web" || !CheckHash(r.Hash, "secret") {
			t.Fatalf("%t: %+v, %v", replace, r, err)
		}
		// No process gets the hash as an argument: the stand-ins take none but their own.
		for _, from := range []string{"base64 -d", "chpasswd -e"} {
			if r, err := system.runSet(strings.ReplaceAll(text, from, from+` "$hash"`)); err != nil || r.User != "" {
				t.Errorf("%t, %s: %+v, %v", replace, from, r, err)
			}
		}
		late, text := machine.handOver(replace, set)
		late.Wall = noon.AddDate(0, 1, 0)
		if r, err := late.Run("shell", text); err != nil || r.ExitCode != 85 || r.User != "" {
			t.Errorf("%t, late: %+v, %v", replace, r, err)
		}
		bare, text := machine.handOver(replace, set)
		bare.NoBase64 = true
		if r, err := bare.Run("shell", text); err != nil || r.ExitCode != 103 || r.User != "" {
			t.Errorf("%t, no base64: %+v, %v", replace, r, err)
		}
		machine.Passwords = map[string]string{"web": "by hand"}
		system, text = machine.handOver(replace, look)
		r, err = system.Run("shell", text)
		if err != nil || r.ExitCode != 0 || r.User != "" || !strings.Contains(r.Output, "cloudpw: setting=$6$rounds=1000$cloudsim\n") {
			t.Errorf("%t: %+v, %v", replace, r, err)
		}
	}
	// A cloud that hands nothing over, and one that put something else in.
	system := System{Accounts: []string{"root", "web"}, Wall: noon}
	if r, err := system.Run("shell", set.Stored.Text); err != nil || r.ExitCode != 104 || r.User != "" {
		t.Errorf("%+v, %v", r, err)
	}
	for _, value := range []string{`$(reboot)`, "`reboot`", `x"; reboot; "`, "a\nreboot"} {
		text := strings.ReplaceAll(set.Stored.Text, "${cloudpw_user}", value)
		if r, err := system.Run("shell", text); err != nil || r.ExitCode != 126 {
			t.Errorf("%q: %+v, %v", value, r, err)
		}
	}
}
