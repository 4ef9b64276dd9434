// Package console serves the local page of `cloudpw console`: the fleet, one account's history, campaigns, the health of
// connections, and passwords that are taken and given back. It listens on a loopback address and acts with the user's own
// token, which stays in this process: a browser is given neither the token nor a copy of it.
//
// The files, from the top:
//
//	console.go               a running console: listens, prints links, ends and gives back
//	api.go, api_*.go         the JSON API that the page calls
//	held.go                  the passwords that were taken here, and their leases
//	fleet.go, view.go        the rows of the report in memory; filters, sorting, windows of rows
//	figures.go               what the charts show
//	problem.go               what went wrong, for a person: what is missing, and what to do
//	gate.go, headers.go      who may call: one-time links, cookies, Host and Origin; the headers of every answer
//	assets.go, assets/       the page itself: ES modules and CSS as they are written, without a bundler
//
// assets/vendor holds files of other projects as npm publishes them; scripts/console-assets.sh compares them.
package console
