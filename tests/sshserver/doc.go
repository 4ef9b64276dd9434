// Package sshserver has what SSH servers that tests run on loopback are made of: key pairs, a listener that ends with its test, and the
// way from a connection to a command. What such a server does with a command is the test's own.
package sshserver
