package password

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// seeded is a deterministic source of random bytes.
func seeded(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

func TestGenerateSatisfiesTheRules(t *testing.T) {
	tests := map[string]struct {
		rules    Rules
		username string
		length   int
		want     int // characters
	}{
		"no rules":                    {Rules{}, "", 0, 24},
		"server":                      {serverRules, "root", 0, 24},
		"windows":                     {windowsRules, "Administrator", 0, 24},
		"strict":                      {strictRules, "Administrator", 0, 24},
		"clipped to the greatest":     {Rules{MaxLength: 16, MinClasses: 4}, "root", 0, 16},
		"raised to the least":         {Rules{MinLength: 40}, "root", 0, 40},
		"the least that is accepted":  {serverRules, "root", 8, 8},
		"the greatest":                {serverRules, "root", 30, 30},
		"255 characters":              {Rules{}, "", 255, 255},
		"no special in common":        {Rules{Special: "()", MinClasses: 3}, "root", 0, 24},
		"one-letter user name":        {Rules{ForbidUsername: true, ForbidUsernameReversed: true}, "a", 255, 255},
		"no letter of the user name":  {Rules{ForbidUsernameRun: 1}, "Administrator", 0, 24},
		"no pair of the user name":    {Rules{ForbidUsernameRun: 2}, "Administrator", 0, 24},
		"first only from a few":       {Rules{ForbidFirst: lowerCase + "ABCDEFGHIJKLMNOPQRSTUVWXY"}, "", 0, 24},
		"user name longer than it":    {strictRules, strings.Repeat("longname", 10), 8, 8},
		"user name of other scripts":  {strictRules, "管理员", 0, 24},
		"least length, all classes":   {Rules{MinClasses: 4, Special: "-"}, "root", 8, 8},
		"only upper case is left out": {Rules{MinClasses: 3, ForbidUsernameRun: 1}, "abc", 12, 12},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for range 200 {
				got, err := Generate(tt.rules, tt.username, tt.length)
				if err != nil {
					t.Fatal(err)
				}
				if err := tt.rules.Check(got, tt.username); err != nil {
					t.Fatalf("%q: %v", got, err)
				}
				if len(got) != tt.want || !strings.Contains(lowerCase+upperCase, got[:1]) {
					t.Fatalf("%q has not %d characters with a letter first", got, tt.want)
				}
				classes := classesIn([]byte(got))
				if !classes[classLower] || !classes[classUpper] || !classes[classDigit] {
					t.Fatalf("%q lacks a class", got)
				}
				if hasSpecial := strings.ContainsAny(got, safeSpecial); hasSpecial != (tt.rules.Special != "()") {
					t.Fatalf("%q: special characters: %v", got, hasSpecial)
				}
			}
		})
	}
}

func TestGenerateDrawsSpecialsAllowedByBothSides(t *testing.T) {
	seen := map[rune]bool{}
	for range 2000 {
		got, err := Generate(strictRules, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range got {
			if classOf(byte(c)) == classSpecial {
				seen[c] = true
			}
		}
	}
	const want = "!@%-_=+:." // allowed by the rules and in the conservative set
	for _, c := range want {
		if !seen[c] {
			t.Errorf("%c is never used", c)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d special characters are used, want %d", len(seen), len(want))
	}
}

func TestGenerateRefuses(t *testing.T) {
	tests := map[string]struct {
		rules    Rules
		username string
		length   int
		want     string
	}{
		"below the least length":    {Rules{MinLength: 12}, "", 11, "length 11 is outside 12 to 255"},
		"above the greatest length": {serverRules, "", 31, "length 31 is outside 8 to 30"},
		"too short to be safe":      {Rules{}, "", 7, "length 7 is outside 8 to 255"},
		"negative":                  {Rules{}, "", -1, "length -1 is outside"},
		"rules too short":           {Rules{MaxLength: 7}, "", 0, "allow 7 characters, at least 8"},
		"no letter may come first":  {Rules{ForbidFirst: lowerCase + upperCase}, "", 0, "no letter for the first"},
		"no common special":         {Rules{MinClasses: 4, Special: "()"}, "", 0, "ask for 4 character classes and leave 3"},
		"no digit but nothing else": {Rules{MinClasses: 4, ForbidUsernameRun: 1}, digits, 0, "ask for 4 character classes and leave 3"},
		"too few passwords":         {Rules{ForbidUsernameRun: 2, MinLength: 200}, allPairs(), 0, "too few passwords"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Generate(tt.rules, tt.username, tt.length)
			if got != "" || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v; want an error with %q", got, err, tt.want)
			}
		})
	}
}

