// Package audit makes a report about the passwords of a mount for people who check whether rules are kept: how old each password is, who
// was given it, which servers have another one, and what is an exception. It reads no password.
package audit
