package clipboard

const missing = "pbcopy and pbpaste are not on the PATH"

func tools() []tool { return []tool{{write: []string{"pbcopy"}, read: []string{"pbpaste"}}} }

func trim(s string) string { return s }
