//go:build race

package backend

// raceDetector: under the race detector the runtime allocates more, and counts of allocations mean
// nothing.
const raceDetector = true
