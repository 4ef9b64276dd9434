package backend

import (
	"encoding/json"
	"testing"
)

func TestIntOf(t *testing.T) {
	for _, v := range []any{7, int64(7), float64(7), "7", json.Number("7")} {
		if n, err := intOf(v); n != 7 || err != nil {
			t.Errorf("%T: %d, %v", v, n, err)
		}
	}
	for _, v := range []any{nil, true, "x", json.Number("x")} {
		if _, err := intOf(v); err == nil {
			t.Errorf("%v is a number", v)
		}
	}
}
