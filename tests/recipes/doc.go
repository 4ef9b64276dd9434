// Package recipes has the tests of examples/kubernetes and examples/ci, as far as they need neither a cluster nor a CI service: the
// form of the files, that they fit one another, and what the init container's script does. TestScriptForCI of the end-to-end tests runs
// the script for jobs.
package recipes
