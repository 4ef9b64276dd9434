package bench

import (
	"math"
	"slices"
	"time"
)

// Row is what was measured of one target with a number of clients.
type Row struct {
	Storage string `json:"storage"`
	Name    string `json:"name"`
	Clients int    `json:"clients"`
	// Requests is the number of requests in all rounds.
	Requests int `json:"requests"`
	// P50 and P99 are over the requests of all rounds, in milliseconds.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	// Rate is requests a second over all rounds.
	Rate float64 `json:"rate_per_second"`
	// VaultCPU and PluginCPU are the processor time of Vault and of the target's plugin for one request, in milliseconds,
	// with what their backgrounds use meanwhile. 0: unknown, or no plugin.
	VaultCPU  float64 `json:"vault_cpu_ms,omitempty"`
	PluginCPU float64 `json:"plugin_cpu_ms,omitempty"`
	// Ratios are p50 divided by another target's p50 in the same round, the median of the rounds, by that target's name.
	Ratios map[string]float64 `json:"ratios,omitempty"`
}

// Series collects the rounds of one target with a number of clients.
type Series struct {
	Target  Target
	Clients int
	Rounds  []Sample
}

// Row sums the series up and compares it with others, which have the same rounds.
func (s Series) Row(storage string, others ...Series) Row {
	row := Row{Storage: storage, Name: s.Target.Name, Clients: s.Clients}
	var all []time.Duration
	var took, vault, plugin time.Duration
	for _, round := range s.Rounds {
		all = append(all, round.Times...)
		took += round.Took
		vault += round.VaultCPU
		plugin += round.PluginCPU
	}
	row.Requests = len(all)
	row.P50, row.P99 = millis(percentile(all, 50)), millis(percentile(all, 99))
	row.Rate = float64(len(all)) / took.Seconds()
	row.VaultCPU, row.PluginCPU = millis(vault)/float64(len(all)), millis(plugin)/float64(len(all))
	for _, other := range others {
		if row.Ratios == nil {
			row.Ratios = map[string]float64{}
		}
		row.Ratios[other.Target.Name] = s.ratio(other)
	}
	return row
}

// ratio is the median of the rounds' ratios of medians.
func (s Series) ratio(other Series) float64 {
	var ratios []float64
	for i := range min(len(s.Rounds), len(other.Rounds)) {
		ratios = append(ratios, float64(percentile(s.Rounds[i].Times, 50))/float64(percentile(other.Rounds[i].Times, 50)))
	}
	return median(ratios)
}

// percentile is the smallest of the values that at least p percent of them do not exceed; 0 of none.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(math.Ceil(float64(len(sorted))*p/100))-1, 0)]
}

// median is the middle value, or the mean of the two in the middle; NaN of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
