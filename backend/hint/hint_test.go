package hint

import "testing"

func TestShellWord(t *testing.T) {
	for word, want := range map[string]string{
		"plain":                "plain",
		"ec2=https://e.com/x":  "ec2=https://e.com/x",
		"key=@my-key.pem":      "key=@my-key.pem",
		"":                     "''",
		"two words":            "'two words'",
		"it's":                 `'it'\''s'`,
		"$(reboot)":            "'$(reboot)'",
		"tags=a=b;c":           "'tags=a=b;c'",
		"allowed_roles=*":      "'allowed_roles=*'",
		"rotation_schedule=\n": "'rotation_schedule=\n'",
	} {
		if got := shellWord(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
