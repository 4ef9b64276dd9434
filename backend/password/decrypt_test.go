package password

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecryptInitialPublishedVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			got, err := DecryptInitial(v.key, v.ciphertext)
			if err != nil || got != v.plaintext {
				t.Fatalf("got %q, %v; want %q", got, err, v.plaintext)
			}
		})
	}
}

func TestDecryptInitialIgnoresWhiteSpace(t *testing.T) {
	wrap := func(s string, width int, separator string) string {
		var lines []string
		for ; len(s) > width; s = s[width:] {
			lines = append(lines, s[:width])
		}
		return strings.Join(append(lines, s), separator)
	}
	forms := map[string]func(string) string{
		"LF every 60 and at the end": func(s string) string { return wrap(s, 60, "\n") + "\n" },
		"CRLF every 76":              func(s string) string { return wrap(s, 76, "\r\n") },
		"line breaks around it":      func(s string) string { return "\r\n" + s + "\r\n" },
		"blanks and tabs":            func(s string) string { return " \t" + wrap(s, 64, " \t ") + "\t" },
		"a blank everywhere":         func(s string) string { return wrap(s, 1, " ") },
		"vertical tab and form feed": func(s string) string { return "\v" + wrap(s, 50, "\f") },
	}
	for _, v := range vectors(t) {
		for name, form := range forms {
			t.Run(v.name+"/"+name, func(t *testing.T) {
				got, err := DecryptInitial(v.key, form(v.ciphertext))
				if err != nil || got != v.plaintext {
					t.Fatalf("got %q, %v; want %q", got, err, v.plaintext)
				}
			})
		}
	}
}

// TestDecryptInitialFromOpenSSL decrypts 100 ciphertexts that another
// implementation made under fresh keys of every usual size.
func TestDecryptInitialFromOpenSSL(t *testing.T) {
	const perKey = 25
	for _, bits := range []int{1024, 2048, 3072, 4096} {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			t.Parallel()
			key := mustParse(t, opensslKey(t, bits), nil)
			if key.Bits() != bits {
				t.Fatalf("Bits() = %d", key.Bits())
			}
			for _, want := range passwords(rand.New(rand.NewPCG(1, uint64(bits))), perKey, bits/8-11) {
				got, err := DecryptInitial(key, opensslEncrypt(t, key, []byte(want)))
				if err != nil || got != want {
					t.Fatalf("got %q, %v; want %q", got, err, want)
				}
			}
		})
	}
}

// passwords makes n passwords of 1 to limit bytes, UTF-8 among them.
func passwords(random *rand.Rand, n, limit int) []string {
	limit = min(limit, MaxLength)
	out := []string{
		"x", "=mG8.r$o-s", "Grüße-Straße9", "пароль-Ж7", "密码Pass1!", "clé secrète", "🔑🔒keys",
		strings.Repeat("A", limit), strings.Repeat("é", limit/2),
	}
	alphabet := []rune("abcXYZ019 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~äß語🔐")
	for len(out) < n {
		var b strings.Builder
		for range 1 + random.IntN(40) {
			if c := alphabet[random.IntN(len(alphabet))]; b.Len()+utf8.RuneLen(c) <= limit {
				b.WriteRune(c)
			}
		}
		out = append(out, b.String())
	}
	return out
}

// TestDecryptInitialFailsWithOneError covers every way in which a ciphertext can
// be bad: all of them give the very same error value.
func TestDecryptInitialFailsWithOneError(t *testing.T) {
	v := vectors(t)[0]
	block, err := base64.StdEncoding.DecodeString(v.ciphertext)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	flipped := bytes.Clone(block)
	flipped[len(flipped)/2] ^= 1
	noPadding := make([]byte, len(block))
	noPadding[len(block)-1] = 2
	tests := map[string]string{
		"empty":                      "",
		"white space only":           " \r\n\t",
		"not base64":                 "this is no base64!",
		"URL alphabet":               strings.ReplaceAll(strings.ReplaceAll(v.ciphertext, "+", "-"), "/", "_"),
		"base64 cut short":           v.ciphertext[:len(v.ciphertext)-3],
		"cut by one byte":            encode(block[:len(block)-1]),
		"cut to half":                encode(block[:len(block)/2]),
		"one byte too long":          encode(append(bytes.Clone(block), 0)),
		"leading zero byte":          encode(append([]byte{0}, block...)),
		"one bit flipped":            encode(flipped),
		"no padding inside":          encode(noPadding),
		"zero":                       encode(make([]byte, len(block))),
		"above the modulus":          encode(bytes.Repeat([]byte{0xff}, len(block))),
		"sample of the vendor pages": "UHC9+YW1Khr5w==",
		"huge":                       strings.Repeat("A", 1<<20),
		"huge white space":           strings.Repeat(" ", 1<<20) + v.ciphertext,
	}
	for name, ciphertext := range tests {
		t.Run(name, func(t *testing.T) { wantErrDecrypt(t, v.key, ciphertext) })
	}
}

