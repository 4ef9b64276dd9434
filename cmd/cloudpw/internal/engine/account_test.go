package engine

import "testing"

// TestAReaderWithOtherNames: the plugin says only that there are others (docs/api/accounts.md).
func TestAReaderWithOtherNames(t *testing.T) {
	_, c := serve(t, func(asked) (int, any) {
		return 200, data(m{"versions": []m{{"version": 1, "current": true, "readers": []m{{"display_name": "userpass-a", "other_names": true},
			{"display_name": "userpass-b"}}}}})
	})
	d, err := c.Account(t.Context(), "prod", "i-1", "root")
	if err != nil || len(d.Versions) != 1 || len(d.Versions[0].Readers) != 2 || !d.Versions[0].Readers[0].OtherNames ||
		d.Versions[0].Readers[1].OtherNames {
		t.Errorf("%+v, %v", d.Versions, err)
	}
}
