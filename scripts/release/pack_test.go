package main

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"testing"
	"time"
)

func sampleEntries() []entry {
	return []entry{
		{name: "LICENSE", content: []byte("a licence\n")},
		{name: "program", content: bytes.Repeat([]byte("code "), 10_000), executable: true},
		{name: "A", content: nil},
	}
}

func TestPackKeepsContentOrderAndModes(t *testing.T) {
	entries := sampleEntries()
	raw, err := pack(entries)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.File) != len(entries) {
		t.Fatalf("%d files, want %d", len(archive.File), len(entries))
	}
	for i, file := range archive.File {
		want := entries[i]
		mode := fs.FileMode(0o644)
		if want.executable {
			mode = 0o755
		}
		if file.Name != want.name || file.Mode() != mode {
			t.Errorf("file %d is %s with mode %v, want %s with %v", i, file.Name, file.Mode(), want.name, mode)
		}
		if !file.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: time %v is not fixed", file.Name, file.Modified)
		}
		opened, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(opened)
		if err != nil || !bytes.Equal(content, want.content) {
			t.Errorf("%s: %d bytes came out, %d went in (%v)", file.Name, len(content), len(want.content), err)
		}
	}
	if len(raw) > 5_000 {
		t.Errorf("%d bytes: the program is not compressed", len(raw))
	}
}

func TestPackDependsOnItsEntriesOnly(t *testing.T) {
	first, err := pack(sampleEntries())
	if err != nil {
		t.Fatal(err)
	}
	// The local time zone is process-wide; a test that ran in parallel would see it change.
	defer func(zone *time.Location) { time.Local = zone }(time.Local)
	time.Local = time.FixedZone("elsewhere", 5*60*60+45*60)
	second, err := pack(sampleEntries())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the same entries made different zips")
	}
	changed := sampleEntries()
	changed[1].executable = false
	third, err := pack(changed)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first, third) {
		t.Error("another mode made the same zip: this test could not fail")
	}
}

func TestSumsAreThoseOfSha256sum(t *testing.T) {
	var s sums
	s.add("empty", nil)
	s.add("b.zip", []byte("abc"))
	want := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  empty\n" +
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b.zip\n" // FIPS 180-2, appendix B.1
	if s.String() != want {
		t.Errorf("%s, want %s", s, want)
	}
}
