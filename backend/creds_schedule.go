package backend

import (
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/request"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/rotation"
)

// scheduleResponse is the schema of scheduleAnswer.
func scheduleResponse() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"ttl": {Type: framework.TypeInt,
			Description: "Only for scheduled static roles: whole seconds until the next rotation, at least 1; read again then. With " +
				"disable_automated_rotation, until the time that would be next."},
		"rotation_period": {Type: framework.TypeInt,
			Description: "Only for scheduled static roles: whole seconds between the previous and the next rotation, at least 1."},
		"rotation_schedule": {Type: framework.TypeString,
			Description: "Only for static roles with rotation_schedule: the cron expression."},
		"next_vault_rotation": request.TimeField(false,
			"Only of scheduled static roles whose rotation is not disabled: when the next rotation is to begin"),
	}
}

// scheduleAnswer adds the part of an unleased answer that tells when to read again. Vault Agent needs
// rotation_period and an integer ttl for that, and takes a secret without them for one that may change
// at any time.
func (b *backend) scheduleAnswer(data map[string]any, a *rotation.Answer, now time.Time) {
	schedule, next := a.Settings.Schedule, a.NextRotation
	if next.IsZero() {
		next = a.Paused(now)
	} else {
		data["next_vault_rotation"] = request.Timestamp(next)
	}
	if next.IsZero() {
		return
	}
	schedule.Disabled = false
	data["ttl"] = max(request.Seconds(next.Sub(now)), 1)
	data["rotation_period"] = max(request.Seconds(b.distances.of(schedule, now)), 1)
	if cron := schedule.Cron; cron != "" {
		data["rotation_schedule"] = cron
	}
}

// distances remembers how far the times of schedules are apart: a read must not search the calendar.
type distances struct {
	mu    sync.RWMutex
	known map[rotation.Schedule]distance
}

// distance is one between two times of a schedule that follow each other.
type distance struct {
	from, until time.Time
	every       time.Duration
}

// maxDistances bounds the memory; past it everything is forgotten and found again.
const maxDistances = 1000

// of is the schedule's Every at a time.
func (d *distances) of(s rotation.Schedule, now time.Time) time.Duration {
	if s.Cron == "" || s.Disabled {
		return s.Timetable().Interval(now)
	}
	d.mu.RLock()
	found, ok := d.known[s]
	d.mu.RUnlock()
	if ok && !now.Before(found.from) && now.Before(found.until) {
		return found.every
	}
	found.every = s.Timetable().Interval(now)
	found.from, found.until = s.Timetable().Neighbors(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil || len(d.known) >= maxDistances {
		d.known = map[rotation.Schedule]distance{}
	}
	d.known[s] = found
	return found.every
}
