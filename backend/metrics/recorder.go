package metrics

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// Recorder has the metrics of one mount. All methods are safe for concurrent use and wait for nothing.
type Recorder struct {
	counted
	read
	sources     Sources
	registry    *prometheus.Registry
	definitions []Definition

	mu        sync.RWMutex
	disclosed map[disclosure]prometheus.Counter
}

// Sources are what the gauges are read from. They wait for nothing.
type Sources struct {
	Version string
	Figures func() rotation.Figures
	// FailingRoleLookups counts the roles whose instances could not be looked up.
	FailingRoleLookups func() int
	// Credentials are those of connections, as far as they are known without asking anybody.
	Credentials func() map[string]Credential
	Now         func() time.Time
}

// Credential is what is known of a connection's credential.
type Credential struct {
	Age     time.Duration
	Expires time.Time // zero: it does not end, or the cloud does not tell
}

// disclosure is which passwords were given away.
type disclosure struct{ connection, mode string }

// New makes the metrics of a mount.
func New(s Sources) *Recorder {
	r := &Recorder{sources: s, registry: prometheus.NewRegistry(), disclosed: map[disclosure]prometheus.Counter{}}
	r.defineAll()
	r.registry.MustRegister(gauges{r})
	return r
}

// Definitions are all metrics.
func (r *Recorder) Definitions() []Definition { return r.definitions }

// ContentType is that of Text.
const ContentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// Text is all metrics in the OpenMetrics text format.
func (r *Recorder) Text() (string, error) {
	families, err := r.registry.Gather()
	if err != nil {
		return "", fmt.Errorf("metrics: %w", err)
	}
	var b bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToOpenMetrics(&b, family); err != nil {
			return "", fmt.Errorf("metrics: %w", err)
		}
	}
	if _, err := expfmt.FinalizeOpenMetrics(&b); err != nil {
		return "", fmt.Errorf("metrics: %w", err)
	}
	return b.String(), nil
}

// Disclosed counts a password that was given to a client. It is part of every read, and so allocates nothing.
func (r *Recorder) Disclosed(connection, mode string) {
	d := disclosure{connection, mode}
	r.mu.RLock()
	counter := r.disclosed[d]
	r.mu.RUnlock()
	if counter == nil {
		counter = r.disclosures.WithLabelValues(connection, mode)
		r.mu.Lock()
		r.disclosed[d] = counter
		r.mu.Unlock()
	}
	counter.Inc()
}

// Event counts what became of an event.
func (r *Recorder) Event(kind, result string) { r.events.WithLabelValues(kind, result).Inc() }

// CloudRequest is part of rotation.Monitor.
func (r *Recorder) CloudRequest(connection, action string, took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = strings.ReplaceAll(string(cloud.KindOf(err)), " ", "_")
	}
	r.requests.WithLabelValues(connection, action, result).Observe(took.Seconds())
}

// LimiterWait is part of rotation.Monitor.
func (r *Recorder) LimiterWait(connection string, took time.Duration) {
	r.waits.WithLabelValues(connection).Observe(took.Seconds())
}

// AttemptSent is part of rotation.Monitor.
func (r *Recorder) AttemptSent(connection string) { r.attempts.WithLabelValues(connection).Inc() }

// Happened is part of rotation.Monitor.
func (r *Recorder) Happened(h rotation.Happening) {
	switch h.Kind {
	case rotation.Rotated, rotation.Failed, rotation.UnknownOutcome:
		r.rotations.WithLabelValues(h.ID.Connection, string(h.Reason), string(h.Kind)).Inc()
	case rotation.Checked:
		r.checks.WithLabelValues(h.ID.Connection, string(h.Result)).Inc()
	}
}
