// Package realssh runs real OpenSSH servers for tests: Debian's sshd with PAM, sudo and shadow files, each with users, files and
// processes of its own (scripts/real-sshd.sh), on loopback ports. Nothing of the machine's own is changed.
//
// [Start] makes a server, [Server.Run] does something in it as root, [Server.Login] logs in as people do, by ssh(1) and sshpass(1), and
// a [Proxy] before it counts and cuts. The servers need root and Debian's packages openssh-server, openssh-client, sudo and sshpass;
// [Need] skips a test of a machine without them. The tests of this package have the build tag realssh; `make test-ssh` runs them.
package realssh
