package policy

import (
	"context"
	"math"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/hint"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
)

const (
	// Samples is how many passwords of a policy are looked at, and weakBits how many bits they should
	// have at least. Passwords of servers are not tried offline unless somebody has their hashes, and then 60
	// bits cost more than the server is worth.
	Samples  = 20
	weakBits = 60
)

// Warnings warns of a policy whose passwords can be guessed, when somebody names it.
func (p Generator) Warnings(ctx context.Context, in request.Fields, policy string) []hint.Text {
	if policy == "" || !in.Gives("password_policy") {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var samples []string
	for range Samples {
		sample, err := p.Sample(ctx, policy)
		if err != nil {
			return nil // it made one a moment ago; what it makes now tells nothing of its strength
		}
		samples = append(samples, sample)
	}
	if bits := strength(samples); bits < weakBits {
		return []hint.Text{hint.Textf("password_policy: passwords of policy %s have about %d bits (estimated from %d), which can be guessed; "+
			"let it have more characters, or more kinds of them: at least %d bits",
			policy, int(bits), Samples, weakBits)}
	}
	return nil
}

// strength estimates how many bits passwords have that were made alike. At each place it counts the characters
// that were seen anywhere, of those kinds that were seen at that place: so it is a little low where there are few
// samples of many characters, and it is high where places depend on each other, which Vault's policies do not do.
func strength(samples []string) float64 {
	if len(samples) == 0 {
		return 0
	}
	var passwords [][]rune
	known := map[string]bool{}
	shortest := math.MaxInt
	kinds := map[charKind]map[rune]bool{}
	for _, s := range samples {
		password := []rune(s)
		passwords = append(passwords, password)
		known[s] = true
		shortest = min(shortest, len(password))
		for _, c := range password {
			k := kindOfChar(c)
			if kinds[k] == nil {
				kinds[k] = map[rune]bool{}
			}
			kinds[k][c] = true
		}
	}
	bits := 0.0
	for i := range shortest {
		here, chars := map[charKind]bool{}, map[rune]bool{}
		for _, password := range passwords {
			here[kindOfChar(password[i])] = true
			chars[password[i]] = true
		}
		if len(chars) == 1 {
			continue // always the same
		}
		n := 0
		for k := range here {
			n += len(kinds[k])
		}
		bits += math.Log2(float64(n))
	}
	if len(known) < len(samples) {
		// With more than so many bits, two of them would hardly be the same.
		bits = min(bits, math.Log2(float64(len(samples)*len(samples))))
	}
	return bits
}

// charKind is one of the kinds of characters that passwords are made of.
type charKind int

const (
	lowerCase charKind = iota
	upperCase
	digit
	other
)

func kindOfChar(c rune) charKind {
	switch {
	case 'a' <= c && c <= 'z':
		return lowerCase
	case 'A' <= c && c <= 'Z':
		return upperCase
	case '0' <= c && c <= '9':
		return digit
	}
	return other
}
