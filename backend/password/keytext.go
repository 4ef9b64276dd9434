package password

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Key files come in more forms than PEM allows: saved by an editor in UTF-16, indented in a YAML file, on one line of
// an environment variable, with \n written out, as the whole answer of a cloud's API, or base64 once more. What
// can only be meant in one way is made proper PEM here; for the rest see keyform.go.

// maxUnwrapped bounds how many wrappings are taken off: JSON in quotes in base64 is three.
const maxUnwrapped = 4

// pemText returns the text of a key as proper PEM, as far as there is PEM in it, whatever it is wrapped in.
func pemText(raw []byte) (string, error) {
	text := string(raw)
	if inner := fromBinary(raw); inner != "" {
		text = inner
	}
	for range maxUnwrapped {
		text = plainText(text)
		if hasBoundary(text) && !isJSON(text) && !strings.HasPrefix(text, `"`) {
			return properPEM(text), nil
		}
		inner, err := unwrapped(text)
		if err != nil {
			return "", err
		}
		if inner == "" {
			break
		}
		text = inner
	}
	if !hasBoundary(text) {
		return text, nil
	}
	return properPEM(text), nil
}

// plainText undoes what encodings and line ends of files do. The vault command reads a file as UTF-8, so
// of UTF-16 there arrive the ASCII characters, each with a NUL, and U+FFFD for the byte order mark. Bytes that
// are not UTF-8 count as U+FFFD here, too.
func plainText(text string) string {
	if isUTF16(text) {
		text = strings.ReplaceAll(text, "\x00", "")
		text = strings.TrimLeft(text, "\ufffd")
	}
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	return strings.TrimFunc(text, isBlank)
}

// isBlank is white space, and what looks like none at all.
func isBlank(c rune) bool { return unicode.IsSpace(c) || c == 0 || unicode.Is(unicode.Cf, c) }

// dropSpace is a strings.Map function that removes white space.
func dropSpace(c rune) rune {
	if unicode.IsSpace(c) {
		return -1
	}
	return c
}

// isUTF16 reports whether every other one of the first characters is a NUL.
func isUTF16(text string) bool {
	head := []rune(strings.TrimLeft(text[:min(len(text), 256)], "\ufffd"))
	nuls := [2]int{}
	for i, c := range head {
		if c == 0 {
			nuls[i%2]++
		}
	}
	half := len(head) / 2
	return half > 0 && (nuls[0] >= half && nuls[1] == 0 || nuls[1] >= half && nuls[0] == 0)
}

// unwrapped is the key inside of a text that holds it in another form; "" if there is none.
func unwrapped(text string) (string, error) {
	switch {
	case isJSON(text):
		return fromJSON(text)
	case len(text) > 1 && (text[0] == '"' || text[0] == '\'' || text[0] == '`') && text[len(text)-1] == text[0]:
		var quoted string
		if json.Unmarshal([]byte(text), &quoted) == nil {
			return quoted, nil
		}
		return text[1 : len(text)-1], nil
	}
	if raw, ok := fromBase64(text); ok {
		if inner := fromBinary(raw); inner != "" {
			return inner, nil
		}
		if _, again := fromBase64(string(raw)); again {
			return string(raw), nil
		}
		return "", nil
	}
	return fromBinary([]byte(text)), nil
}

// isJSON takes an object for JSON also where it is damaged, which a list might not be.
func isJSON(text string) bool {
	return strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") && json.Valid([]byte(text))
}

// fromJSON finds the private key in the answer of a cloud's API, such as that of aws ec2 create-key-pair,
// whatever its field is called.
func fromJSON(text string) (string, error) {
	var answer any
	if json.Unmarshal([]byte(text), &answer) != nil {
		return "", errors.New("private_key is JSON that is damaged or cut short: give the private key in it alone, such as by: jq -r " +
			".KeyMaterial answer.json > key.pem")
	}
	keys := keysIn(answer)
	switch {
	case len(keys) == 1:
		return keys[0], nil
	case len(keys) > 1:
		return "", errMoreKeys
	}
	if fields, ok := answer.(map[string]any); ok && fields["kty"] != nil {
		return "", errors.New(
			"private_key is a JSON Web Key; convert it with: step crypto jwk to-pem, or any other tool that writes PEM, then give that file")
	}
	return "", errors.New("private_key is JSON without a private key in it; the cloud shows a private key once, when it makes the key pair: " +
		"aws ec2 create-key-pair --key-name NAME --query KeyMaterial --output text > key.pem")
}

