// Package guestos is the inside of a simulated server, as far as commands go that a cloud's agent runs
// there.
//
// The Linux scripts of cloudpw are really run, by the machine's own sh, in a scratch directory, with no variables but cloudpw's
// own and a PATH that has nothing but stand-ins for the commands that they need. These act on the simulated server's accounts and
// tell its time; the machine's own accounts and its /run are out of reach. The order of passwords stands in the shadow file of the
// scratch directory, which has the hashes that commands have set. Scripts that a cloud keeps, whose values are parameters, are run
// in the same way, whether the cloud has put the values in or gives them as variables.
//
// The Windows scripts are not run: there is no Windows to run them. For exactly the three scripts of
// cloudpw, Go code plays what they should do, with a real RSA key, a registry for the order of passwords, and a count of
// wrong ones. That shows that the protocol holds together and says nothing about the PowerShell.
//
// No other script is run at all. A simulator is no place to run foreign commands on somebody's machine:
// a script counts as known if it is cloudpw's own but for the values between its quotes. What is played on
// Linux, without being run, are scripts of nothing but true, false, exit and echo with plain words.
package guestos
