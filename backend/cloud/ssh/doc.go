// Package ssh is the provider for servers that no cloud manages, or that it gives no other way to: those of the mount's inventory
// ([cloud.Hosts]), which are reached by SSH with the connection's key. There are no initial passwords.
//
// # How a reset works
//
// One connection per reset ([sshclient.Dial]), with two sessions. The first asks for a shell of root that prints its user: what refuses it,
// which may be anything that sudoers names, has certainly changed nothing. The second is the guest script, on the shell's standard input,
// since arguments can be seen by everybody on the server. The exit code counts only if the script's own last line agrees with it.
//
// The answer is the outcome (ResetStarted.Done), with two exceptions that only a record can tell: the server has a larger order, or has
// lost its key (Windows). What became of such a session is remembered in this process; after a restart it is not shown, and the same
// password is sent again.
//
// # What is bounded
//
// One session at a host, max_sessions in all ([turns]). Who waits for a host has none of those. A host that cannot be reached is an error
// of kind Refused: it does not open the breaker of the connection. A jump host is Unavailable, and does.
//
// # Traps
//
//   - sshd gives a session a PATH without /usr/sbin; sudo without secure_path keeps it.
//   - "powershell -Command -" runs its input line by line, as if it were typed: the script is read whole before it begins.
//   - On a terminal there is no end of input, and sudo may change the terminal's modes: the script is sent once the shell has said that it
//     is ready, and head counts its bytes.
//
// # Sources
//
// sudo(8), sudoers(5), sshd(8), sshd_config(5); what package sshclient names.
package ssh
