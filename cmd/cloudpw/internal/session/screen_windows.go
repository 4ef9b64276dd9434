package session

// onlyKnown: consoles have no TERM.
const onlyKnown = false
