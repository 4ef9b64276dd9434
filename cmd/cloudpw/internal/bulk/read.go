package bulk

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/output"
)

const (
	// maxRows bounds a file. Larger fleets take several.
	maxRows = 100_000
	// maxBytes bounds a file's size.
	maxBytes = 64 << 20
	// maxMistakes is how many mistakes a message lists.
	maxMistakes = 50
)

// Mistake is what is wrong with a line of the file. Its text repeats no cell: a password may be in the wrong column.
type Mistake struct {
	Line int
	Text string
}

// MistakesError is the error of a file of which nothing was sent.
type MistakesError struct{ Mistakes []Mistake }

func (e *MistakesError) Error() string {
	var out strings.Builder
	fmt.Fprintf(&out, "nothing was sent: the file has %s", output.Count(len(e.Mistakes), "mistake", "mistakes"))
	for i, m := range e.Mistakes {
		if i == maxMistakes {
			fmt.Fprintf(&out, "\n  and %d more", len(e.Mistakes)-maxMistakes)
			break
		}
		fmt.Fprintf(&out, "\n  line %d: %s", m.Line, m.Text)
	}
	return out.String()
}

// Read reads a CSV file with a header, and checks each row by itself. Fields are separated by commas, or as the header is by semicolons
// or tabs. A byte order mark and both ends of lines are accepted. The error is a MistakesError if rows are wrong.
func Read(in io.Reader) ([]*Row, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxBytes:
		return nil, fmt.Errorf("the file has more than %d MiB; send it in several parts", maxBytes>>20)
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}), bytes.HasPrefix(data, []byte{0xFE, 0xFF}), bytes.IndexByte(data, 0) >= 0:
		return nil, errors.New("the file is no UTF-8 text, but UTF-16 perhaps; save it as CSV UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	if line := firstInvalidLine(data); line > 0 {
		return nil, fmt.Errorf("line %d is no UTF-8 text; save the file as CSV UTF-8", line)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma = separatorOf(data)
	r.FieldsPerRecord = -1 // checked here, with a message that helps
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; its first line must name the columns, such as connection,server,username,password")
	}
	if err != nil {
		return nil, csvError(err)
	}
	columns, err := headerOf(header)
	if err != nil {
		return nil, err
	}
	return readRows(r, columns)
}

// firstInvalidLine is the number of the first line that is no UTF-8; 0: there is none.
func firstInvalidLine(data []byte) int {
	if utf8.Valid(data) {
		return 0
	}
	line := 0
	for part := range bytes.Lines(data) {
		if line++; !utf8.Valid(part) {
			break
		}
	}
	return line
}

// separatorOf is what separates the columns of the header. Spreadsheets of some languages write semicolons.
func separatorOf(data []byte) rune {
	first, _ := bufio.NewReader(bytes.NewReader(data)).ReadString('\n')
	switch {
	case strings.Contains(first, ","):
		return ','
	case strings.Contains(first, ";"):
		return ';'
	case strings.Contains(first, "\t"):
		return '\t'
	}
	return ','
}

// csvError says where the form of the file is broken. The package's own errors name places only.
func csvError(err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	switch {
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		return fmt.Errorf("line %d, character %d: a quotation mark is out of place; a cell with one is written in quotation marks, with the one "+
			"inside doubled", parse.Line, parse.Column)
	}
	return fmt.Errorf("line %d: %w", parse.Line, parse.Err)
}

// headerOf are the columns in the order of the file.
func headerOf(header []string) ([]Column, error) {
	var columns []Column
	seen := map[string]bool{}
	for i, cell := range header {
		name := strings.ToLower(strings.TrimSpace(cell))
		c, known := columnOf(name)
		switch {
		case name == "":
			return nil, fmt.Errorf("line 1: column %d has no name; the columns are %s", i+1, columnNames())
		case !known:
			return nil, fmt.Errorf("line 1: column %d, %.40q, is unknown; the first line names the columns, which are %s", i+1, name, columnNames())
		case seen[name]:
			return nil, fmt.Errorf("line 1: column %s is there twice", name)
		}
		seen[name] = true
		columns = append(columns, c)
	}
	for _, required := range []string{columnConnection, columnServer} {
		if !seen[required] {
			return nil, fmt.Errorf("line 1: column %s is missing; the columns are %s", required, columnNames())
		}
	}
	return columns, nil
}

func readRows(r *csv.Reader, columns []Column) ([]*Row, error) {
	var rows []*Row
	var mistakes []Mistake
	lines := map[string]int{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // what follows cannot be told apart
			return nil, csvError(err)
		}
		line, _ := r.FieldPos(0)
		if strings.Join(cells, "") == "" { // as spreadsheets leave them below a table
			continue
		}
		if len(rows) >= maxRows {
			return nil, fmt.Errorf("the file has more than %d rows; send it in several parts", maxRows)
		}
		if len(cells) != len(columns) {
			mistakes = append(mistakes, Mistake{line, fmt.Sprintf("has %d cells, and the header %d; a cell with the separator in it is written in "+
				"quotation marks", len(cells), len(columns))})
			continue
		}
		row, wrong := rowOf(line, columns, cells)
		for _, text := range wrong {
			mistakes = append(mistakes, Mistake{line, text})
		}
		if first, twice := lines[row.key()]; twice && len(wrong) == 0 {
			mistakes = append(mistakes, Mistake{line, fmt.Sprintf("is about the same account or host as line %d", first)})
		} else {
			lines[row.key()] = line
		}
		rows = append(rows, row)
	}
	switch {
	case len(mistakes) > 0:
		return nil, &MistakesError{mistakes}
	case len(rows) == 0:
		return nil, errors.New("the file has a header and no rows")
	}
	return rows, nil
}
