// Package text checks and cleans text from people and clouds. Text must be printable: other input is refused
// ([Check]), and in output other characters are replaced ([Shown], [Line]). A cloud's text may repeat what was sent
// to it, so [Line] and [Redact] remove secrets from it in every form in which they may appear.
package text
