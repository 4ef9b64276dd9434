package protocol

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// fill sets what v holds, each part with the probability p: all of its fields if that is 1. It fails the test for a kind that it
// does not know.
func fill(t *testing.T, r *rand.Rand, v reflect.Value, p float64) {
	t.Helper()
	if v.Type() == reflect.TypeFor[time.Time]() {
		if r.Float64() < p {
			v.Set(reflect.ValueOf(t0.Add(time.Duration(r.Int64N(int64(1000 * time.Hour))))))
		}
		return
	}
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(t, r, v.Field(i), p)
			}
		}
		return
	}
	if r.Float64() >= p {
		return
	}
	switch v.Kind() {
	case reflect.String:
		texts := []string{"plain", `a"b\c`, "é\u2028\x01", "a\xffb", "<&>", " "}
		v.SetString(texts[r.IntN(len(texts))])
	case reflect.Int, reflect.Int64:
		v.SetInt(1 + r.Int64N(1000))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, r, v.Index(i), p)
		}
	default:
		t.Fatalf("%s: a kind that the test does not know", v.Type())
	}
}

// TestEncodedByHand: whatever versions and leases hold, and whatever field is added to them, their quick encoding and the usual one
// read back as the same.
func TestEncodedByHand(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) // the same cases each time
	for _, p := range []float64{0, 0.1, 0.5, 0.9, 1} {
		for range 200 {
			a := leasedAccount()
			a.Versions, a.Leases = make([]Version, r.IntN(4)), map[string]Lease{}
			for i := range a.Versions {
				fill(t, r, reflect.ValueOf(&a.Versions[i]).Elem(), p)
			}
			for _, nonce := range []string{"00ff", "a\"b\\c", "\u2028é\x01", ""}[:r.IntN(5)] {
				l := new(Lease)
				fill(t, r, reflect.ValueOf(l).Elem(), p)
				a.Leases[nonce] = *l
			}
			quick, err := EncodeAccount(a)
			if err != nil {
				t.Fatal(err)
			}
			usual, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal(quick, &got); err != nil {
				t.Fatalf("%v\n%s", err, quick)
			}
			if err := json.Unmarshal(usual, &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got\n%s\nwant\n%s", quick, usual)
			}
		}
	}
}

// TestTimesThatJSONCannotHold are refused, as by encoding/json, wherever they stand.
func TestTimesThatJSONCannotHold(t *testing.T) {
	beyond := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]func(*Account){
		"version": func(a *Account) { a.Versions[0].Created = beyond },
		"reader":  func(a *Account) { a.Versions[0].Given.Readers = []KnownReader{{First: beyond}} },
		"change":  func(a *Account) { a.Versions[0].Change.Since = beyond },
		"lease":   func(a *Account) { a.Leases = map[string]Lease{"n": {Expires: beyond}} },
		"rest":    func(a *Account) { a.LastReset = beyond },
	} {
		a := leasedAccount()
		c(a)
		if raw, err := EncodeAccount(a); err == nil {
			t.Errorf("%s: %s", name, raw)
		}
	}
}
