package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// entry is a file of a zip.
type entry struct {
	name       string
	content    []byte
	executable bool
}

// packed is the time of all files in a zip: the first that the format knows.
var packed = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// pack makes a zip of the entries, in their order. It depends on nothing else: times and modes are fixed, and the
// compression is that of the Go which compiled this program.
func pack(entries []entry) ([]byte, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: packed}
		mode := fs.FileMode(0o644)
		if e.executable {
			mode = 0o755
		}
		header.SetMode(mode)
		file, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

// sums are lines that `sha256sum --check` reads.
type sums []string

func (s *sums) add(name string, content []byte) {
	*s = append(*s, fmt.Sprintf("%x  %s\n", sha256.Sum256(content), name))
}

func (s sums) String() string { return strings.Join(s, "") }
