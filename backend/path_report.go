package backend

import (
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/text"
)

// A page of a report. An answer with a whole fleet in it would be too much for many a client.
const (
	reportLimit    = 1000
	maxReportLimit = 10000
)

const formatCSV = "csv"

func (b *backend) pathReport() *framework.Path {
	return &framework.Path{
		Pattern:      "report$",
		DisplayAttrs: request.DisplayAttrs("report"),
		Fields:       reportFields(),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: request.Forwarded(framework.PathOperation{
				Callback:    b.readReport,
				Summary:     "Report on accounts, by filters.",
				Description: "Finds accounts of all connections by what the active node knows of them. Calls no cloud, and contains no secret.",
				Responses:   request.DataResponses("The accounts.", reportResponse()),
				// Only the active node has all accounts in memory.
			}),
		},
		HelpSynopsis:    reportSynopsis,
		HelpDescription: reportDescription,
	}
}

func reportFields() map[string]*framework.FieldSchema {
	filter := func(t framework.FieldType, description string) *framework.FieldSchema {
		return &framework.FieldSchema{Type: t, Query: true, Description: description + " Default: none."}
	}
	fields := request.PageFields(map[string]*framework.FieldSchema{
		"connection": filter(framework.TypeString, "Only accounts of this connection."),
		"role":       filter(framework.TypeString, "Only accounts that are bound to this role."),
		"state": filter(framework.TypeCommaStringSlice, "Only accounts in one of these states: "+strings.Join(rotation.States(), ", ")+
			"."),
		"due_reason": filter(framework.TypeCommaStringSlice, "Only accounts whose rotation is due for one of these reasons: "+
			strings.Join(rotation.DueReasons(), ", ")+"."),
		"older_than": filter(framework.TypeDurationSecond, "Only accounts whose current password Vault has had for at least this time. "+
			"Accounts without a password have no age and are left out; state=empty finds them."),
		"name": filter(framework.TypeString, "Only accounts of instances with this name in the cloud, as a glob: * stands for any "+
			"characters. Upper and lower case differ."),
		"server": filter(framework.TypeString, "Only accounts of instances with this id, name or address, private or public. The whole of it "+
			"is compared. Upper and lower case differ."),
		"holder": filter(framework.TypeString, "Only accounts of which somebody with this display name or entity id has a live lease, "+
			"those of a shared_password included."),
		"failing": filter(framework.TypeBool, "true: only accounts whose last try failed. false: only the others."),
		"drifted": filter(framework.TypeBool, "true: only accounts whose server did not have the current password when it was checked last. "+
			"false: only the others, which includes those that were never checked."),
		"rebuilt": filter(framework.TypeBool, "true: only accounts whose server seems to have been rebuilt since the current password was "+
			"recorded. false: only the others."),
		"check_result": filter(framework.TypeCommaStringSlice, "Only accounts whose last check had one of these results: "+
			strings.Join(rotation.CheckResults(), ", ")+"."),
		"format": {Type: framework.TypeString, Query: true, AllowedValues: []any{"", formatCSV},
			Description: "csv: the rows as one text, csv, instead of accounts. Default: none."},
	})
	fields["after"].Description = "Only accounts that come after this one, connection/instance_id/username: next of the page before. " +
		"Default: none."
	fields["limit"].Description = fmt.Sprintf("At most this many accounts, up to %d. Default: 0, which stands for %d.", maxReportLimit,
		reportLimit)
	return fields
}

func reportResponse() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"accounts": {Type: framework.TypeSlice, Description: "The accounts of this page, sorted by connection, instance_id and username. " +
			"Each has " + strings.Join(rowFields, ", ") + ": " + rowWords + "; the others as in accounts/."},
		"csv": {Type: framework.TypeString, Description: "Only with format=csv, instead of accounts: a line with the names of the fields, and " +
			"one for each account. A value that a spreadsheet might take for a formula begins with an apostrophe."},
		"total": {Type: framework.TypeInt, Required: true, Description: "How many accounts the filters find, on all pages."},
		"next":  {Type: framework.TypeString, Description: "Only if more accounts follow: the value of after for the next page."},
		"loading": {Type: framework.TypeBool, Required: true,
			Description: "Whether accounts are still being loaded from storage after a start. Until then some are missing."},
	}
}

func (b *backend) readReport(_ context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	query, err := reportQuery(data)
	if err != nil {
		return nil, err
	}
	report := b.core.Report(*query)
	now := b.core.Now()
	rows := make([]map[string]any, 0, len(report.Accounts))
	for _, v := range report.Accounts {
		rows = append(rows, b.accountRow(v, now))
	}
	answer := map[string]any{"total": report.Total, "loading": report.Loading}
	if data.Get("format").(string) == formatCSV {
		if answer["csv"], err = rowsAsCSV(request.Mount(req), rows); err != nil {
			return nil, err
		}
	} else {
		answer["accounts"] = rows
	}
	if report.Next != (rotation.ID{}) {
		answer["next"] = report.Next.String()
	}
	return request.Warn(&logical.Response{Data: answer}, reportWarnings(query, report)...), nil
}

