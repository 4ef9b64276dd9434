package guest

import (
	_ "embed" // parts of the scripts
	"encoding/base64"
	"slices"
	"strings"
)

// Stored is a script in the form for clouds that keep scripts, and run one with parameters: its text is the same for all passwords
// and users.
//
// A parameter's name stands in the text as ${name}, between double quotes. So the script is right whether the cloud puts the value
// in its place or gives it to the script as a variable; and nothing else in it has that form. What a shell may care for is in base64,
// ended by a colon that no such value has, so that one which was cut short does not pass for another.
type Stored struct {
	// Text is shorter than 4,096 characters.
	Text       string
	Parameters []Parameter
}

// Parameter is one of a stored script. Values are of letters, digits, "+", "/" and "=".
type Parameter struct {
	Name, Value string
	// Secret: who reads the value can try passwords against it. No error may repeat it.
	Secret bool
}

// String keeps a script out of logs that print values.
func (Stored) String() string { return "stored script" }

// GoString does the same for %#v.
func (s Stored) GoString() string { return s.String() }

// String keeps a value out of logs.
func (p Parameter) String() string { return "parameter " + p.Name }

// GoString does the same for %#v.
func (p Parameter) GoString() string { return p.String() }

// secrets are the values that no error may repeat.
func (s *Stored) secrets() []string {
	if s == nil {
		return nil
	}
	var out []string
	for _, p := range s.Parameters {
		if p.Secret {
			out = append(out, p.Value)
		}
	}
	return out
}

// Parts of the stored forms: what both of them need, and how each takes its values.
var (
	//go:embed stored.sh
	storedText string
	//go:embed linux_stored.sh
	linuxStoredText string
	//go:embed check_stored.sh
	checkStoredText string
)

// asRoot begins the line of each script after which the stored form takes its values, and ending is the last line.
const (
	asRoot = "\t[ \"$(id -u)\" = 0 ] || "
	ending = "\n# Last, so that of a script that was cut short nothing is run.\nmain\n"
)

// store makes the stored text of a script. heads are the variables of its head and their placeholders there.
func store(text, receive string, heads ...string) string {
	for pair := range slices.Chunk(heads, 2) {
		name := pair[0]
		text = strings.Replace(text, name+"='"+pair[len(pair)-1]+"'\n", name+`="${`+parameterPrefix+name+"}\"\n", 1)
	}
	before, after, _ := strings.Cut(text, asRoot)
	line, after, _ := strings.Cut(after, "\n")
	text = before + asRoot + line + "\n\treceive\n" + after
	return withoutComments(strings.TrimSuffix(text, ending) + "\n" + storedText + receive + strings.TrimPrefix(ending, "\n"))
}

// withoutComments leaves a script its first two lines, by which it knows its own file, and of the others those that do something.
func withoutComments(text string) string {
	var out strings.Builder
	n := 0
	for line := range strings.Lines(text) {
		if n++; n <= 2 || !strings.HasPrefix(strings.TrimLeft(line, "\t"), "#") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// parameterPrefix begins the name of each parameter.
const parameterPrefix = "cloudpw_"

// encoded is how a value is handed over that a shell may care for.
func encoded(value string) string { return base64.StdEncoding.EncodeToString([]byte(value + ":")) }

// StoredLinux is the stored form of the scripts that [Linux] makes, without values.
func StoredLinux() *Stored {
	return &Stored{
		Text: store(linuxText, linuxStoredText, "user", "@USERNAME@", "hash", "@HASH@", "order", "@ORDER@", "notafter", "@NOTAFTER@"),
		Parameters: []Parameter{
			{Name: parameterPrefix + "user"}, {Name: parameterPrefix + "hash", Secret: true}, {Name: parameterPrefix + "order"},
			{Name: parameterPrefix + "notafter"},
		},
	}
}
