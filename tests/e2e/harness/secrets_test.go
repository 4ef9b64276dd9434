package harness

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindLeaksFindsEveryForm(t *testing.T) {
	const value = `p"a+s/s w<o>rd=%\1!`
	for name, encode := range map[string]func(string) string{
		"raw":         func(s string) string { return s },
		"JSON":        func(s string) string { b, _ := json.Marshal(map[string]string{"password": s}); return string(b) },
		"Go":          func(s string) string { return fmt.Sprintf("%#v", []string{s}) },
		"query":       func(s string) string { return url.Values{"Password": {s}}.Encode() },
		"path":        func(s string) string { return (&url.URL{Path: "/" + s}).String() },
		"signer":      percentEncode,
		"lower case":  func(s string) string { return strings.ToLower(percentEncode(s)) },
		"hex":         func(s string) string { return hex.EncodeToString([]byte("before" + s + "after")) },
		"base64":      func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64 at 1": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("1" + s)) },
		"base64 at 2": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("12" + s + "and more")) },
		"base64 at 3": func(s string) string { return base64.URLEncoding.EncodeToString([]byte("123" + s + "and more")) },
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "line one\nsome text "+encode(value)+" more text\n")
			leaks := FindLeaks(t, []Secret{{"the password", value}, {"another", "not in there"}}, file)
			if len(leaks) != 1 || leaks[0].Secret != "the password" || leaks[0].Line != 2 {
				t.Errorf("found %v, want the password in line 2", leaks)
			}
		})
	}
}

func TestFindLeaksFindsOneLineOfAPrivateKey(t *testing.T) {
	line := strings.Repeat("MIIEpAIBAAKCAQEA", 4)
	key := "-----BEGIN RSA PRIVATE KEY-----\n" + line + "\nshort\n-----END RSA PRIVATE KEY-----\n"
	file := write(t, "dumped: "+line)
	if leaks := FindLeaks(t, []Secret{{"the key", key}}, file); len(leaks) != 1 {
		t.Errorf("found %v, want the key", leaks)
	}
}

func TestFindLeaksFindsNothingElse(t *testing.T) {
	file := write(t, "hmac-sha256:0123456789abcdef, password rotated, version 2\n")
	missing := filepath.Join(t.TempDir(), "never-written.log")
	if leaks := FindLeaks(t, []Secret{{"the password", "correct horse"}}, file, missing); len(leaks) != 0 {
		t.Errorf("found %v in a clean file", leaks)
	}
}

func TestFindSecretRefusesShortSecrets(t *testing.T) {
	if _, err := findSecret([]byte("abc"), Secret{"the pin", "1234"}); err == nil || !strings.Contains(err.Error(), "the pin") {
		t.Errorf("error %v, want one that names the secret", err)
	}
}

func write(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "some.log")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
