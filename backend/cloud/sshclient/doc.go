// Package sshclient talks SSH to servers whose host key is pinned: it logs in with a key and runs a command, or tries a password. It
// knows no provider; what uses it says which servers there are and which keys they have.
//
// # What is sent to whom
//
// A server that shows another key than the pinned one gets our version line and our half of the key exchange, and nothing after it:
// no user name, no key, no password. Only algorithms of the pinned key's type are offered, so that a server with several host keys shows
// that one. Certificates of hosts are not asked for. Addresses pass [cloud.GuardDialer], also after name resolution; behind a jump
// host, which resolves names itself, only an address that is written as an IP is looked at.
//
// # What a failure proves
//
// Until a command's input has been sent nothing was done, and errors are of kind Refused, whatever the reason: one dead server must
// not count against the connection, which serves others. From its first byte on, everything but an exit code is Unknown: no exit
// status, a signal, a lost connection, the end of the time. A jump host that cannot be reached is Unavailable, since all servers behind
// it are as far away.
//
// # Time
//
// Options.Timeout bounds the way to a logged-in client, of each hop by itself, and then each command. When it is over, or the context
// ends, the TCP connection is closed, which ends whatever waits for it: channels have no deadlines of their own.
//
// # Cryptography
//
// Ciphers, key exchanges and MACs are the defaults of golang.org/x/crypto/ssh. Signatures with SHA-1 (ssh-rsa) are neither made nor
// believed: RSA keys sign with SHA-2. With GODEBUG=fips140=on its lists have only what FIPS 140-3 approves; it says of itself that it
// does not work with fips140=only.
//
// # Sources
//
// RFC 4251 to 4256, RFC 8308 and RFC 8332; sshd(8), "AUTHORIZED_KEYS FILE FORMAT"; OpenSSH's sshconnect2.c, session.c and PROTOCOL;
// golang.org/x/crypto/ssh v0.55.0, client_auth.go and session.go.
package sshclient
