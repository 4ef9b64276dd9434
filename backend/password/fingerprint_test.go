package password

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What ssh-keygen -l prints for testdata/openssh_clear.pem.
const (
	openSSHMD5    = "d6:98:cf:71:d5:8a:9c:00:e6:a1:ea:c0:40:fe:48:52"
	openSSHSHA256 = "SHA256:rdXtwfboqT3I0oOYBxB1B65qbdkbTKhVQU5iimkRsE4"
)

func TestFingerprintsAgreeWithSSHKeygen(t *testing.T) {
	f := mustParse(t, readTestdata(t, "openssh_clear.pem"), nil).Fingerprints()
	if f.MD5 != openSSHMD5 || f.SHA256 != openSSHSHA256 {
		t.Errorf("got %s and %s", f.MD5, f.SHA256)
	}
}

// TestFingerprintsAgreeWithOpenSSL computes the EC2 forms by the commands that
// EC2's manual gives for them.
func TestFingerprintsAgreeWithOpenSSL(t *testing.T) {
	for name, text := range map[string][]byte{
		"published": readTestdata(t, "awscli_ec2.pem"),
		"fresh":     opensslKey(t, 2048),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key.pem")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			f := mustParse(t, text, nil).Fingerprints()
			private := openssl(t, nil, "pkcs8", "-topk8", "-nocrypt", "-in", file, "-outform", "DER")
			public := openssl(t, nil, "rsa", "-in", file, "-pubout", "-outform", "DER")
			if want := opensslDigest(t, "-sha1", private); f.AWSCreated != want {
				t.Errorf("AWSCreated = %s, want %s", f.AWSCreated, want)
			}
			if want := opensslDigest(t, "-md5", public); f.AWSImported != want {
				t.Errorf("AWSImported = %s, want %s", f.AWSImported, want)
			}
		})
	}
}

// opensslDigest returns the hex with colons that openssl prints after "= ".
func opensslDigest(t *testing.T, algorithm string, data []byte) string {
	t.Helper()
	_, digest, found := strings.Cut(string(openssl(t, data, "dgst", algorithm, "-c")), "= ")
	if !found {
		t.Fatal("openssl dgst prints something else than expected")
	}
	return strings.TrimSpace(digest)
}

func TestFingerprintsMatch(t *testing.T) {
	f := mustParse(t, readTestdata(t, "openssh_clear.pem"), nil).Fingerprints()
	other := vectors(t)[0].key.Fingerprints()
	tests := map[string]struct{ s, kind string }{
		"Nova's form":            {openSSHMD5, KindMD5},
		"upper case":             {strings.ToUpper(openSSHMD5), KindMD5},
		"prefix":                 {"MD5:" + openSSHMD5, KindMD5},
		"prefix in lower case":   {"md5:" + openSSHMD5, KindMD5},
		"without colons":         {strings.ReplaceAll(openSSHMD5, ":", ""), KindMD5},
		"white space around":     {" " + openSSHMD5 + "\n", KindMD5},
		"SHA-256":                {openSSHSHA256, KindSHA256},
		"SHA-256 without prefix": {strings.TrimPrefix(openSSHSHA256, "SHA256:"), KindSHA256},
		"SHA-256 padded":         {openSSHSHA256 + "=", KindSHA256},
		"EC2 created":            {f.AWSCreated, KindAWSCreated},
		"EC2 created, prefix":    {"SHA1:" + f.AWSCreated, KindAWSCreated},
		"EC2 imported":           {f.AWSImported, KindAWSImported},
		"SHA-256 in lower case":  {strings.ToLower(openSSHSHA256), ""},
		"another key's MD5":      {other.MD5, ""},
		"another key's SHA-1":    {other.AWSCreated, ""},
		"a beginning":            {openSSHMD5[:20], ""},
		"empty":                  {"", ""},
		"a prefix alone":         {"MD5:", ""},
		"colons alone":           {"::", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			kind, ok := f.Match(tt.s)
			if kind != tt.kind || ok != (tt.kind != "") || f.Contains(tt.s) != ok {
				t.Errorf("Match(%q) = %q, %v; want %q", tt.s, kind, ok, tt.kind)
			}
		})
	}
	for _, s := range []string{"", ":", "MD5:", "SHA256:", "="} {
		if (Fingerprints{}).Contains(s) {
			t.Errorf("no fingerprints contain %q", s)
		}
	}
}

func TestFingerprintsMap(t *testing.T) {
	f := vectors(t)[0].key.Fingerprints()
	want := map[string]string{
		"aws_created": f.AWSCreated, "aws_imported": f.AWSImported, "md5": f.MD5, "sha256": f.SHA256,
	}
	if got := f.Map(); !maps.Equal(got, want) || slices.Contains(slices.Collect(maps.Values(got)), "") {
		t.Errorf("got %v", got)
	}
}
