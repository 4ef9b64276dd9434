package bulk

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

// reportColumns are the columns of a report. It has no password.
var reportColumns = []string{"line", columnConnection, columnServer, columnUsername, "result", "error"}

func reportLine(r *Row) []string {
	return []string{strconv.Itoa(r.Line), r.Connection, r.Server, r.Username, string(r.Result), r.Error}
}

// Rows are the rows as a table.
func Rows(rows []*Row) *output.Rows {
	out := &output.Rows{Headings: reportColumns}
	for _, r := range rows {
		out.Add(reportLine(r)...)
	}
	return out
}

// ReportFile is a report on its way: rows are added as they end, so that a process that is killed leaves what is known.
type ReportFile struct {
	path string
	file *os.File
	csv  *output.CSVWriter
}

// CreateReport begins a report, readable by its owner only. It replaces no file unless that is the report that is continued.
func CreateReport(path string, replace bool) (*ReportFile, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if replace {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("--report: %s exists; take another name, or --resume %s to continue it", path, path)
	}
	if err != nil {
		return nil, fmt.Errorf("--report: %w", err)
	}
	f := &ReportFile{path: path, file: file, csv: output.NewCSV(file, reportColumns)}
	return f, f.csv.Flush()
}

// Add adds a row. An error is not reported here: Close writes all rows, and reports it.
func (f *ReportFile) Add(r *Row) {
	f.csv.Add(reportLine(r))
	_ = f.csv.Flush()
}

// Close replaces the report by one with all rows, in the order of the file.
func (f *ReportFile) Close(rows []*Row) error {
	_ = f.file.Close()
	whole, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+"-*") // 0600
	if err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	err = errors.Join(Rows(rows).WriteCSV(whole), whole.Close())
	if err == nil {
		err = os.Rename(whole.Name(), f.path)
	}
	if err != nil {
		_ = os.Remove(whole.Name())
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

// maxReport bounds a report that is read, in bytes.
const maxReport = 256 << 20

// Resume marks the rows that a report says are done, whatever lines they have now. The others are to be sent.
func Resume(rows []*Row, report io.Reader) error {
	r := csv.NewReader(io.LimitReader(report, maxReport))
	header, err := r.Read()
	if err != nil || !slices.Equal(header, reportColumns) {
		return fmt.Errorf("--resume: is no report of this command, whose first line is %s", strings.Join(reportColumns, ","))
	}
	byKey := map[string]*Row{}
	for _, row := range rows {
		byKey[row.key()] = row
	}
	lines, known := 0, 0
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			break // a report whose last line was cut off: that row is sent again
		}
		lines++
		row := byKey[strings.Join(cells[1:4], "\x00")]
		if row == nil {
			continue
		}
		known++
		if result := Result(cells[4]); result.Done() {
			row.Result, row.done = result, true
		}
	}
	if lines > 0 && known == 0 {
		return errors.New("--resume: the report has no row of this file")
	}
	return nil
}

// Todo are the rows that are not done yet.
func Todo(rows []*Row) []*Row {
	var todo []*Row
	for _, r := range rows {
		if !r.done {
			todo = append(todo, r)
		}
	}
	return todo
}
