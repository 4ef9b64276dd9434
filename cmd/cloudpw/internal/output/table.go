package output

import (
	"encoding/csv"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Rows are rows of cells below their headings. The cells may hold anything; they are cleaned when they are printed.
type Rows struct {
	Headings []string
	Cells    [][]string
}

// Add adds a row.
func (r *Rows) Add(cells ...string) { r.Cells = append(r.Cells, cells) }

// WriteTable writes aligned columns. Columns that are empty in all rows are left out. width is that of the terminal, in characters:
// longer lines are cut there; 0: they are not cut.
func (r *Rows) WriteTable(w io.Writer, width int) error {
	used := make([]bool, len(r.Headings))
	for _, row := range r.Cells {
		for i, cell := range row {
			used[i] = used[i] || cell != ""
		}
	}
	line := func(cells []string) table.Row {
		var out table.Row
		for i, cell := range cells {
			if used[i] {
				out = append(out, Clean(cell))
			}
		}
		return out
	}
	t := table.NewWriter()
	t.SetStyle(columns())
	t.SuppressTrailingSpaces()
	if width > 0 {
		t.Style().Size.WidthMax = width
	}
	t.AppendHeader(line(r.Headings))
	for _, row := range r.Cells {
		t.AppendRow(line(row))
	}
	_, err := io.WriteString(w, t.Render()+"\n")
	return err
}

// columns is a style without lines: two blanks between columns.
func columns() table.Style {
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Box.UnfinishedRow = "~"
	return style
}

// WriteCSV writes the rows as RFC 4180 has them, but for the ends of lines.
func (r *Rows) WriteCSV(w io.Writer) error {
	out := NewCSV(w, r.Headings)
	for _, row := range r.Cells {
		out.Add(row)
	}
	return out.Flush()
}

// CSVWriter writes rows as they come.
type CSVWriter struct{ w *csv.Writer }

// NewCSV begins with the headings.
func NewCSV(w io.Writer, headings []string) *CSVWriter {
	c := &CSVWriter{csv.NewWriter(w)}
	c.Add(headings)
	return c
}

// Add adds a row. An error comes with Flush.
func (c *CSVWriter) Add(row []string) {
	line := make([]string, len(row))
	for i, cell := range row {
		line[i] = Cell(cell)
	}
	_ = c.w.Write(line)
}

// Flush writes what is buffered, and returns the first error.
func (c *CSVWriter) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

// Cell is a cleaned value for a spreadsheet, which must not run it as a formula (OWASP, CSV Injection): one that might be taken for
// one begins with an apostrophe, as in the plugin's own CSV.
func Cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + Clean(s)
	}
	return Clean(s)
}