func keysIn(value any) (found []string) {
	switch v := value.(type) {
	case string:
		if strings.Contains(v, "PRIVATE KEY") && hasBoundary(v) {
			found = append(found, v)
		}
	case []any:
		for _, element := range v {
			found = append(found, keysIn(element)...)
		}
	case map[string]any:
		for _, element := range v {
			found = append(found, keysIn(element)...)
		}
	}
	return found
}

// fromBase64 decodes the body of a PEM file without its first and last line, or base64 of a whole file.
func fromBase64(text string) ([]byte, bool) {
	compact := strings.Map(dropSpace, text)
	if len(compact) < 64 {
		return nil, false
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if raw, err := encoding.DecodeString(compact); err == nil {
			return raw, true
		}
	}
	return nil, false
}

// boundary is the first or last line of a PEM block, also where a word processor has changed the hyphens or a
// copy has lost some of them.
var boundary = regexp.MustCompile(`[-\x{2010}-\x{2015}]{2,}[ \t]*(BEGIN|END) ([A-Z0-9][A-Z0-9 -]*[A-Z0-9])[ \t]*[-\x{2010}-\x{2015}]{2,}`)

func hasBoundary(text string) bool { return boundary.MatchString(text) }

// properPEM writes the blocks of a text as PEM has them, and drops what stands around them. A block that
// does not end, or ends as another one, stays out, but for its first line.
func properPEM(text string) string {
	if strings.Contains(text, `\n`) {
		text = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n", `\r`, "\n").Replace(text)
	}
	var out strings.Builder
	marks := boundary.FindAllStringSubmatchIndex(text, -1)
	for i, m := range marks {
		word, label := text[m[2]:m[3]], text[m[4]:m[5]]
		if word != "BEGIN" {
			continue
		}
		out.WriteString("-----BEGIN " + label + "-----\n")
		if i+1 < len(marks) && text[marks[i+1][2]:marks[i+1][3]] == "END" && text[marks[i+1][4]:marks[i+1][5]] == label {
			out.WriteString(properBody(text[m[1]:marks[i+1][0]]))
			out.WriteString("-----END " + label + "-----\n")
		}
	}
	return out.String()
}

var (
	// pemHeaders are those of the legacy encryption, which may have come to stand on one line.
	pemHeaders = regexp.MustCompile(`^\s*Proc-Type:\s*(4,\s*ENCRYPTED)\s+DEK-Info:\s*([A-Za-z0-9-]+(?:,\s*[0-9A-Fa-f]+)?)\s+`)
	// otherHeaders stand in files of other programs, each on a line of its own.
	otherHeaders = regexp.MustCompile(`^\s*[A-Za-z][A-Za-z0-9-]*:[^\n]*\n`)
)

// properBody writes the inside of a block: headers, a blank line, and base64 in lines.
func properBody(body string) string {
	var out strings.Builder
	if m := pemHeaders.FindStringSubmatch(body); m != nil {
		out.WriteString("Proc-Type: 4,ENCRYPTED\nDEK-Info: " + strings.Map(dropSpace, m[2]) + "\n\n")
		body = body[len(m[0]):]
	}
	for m := otherHeaders.FindString(body); m != ""; m = otherHeaders.FindString(body) {
		body = body[len(m):]
	}
	body = strings.Map(func(c rune) rune {
		if isBlank(c) || c == '\\' {
			return -1
		}
		return c
	}, body)
	for line := range slices.Chunk([]byte(body), 64) {
		out.Write(append(line, '\n'))
	}
	return out.String()
}

// fromBinary makes PEM of a key in one of the binary forms that PEM is made of; else it returns "". A text that
// is itself in one of the other forms comes back as it is.
func fromBinary(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	if label := derLabel(raw); label != "" {
		return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: raw}))
	}
	if bytes.HasPrefix(raw, []byte(openSSHMagic)) {
		return string(pem.EncodeToMemory(&pem.Block{Type: typeOpenSSH, Bytes: raw}))
	}
	switch text := string(raw); {
	case isUTF16(text): // of a file, or of base64 of one
		if text = plainText(strings.ToValidUTF8(text, "")); hasBoundary(text) {
			return text
		}
	case utf8.Valid(raw) && hasBoundary(text):
		return text
	}
	return ""
}
