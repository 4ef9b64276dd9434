// Package output prints what the command shows: tables, JSON, CSV, and progress. Names, tags and errors of clouds are written by
// others, so nothing that a terminal or a spreadsheet would obey leaves this package: see Clean and Cell.
package output
