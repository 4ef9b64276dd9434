// Package bulk carries a list of servers from a CSV file into a mount: hosts of the inventory, and passwords that people have set.
//
// A file is read and checked as a whole before anything is sent: first by itself (Read), then against the mount (Check), which writes
// nothing. Send then writes the rows. A password is in the request that records it and nowhere else: no error, report or message has
// one.
package bulk