// allPairs is a user name that forbids every pair of letters and digits.
func allPairs() string {
	var b strings.Builder
	for _, x := range lowerCase + digits {
		for _, y := range lowerCase + digits {
			b.WriteRune(x)
			b.WriteRune(y)
		}
	}
	return b.String()
}

func TestGenerateReportsAFailingSource(t *testing.T) {
	cause := errors.New("no entropy")
	for name, source := range map[string]io.Reader{
		"at once":       &failing{err: cause},
		"after a while": &failing{left: 10, err: cause},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := generate(source, serverRules, "root", 0)
			if got != "" || !errors.Is(err, cause) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// failing yields some bytes and then an error.
type failing struct {
	left int
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	n := min(f.left, len(p))
	f.left -= n
	if n < len(p) {
		return n, f.err
	}
	return n, nil
}

// TestGenerateUsesItsSource shows that the password comes from the source and
// nothing else: the same bytes give the same password, others another one.
func TestGenerateUsesItsSource(t *testing.T) {
	one, err1 := generate(seeded(1), serverRules, "root", 0)
	again, err2 := generate(seeded(1), serverRules, "root", 0)
	other, err3 := generate(seeded(2), serverRules, "root", 0)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if one != again || one == other {
		t.Errorf("got %q, %q, %q", one, again, other)
	}
}

// TestSamplerIsExactlyUnbiased feeds every byte value once: for every alphabet
// size each character must come out equally often. It is a proof, not a statistic.
func TestSamplerIsExactlyUnbiased(t *testing.T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for n := 1; n <= 256; n++ {
		s := &sampler{random: bytes.NewReader(every)}
		counts := map[byte]int{}
		for {
			c, err := s.pick(string(every[:n]))
			if err != nil {
				break
			}
			counts[c]++
		}
		for c := range n {
			if counts[byte(c)] != 256/n {
				t.Fatalf("alphabet of %d: character %d came %d times, want %d", n, c, counts[byte(c)], 256/n)
			}
		}
	}
}

// TestGeneratedCharactersAreUniform looks at whole passwords: in every place but
// the first, characters of one class are equally likely (classes are not: each is
// asked for). The source is seeded, so the outcome never changes.
func TestGeneratedCharactersAreUniform(t *testing.T) {
	const rounds = 20_000
	source := seeded(7)
	counts := map[byte]int{}
	firsts := map[byte]int{}
	for range rounds {
		got, err := generate(source, Rules{}, "", 16)
		if err != nil {
			t.Fatal(err)
		}
		firsts[got[0]]++
		for i := 1; i < len(got); i++ {
			counts[got[i]]++
		}
	}
	for name, tt := range map[string]struct {
		counts map[byte]int
		set    string
	}{
		"lower case": {counts, lowerCase}, "upper case": {counts, upperCase}, "digits": {counts, digits},
		"special": {counts, safeSpecial}, "first, lower case": {firsts, lowerCase}, "first, upper case": {firsts, upperCase},
	} {
		if chi, limit := chiSquare(tt.counts, tt.set), chiLimit[len(tt.set)-1]; chi > limit {
			t.Errorf("%s: chi square %.1f is above %.1f", name, chi, limit)
		}
	}
	// The same measure must find the bias it is there for: taking bytes modulo 26
	// favours the first 22 letters by a tenth.
	biased := map[byte]int{}
	for range rounds * 15 {
		var b [1]byte
		if _, err := io.ReadFull(source, b[:]); err != nil {
			t.Fatal(err)
		}
		biased[lowerCase[int(b[0])%26]]++
	}
	if chi, limit := chiSquare(biased, lowerCase), chiLimit[25]; chi <= limit {
		t.Errorf("a biased sampler goes unnoticed: chi square %.1f is not above %.1f", chi, limit)
	}
}

// chiLimit is the chi square value that an unbiased source exceeds once in a
// thousand runs, by degrees of freedom.
var chiLimit = map[int]float64{9: 27.88, 12: 32.91, 25: 52.62}

func chiSquare(counts map[byte]int, set string) float64 {
	total := 0
	for _, c := range []byte(set) {
		total += counts[c]
	}
	want := float64(total) / float64(len(set))
	sum := 0.0
	for _, c := range []byte(set) {
		d := float64(counts[c]) - want
		sum += d * d / want
	}
	return sum
}

func BenchmarkGenerate(b *testing.B) {
	for name, rules := range map[string]Rules{"none": {}, "strict": strictRules} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Generate(rules, "Administrator", 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
