package doctor

import (
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/cmd/cloudpw/internal/engine"
)

// Level is how a finding is.
type Level string

// The levels.
const (
	OK    Level = "ok"
	Note  Level = "note"  // worth knowing; nothing is wrong
	Wrong Level = "wrong" // something does not work, or is unsafe
)

// Finding is what was found about a part.
type Finding struct {
	Part  string `json:"part"`
	Level Level  `json:"level"`
	Text  string `json:"text"`
	Next  string `json:"next,omitempty"` // the command that helps
}

// Doctor looks at one mount.
type Doctor struct {
	Client     *engine.Client
	Version    string // of the command
	SkipVerify bool   // the certificate is not checked
	Now        func() time.Time
	Tools      Tools

	found []Finding
}

func (d *Doctor) add(part string, level Level, next, text string) {
	d.found = append(d.found, Finding{Part: part, Level: level, Text: text, Next: next})
}

// AnyWrong reports whether something is wrong.
func AnyWrong(findings []Finding) bool {
	for _, f := range findings {
		if f.Level == Wrong {
			return true
		}
	}
	return false
}
