// Package request has what the handlers of all paths share: reading the fields that a write names ([Fields]), errors with
// their HTTP status ([Invalidf], [VaultError]), schemas of fields and answers, pages of lists, and the hints that answers
// render for the mount of a request ([AtMount]). It knows no connection, key or role.
package request
