//go:build !windows

package session

// onlyKnown: what a terminal can do depends on its type, which TERM names.
const onlyKnown = true
