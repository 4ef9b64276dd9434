package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// gauges reads the gauges from memory each time somebody asks.
type gauges struct{ r *Recorder }

// Describe implements prometheus.Collector. It describes nothing: the series depend on the connections.
func (g gauges) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	r := g.r
	figures := r.sources.Figures()
	set := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	set(r.build, 1, r.sources.Version)
	set(r.running, flag(figures.Running))
	set(r.loading, flag(figures.Loading))
	set(r.roleLookupsFailing, float64(r.sources.FailingRoleLookups()))
	for name, c := range r.sources.Credentials() {
		set(r.credentialAge, c.Age.Seconds(), name)
		if !c.Expires.IsZero() {
			set(r.credentialExpiry, float64(c.Expires.Unix()), name)
		}
	}
	now := r.sources.Now()
	for name, f := range figures.Connections {
		g.connection(set, name, f, now)
	}
}

func (g gauges) connection(set func(d *prometheus.Desc, value float64, labels ...string), name string, f *rotation.ConnectionFigures,
	now time.Time) {
	r := g.r
	for _, state := range rotation.AccountStates() {
		set(r.accounts, float64(f.Accounts[state]), name, state)
	}
	set(r.leases, float64(f.Leases), name)
	set(r.failing, float64(f.Failing), name)
	set(r.due, float64(f.Due), name)
	set(r.oldestDue, age(f.OldestDue, now), name)
	set(r.late, max(f.Late, 0).Seconds(), name)
	for role, made := range f.OldestPassword {
		set(r.oldestPassword, age(made, now), name, role)
	}
	set(r.queued, float64(f.Queued), name)
	set(r.working, float64(f.Working), name)
	for action, waiting := range f.Waiting {
		set(r.waiting, float64(waiting), name, action)
	}
	set(r.breaker, flag(f.BreakerOpen), name)
	set(r.drifted, float64(f.Drifted), name)
	set(r.braked, float64(f.Braked), name)
	set(r.stopped, flag(f.Stopped), name)
}

// age is how long ago something was; a time to come, or none, is 0.
func age(then, now time.Time) float64 {
	if then.IsZero() {
		return 0
	}
	return max(now.Sub(then), 0).Seconds()
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
