package cli

// The groups of commands in the help.
const (
	groupSee   = "see"
	groupUse   = "use"
	groupOrder = "order"
	groupKeep  = "keep"
)
