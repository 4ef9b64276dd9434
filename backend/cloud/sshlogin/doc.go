// Package sshlogin is the check method cloud.CheckSSH: it logs in to a server by SSH with the account's password, and out again. It is
// the same for all providers, and needs no agent and no permission at the cloud, but a network path from Vault to the server.
//
// # What must never happen
//
// A password leaves this process only towards a host that has proved to own the pinned host key ([sshclient]). The pinned key is that
// of the mount's inventory. Where it has none, nothing is sent, unless an operator has allowed trust on first use: then the cloud is
// asked first whether the address is still the server's, since addresses pass from one server to another, and the key that is shown is
// stored before the password is sent.
//
// One password is tried, once, by one method of authentication. PAM counts a wrong one towards the user's lockout (pam_faillock(8):
// three within 15 minutes by default), so the engine keeps [interval] between two tries of an account, over crashes too, and a finding
// says whether a password was, or may have been, sent.
//
// # What a refusal proves
//
// That a password was let in proves that it is the user's. A refusal proves less: OpenSSH refuses a right password, too, of a user who
// is locked, or whom AllowUsers, DenyUsers or PAM keep out, and does not tell. A finding says so. Of root it refuses every password by
// default (PermitRootLogin prohibit-password) and offers the method nevertheless: so a refusal of root counts only where root has been
// let in by password before. Everything else is no finding about the password at all: a host that cannot be reached or has another
// key, a server that takes no passwords, one that asks for something else, such as a second factor or a new password in place of an
// expired one, one that lets the user in without any.
//
// # Sources
//
// sshd_config(5): PermitRootLogin, PasswordAuthentication, KbdInteractiveAuthentication, AuthenticationMethods, AllowUsers,
// LoginGraceTime (two minutes); RFC 4252 and 4256; OpenSSH's auth-passwd.c, auth_password.
package sshlogin
