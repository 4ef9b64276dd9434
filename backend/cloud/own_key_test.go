package cloud

import (
	"errors"
	"testing"
)

func TestTooManyKeys(t *testing.T) {
	limit := &Error{Kind: Unknown, Code: "LimitExceeded", Message: "the cloud's words", RequestID: "r-1"}
	words := KeyLimit{User: "bob", Most: 2, Service: "IAM", Shown: "IAM console", Remove: func(id string) string { return "delete " + id }}
	own := OwnKey{ID: "AK-OWN"}
	for name, c := range map[string]struct {
		keys []UserKey
		err  error
		want string
	}{
		"one can go": {
			keys: []UserKey{{"AK-OWN", "Active", "2026-01-01"}, {"AK-OLD", "Inactive", "2025-12-31"}},
			want: "bob has 2 access keys already, as many as IAM allows; this connection does not use AK-OLD (inactive, made 2025-12-31): " +
				"if nothing else does either, delete AK-OLD",
		},
		"not known": {
			err:  errors.New("no permission"),
			want: "bob has 2 access keys already, as many as IAM allows; delete the one that this connection does not use (IAM console)",
		},
		"foreign characters": {
			keys: []UserKey{{"AK\nX", "On\x00", "to\nday"}},
			want: "bob has 2 access keys already, as many as IAM allows; this connection does not use AK�X (on�, made to day): " +
				"if nothing else does either, delete AK�X",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := own.TooMany(words, limit, func() ([]UserKey, error) { return c.keys, c.err })
			e := AsError(err)
			if e.Kind != Refused || e.Message != c.want || e.Code != limit.Code || e.RequestID != limit.RequestID {
				t.Errorf("%s %q\nwant %q", e.Kind, e.Message, c.want)
			}
		})
	}
	if limit.Kind != Unknown || limit.Message != "the cloud's words" {
		t.Error("the cloud's own error was changed")
	}
}
