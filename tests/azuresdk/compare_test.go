package azuresdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// same fails the test unless what a client has made of an answer says all that the latest answer said, and no more.
func (s *simulator) same(t *testing.T, what string, decoded any) {
	t.Helper()
	text, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range differences("", parsed(t, s.sent.last()), parsed(t, text)) {
		t.Errorf("%s: %s", what, difference)
	}
}

func parsed(t *testing.T, text []byte) (out any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

// differences compares JSON values. Two texts of one time are the same.
func differences(at string, sent, decoded any) (out []string) {
	switch sent := sent.(type) {
	case map[string]any:
		other, ok := decoded.(map[string]any)
		if !ok {
			break
		}
		keys := slices.AppendSeq(slices.Collect(maps.Keys(sent)), maps.Keys(other))
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			out = append(out, differences(at+"."+key, sent[key], other[key])...)
		}
		return out
	case []any:
		other, ok := decoded.([]any)
		if !ok || len(other) != len(sent) {
			break
		}
		for i := range sent {
			out = append(out, differences(fmt.Sprintf("%s[%d]", at, i), sent[i], other[i])...)
		}
		return out
	case string:
		other, ok := decoded.(string)
		first, err := time.Parse(time.RFC3339Nano, sent)
		second, otherErr := time.Parse(time.RFC3339Nano, other)
		if ok && (sent == other || err == nil && otherErr == nil && first.Equal(second)) {
			return nil
		}
	default:
		if sent == decoded {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s was sent as %v and read as %v", at, sent, decoded)}
}

// The comparison itself notices what it is for.
func TestDifferences(t *testing.T) {
	sent := `{"id":"x","n":1,"list":[{"a":true}],"at":"2022-05-20T08:00:00.1234567+00:00"}`
	for decoded, want := range map[string]int{
		`{"id":"x","n":1,"list":[{"a":true}],"at":"2022-05-20T08:00:00.1234567Z"}`:           0,
		`{"id":"y","n":2,"list":[{"a":false}],"at":"2022-05-20T08:00:01Z"}`:                  4,
		`{"id":"x","list":[],"at":"2022-05-20T08:00:00.1234567Z"}`:                           2,
		`{"id":"x","n":1,"list":[{"a":true}],"at":"2022-05-20T08:00:00.1234567Z","more":{}}`: 1,
	} {
		if got := differences("", parsed(t, []byte(sent)), parsed(t, []byte(decoded))); len(got) != want {
			t.Errorf("%s: %v", decoded, got)
		}
	}
}