func TestDecryptInitialWithAnotherKey(t *testing.T) {
	vs := vectors(t)
	wantErrDecrypt(t, vs[0].key, vs[1].ciphertext)
	wantErrDecrypt(t, vs[1].key, vs[0].ciphertext)
	small := mustParse(t, opensslKey(t, 1024), nil)
	wantErrDecrypt(t, small, vs[0].ciphertext)
}

// TestDecryptInitialRefusesHostilePlaintext has well-formed ciphertexts of texts
// that must not reach a terminal or a log in.
func TestDecryptInitialRefusesHostilePlaintext(t *testing.T) {
	key := vectors(t)[0].key
	large := mustParse(t, opensslKey(t, 3072), nil)
	tests := map[string]struct {
		key       *PrivateKey
		plaintext string
	}{
		"empty":                 {key, ""},
		"no UTF-8":              {key, "abc\xff\xfe"},
		"UTF-8 surrogate":       {key, "abc\xed\xa0\x80"},
		"NUL inside":            {key, "abc\x00def"},
		"line break at the end": {key, "password\n"},
		"carriage return":       {key, "pass\rword"},
		"terminal escape":       {key, "\x1b]0;owned\a"},
		"delete":                {key, "abc\x7f"},
		"C1 control":            {key, "abc\u009bdef"},
		"line separator":        {key, "abc\u2028def"},
		"right-to-left":         {key, "abc\u202edef"},
		"zero width space":      {key, "abc\u200bdef"},
		"byte order mark":       {key, "\ufeffabcdef"},
		"tag character":         {key, "abc\U000E0041def"},
		"no-break space":        {key, "abc\u00a0def"},
		"replacement character": {key, "abc\ufffddef"},
		"256 bytes":             {large, strings.Repeat("a", 256)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { wantErrDecrypt(t, tt.key, opensslEncrypt(t, tt.key, []byte(tt.plaintext))) })
	}
	want := strings.Repeat("a", 255)
	if got, err := DecryptInitial(large, opensslEncrypt(t, large, []byte(want))); err != nil || got != want {
		t.Errorf("255 bytes: got %q, %v", got, err)
	}
}

// wantErrDecrypt compares with ==: a wrapped error could carry a cause.
func wantErrDecrypt(t *testing.T, key *PrivateKey, ciphertext string) {
	t.Helper()
	got, err := DecryptInitial(key, ciphertext)
	if got != "" || err != ErrDecrypt { //nolint:errorlint // The value itself is the promise.
		t.Fatalf("got %q, %v; want the bare ErrDecrypt", got, err)
	}
}

func FuzzDecryptInitial(f *testing.F) {
	v := vectors(f)[0]
	f.Add(v.ciphertext)
	f.Add("\n" + v.ciphertext + "\r\n")
	f.Add("")
	f.Add("UHC9+YW1Khr5w==")
	f.Fuzz(func(t *testing.T, ciphertext string) {
		got, err := DecryptInitial(v.key, ciphertext)
		if err != nil {
			if got != "" || !errors.Is(err, ErrDecrypt) {
				t.Fatalf("got %q, %v", got, err)
			}
			return
		}
		if !isPassword([]byte(got)) {
			t.Fatalf("unprintable password %q", got)
		}
	})
}

func BenchmarkDecryptInitial(b *testing.B) {
	v := vectors(b)[0]
	for b.Loop() {
		if _, err := DecryptInitial(v.key, v.ciphertext); err != nil {
			b.Fatal(err)
		}
	}
}
