package askpass

// Question is what a program wants to know.
type Question struct {
	// Prompt is the text that the program shows.
	Prompt string `json:"prompt"`
	// Kind is OpenSSH's SSH_ASKPASS_PROMPT: "confirm" for a question with yes or no, "none" for a notice, else empty.
	Kind string `json:"kind,omitempty"`
	// Asker is the process that started the helper.
	Asker int `json:"asker"`
}

// Answer says what becomes of a question. At most one field is set; without one nobody answers, and nothing is said of it.
type Answer struct {
	// Password is the answer.
	Password string `json:"password,omitempty"`
	// Terminal has the helper ask at the terminal.
	Terminal bool `json:"terminal,omitempty"`
	// Refusal is the reason why nobody answers.
	Refusal string `json:"refusal,omitempty"`
}

// String hides the password.
func (a Answer) String() string {
	switch {
	case a.Password != "":
		return "(a password)"
	case a.Terminal:
		return "(ask at the terminal)"
	default:
		return a.Refusal
	}
}

// GoString hides the password from %#v.
func (a Answer) GoString() string { return a.String() }
