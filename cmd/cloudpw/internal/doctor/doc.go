// Package doctor looks at everything that the command needs, from the address of Vault to the programs on this computer, and says of
// each what is wrong and which command is next. It changes nothing, and reads no password.
package doctor
