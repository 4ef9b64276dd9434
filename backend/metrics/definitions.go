package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Types of metrics.
const (
	Counter   = "counter"
	Gauge     = "gauge"
	Histogram = "histogram"
)

// Definition is what there is to know of a metric.
type Definition struct {
	Name   string
	Type   string
	Labels []string
	Help   string
}

// prefix begins the names of all metrics.
const prefix = "cloudpw_"

// cloudBuckets are about the durations of cloud requests, in seconds: request_timeout is 30 s unless a connection says otherwise.
var cloudBuckets = []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

// waitBuckets are about the waits for a connection's limit, in seconds.
var waitBuckets = []float64{0.01, 0.1, 1, 5, 30, 120, 600}

// counted are the metrics that are counted as things happen.
type counted struct {
	rotations, attempts, disclosures, events, checks *prometheus.CounterVec
	requests, waits                                  *prometheus.HistogramVec
}

// read are the metrics that are read from memory when somebody asks.
type read struct {
	build, running, loading, accounts, leases, failing, due, oldestDue, late, oldestPassword                *prometheus.Desc
	queued, working, waiting, breaker, braked, stopped, roleLookupsFailing, credentialAge, credentialExpiry *prometheus.Desc
	drifted                                                                                                 *prometheus.Desc
}

func (r *Recorder) counter(name, help string, labels ...string) *prometheus.CounterVec {
	r.define(name, Counter, help, labels)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	r.registry.MustRegister(v)
	return v
}

func (r *Recorder) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	r.define(name, Histogram, help, labels)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, labels)
	r.registry.MustRegister(v)
	return v
}

func (r *Recorder) gauge(name, help string, labels ...string) *prometheus.Desc {
	r.define(name, Gauge, help, labels)
	return prometheus.NewDesc(prefix+name, help, labels, nil)
}

func (r *Recorder) define(name, kind, help string, labels []string) {
	r.definitions = append(r.definitions, Definition{Name: prefix + name, Type: kind, Labels: labels, Help: help})
}

// defineAll makes all metrics.
func (r *Recorder) defineAll() {
	r.rotations = r.counter("rotations_total",
		"Rotations by why they were due and how a try ended: rotated, failed, or unknown_outcome, after which the same password is sent again.",
		"connection", "reason", "result")
	r.attempts = r.counter("attempts_total",
		"Requests sent that may set a password, counted once for each account that a request names.", "connection")
	r.disclosures = r.counter("disclosures_total",
		"Passwords given to clients, by the role's mode (leased or static), or by the path versions.", "connection", "mode")
	r.requests = r.histogram("cloud_request_duration_seconds",
		"How long requests to the cloud took, by API action and result: ok, or what the error meant.", cloudBuckets,
		"connection", "action", "result")
	r.waits = r.histogram("limiter_wait_duration_seconds",
		"How long requests waited for max_requests_per_second of their connection.", waitBuckets, "connection")
	r.checks = r.counter("checks_total",
		"Checks of servers' passwords, by what they found, as check_result in accounts/.", "connection", "result")
	r.events = r.counter("events_total",
		"Events for Vault's event system, by type and result: sent, failed, or dropped because too many waited.", "type", "result")

	r.build = r.gauge("build_info", "Always 1; the label has the plugin's version.", "version")
	r.running = r.gauge("running", "1 if this node rotates passwords, else 0.")
	r.loading = r.gauge("loading", "1 while the accounts are still being read after a start: until then the gauges are incomplete.")
	r.accounts = r.gauge("accounts", "Accounts by state, as in accounts/.", "connection", "state")
	r.leases = r.gauge("leases", "Live leases.", "connection")
	r.failing = r.gauge("failing_accounts", "Accounts whose last try to rotate failed.", "connection")
	r.due = r.gauge("due_accounts", "Accounts whose rotation is due.", "connection")
	r.oldestDue = r.gauge("oldest_due_age_seconds",
		"For how long the account that waits longest has been due, for whatever reason; 0: none is due.", "connection")
	r.late = r.gauge("late_seconds",
		"The longest time for which a due rotation has been waiting although its role allows it: "+
			"min_reset_interval and rotation_window do not count.", "connection")
	r.oldestPassword = r.gauge("oldest_password_age_seconds", "Age of the oldest current password of a role.", "connection", "role")
	r.queued = r.gauge("queued_accounts", "Accounts that have something to do, now or at a known time.", "connection")
	r.working = r.gauge("working", "Workers that may be calling the cloud.", "connection")
	r.waiting = r.gauge("limiter_waiting_requests", "Requests that wait for max_requests_per_second.", "connection", "action")
	r.breaker = r.gauge("breaker_open", "1 while the connection's cloud does not answer or refuses everything, and is not asked; else 0.",
		"connection")
	r.drifted = r.gauge("drifted_accounts",
		"Accounts whose server did not have the current password when it was checked last.", "connection")
	r.braked = r.gauge("braked_accounts", "Accounts that have stopped trying, since the cloud does not show what became of their resets.",
		"connection")
	r.stopped = r.gauge("connection_stopped",
		"1 while the connection begins no new rotation, since several of its accounts are braked; else 0.",
		"connection")
	r.roleLookupsFailing = r.gauge("failing_role_lookups", "Roles whose instances could not be looked up the last time.")
	r.credentialAge = r.gauge("credential_age_seconds",
		"Age of the credential that the connection uses: since the cloud made it, or else since Vault was given it.", "connection")
	r.credentialExpiry = r.gauge("credential_expiry_timestamp_seconds",
		"When the credential that the connection uses ends, as Unix time; missing if it does not end, or the cloud does not tell.", "connection")
}
