package password

// class is one of the four character classes that complexity rules count.
type class int

const (
	classLower class = iota
	classUpper
	classDigit
	classSpecial
	classCount

	// classNone is what no rule counts: control characters and everything
	// outside ASCII.
	classNone class = -1
)

const (
	lowerCase = "abcdefghijklmnopqrstuvwxyz"
	upperCase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits    = "0123456789"
)

// classOf tells the class of a byte of a password.
func classOf(c byte) class {
	switch {
	case 'a' <= c && c <= 'z':
		return classLower
	case 'A' <= c && c <= 'Z':
		return classUpper
	case '0' <= c && c <= '9':
		return classDigit
	case ' ' <= c && c <= '~':
		return classSpecial
	default:
		return classNone
	}
}

// classSet says which classes occur.
type classSet [classCount]bool

// classesIn tells the classes that occur in b.
func classesIn(b []byte) classSet {
	var set classSet
	for _, c := range b {
		if class := classOf(c); class != classNone {
			set[class] = true
		}
	}
	return set
}

// count is the number of classes in the set.
func (s classSet) count() int {
	n := 0
	for _, in := range s {
		if in {
			n++
		}
	}
	return n
}
