// Package engine calls the paths of one mount of cloudpw, and gives their answers as Go values. It keeps nothing between two calls
// but the connection, prints nothing, and puts no password into an error.
//
// A server, a role and an account are named as docs/api has them. Texts that come from clouds, such as the names of servers and
// errors, are returned as they are: whoever prints them cleans them, see package output.
package engine
