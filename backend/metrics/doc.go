// Package metrics keeps the numbers of one mount for monitoring systems and writes them as OpenMetrics text.
//
// Counters and histograms are counted as things happen, and begin at zero with each process. Gauges are read from the engine's
// memory when somebody asks. No label holds the name of an account, an instance or a user: the number of series grows with the
// connections, their roles and the API actions of their clouds, not with the servers.
package metrics
