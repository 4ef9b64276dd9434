// Package askpass gives a password to a program that asks for one through a helper program: OpenSSH's client (SSH_ASKPASS) and FreeRDP 3
// (FREERDP_ASKPASS).
//
// The helper is this binary. It connects to a socket of the process that holds the password, tells the question, and writes the answer to
// its standard output, which is a pipe to the program that asked. So the password is in no argument, no environment variable and no file.
// The socket is in a folder that only the user may enter; where the system tells who has connected, another user is refused.
//
// What is not for us to answer (another host's password, an unknown host key, a one-time code) is asked at the terminal by the helper.
package askpass