// maxNameFilter is longer than the name of an instance in any cloud.
const maxNameFilter = 1024

// reportQuery reads the filters. A misspelt one must not look like a fleet without trouble.
func reportQuery(data *framework.FieldData) (*rotation.ReportQuery, error) {
	q := &rotation.ReportQuery{}
	given := request.Fields{Data: data}
	given.Trimmed("connection", &q.Connection)
	given.Trimmed("role", &q.Role)
	given.Trimmed("name", &q.Name)
	given.Trimmed("server", &q.Server)
	given.Trimmed("holder", &q.Holder)
	given.Flag("failing", &q.Failing)
	given.Flag("drifted", &q.Drifted)
	given.Flag("rebuilt", &q.Rebuilt)
	for field, value := range map[string]string{"name": q.Name, "server": q.Server} {
		if len(value) > maxNameFilter {
			return nil, request.Invalidf("%s: must have at most %d bytes", field, maxNameFilter)
		}
	}
	if len(q.Holder) > maxReaderText {
		return nil, request.Invalidf("holder: must have at most %d bytes", maxReaderText)
	}
	q.Holder = clientText(q.Holder)
	for field, value := range map[string]string{"connection": q.Connection, "role": q.Role} {
		if value != "" && !request.IsName(value) {
			return nil, request.Invalidf("%s: %.40q is no name of a %s; it takes one name, without *", field, value, field)
		}
	}
	var older *time.Duration
	if err := given.Duration("older_than", &older); err != nil {
		return nil, err
	}
	q.OlderThan = request.ValueOr(older, 0)
	given.List("state", &q.States)
	if err := oneOf("state", q.States, rotation.States()); err != nil {
		return nil, err
	}
	given.List("check_result", &q.CheckResults)
	if err := oneOf("check_result", q.CheckResults, rotation.CheckResults()); err != nil {
		return nil, err
	}
	var reasons []string
	given.List("due_reason", &reasons)
	if err := oneOf("due_reason", reasons, rotation.DueReasons()); err != nil {
		return nil, err
	}
	q.DueReasons = rotation.Reasons(reasons)
	return q, reportPage(q, data)
}

// reportPage reads which page is asked for.
func reportPage(q *rotation.ReportQuery, data *framework.FieldData) error {
	q.Limit = data.Get("limit").(int)
	if q.Limit < 0 || q.Limit > maxReportLimit {
		return request.Invalidf("limit: must be at most %d, or 0 for %d; after, with next of this page, asks for the next one",
			maxReportLimit, reportLimit)
	}
	if q.Limit == 0 {
		q.Limit = reportLimit
	}
	if after := data.Get("after").(string); after != "" {
		id, err := rotation.ParseID(after)
		if err != nil {
			return request.Invalidf("after: must be an account, connection/instance_id/username, as in next of the page before")
		}
		q.After = id
	}
	if format := data.Get("format").(string); format != "" && format != formatCSV {
		return request.Invalidf("format: must be %s, or left out", formatCSV)
	}
	return nil
}

// oneOf checks that the values of a filter are among those that there are.
func oneOf(field string, given, allowed []string) error {
	for _, value := range given {
		if !slices.Contains(allowed, value) {
			return request.Invalidf("%s: %.40q: must be one or several of %s", field, value, strings.Join(allowed, ", "))
		}
	}
	return nil
}

func reportWarnings(q *rotation.ReportQuery, report rotation.Report) []hint.Text {
	var warnings []hint.Text
	if report.Loading {
		warnings = append(warnings, hint.Plain("accounts are still being loaded from storage: some are missing; ask again when loading is false"))
	}
	if !report.Seen && (q.Connection != "" || q.Role != "" || q.Server != "") {
		var of []string
		if q.Connection != "" {
			of = append(of, "connection "+q.Connection)
		}
		if q.Role != "" {
			of = append(of, "role "+q.Role)
		}
		if q.Server != "" {
			of = append(of, "server "+text.Name(q.Server, maxClientText))
		}
		warnings = append(warnings, hint.Textf("there is no account of %s at all; check its spelling", strings.Join(of, " and ")))
	}
	return warnings
}

// rowsAsCSV writes rows as RFC 4180 has them, but for the ends of lines.
func rowsAsCSV(mount string, rows []map[string]any) (string, error) {
	var out strings.Builder
	w := csv.NewWriter(&out)
	lines := [][]string{rowFields}
	for _, row := range rows {
		line := make([]string, len(rowFields))
		for i, field := range rowFields {
			line[i] = csvCell(mount, row[field])
		}
		lines = append(lines, line)
	}
	err := w.WriteAll(lines)
	return out.String(), err
}

// csvCell is a value as text. Names come from the cloud, where others may write them, and a spreadsheet must not run one as a
// formula (OWASP, CSV Injection).
func csvCell(mount string, value any) string {
	var cell string
	switch v := value.(type) {
	case nil:
		return ""
	case hint.Text:
		cell = v.At(mount)
	case []string:
		cell = strings.Join(v, ", ")
	default:
		cell = fmt.Sprint(v)
	}
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
