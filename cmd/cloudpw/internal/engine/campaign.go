package engine

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// Campaign is an order over many accounts, and how far it has come. docs/api/campaigns.md says what the fields mean.
type Campaign struct {
	ID            string         `json:"id,omitzero"`
	Kind          string         `json:"kind"`
	Role          string         `json:"role,omitzero"`
	Connection    string         `json:"connection,omitzero"`
	ReaderEntity  string         `json:"reader_entity_id,omitzero"`
	ReaderName    string         `json:"reader_display_name,omitzero"`
	DriftAction   string         `json:"drift_action,omitzero"`
	RequestedBy   string         `json:"requested_by,omitzero"`
	RequestedByID string         `json:"requested_by_entity_id,omitzero"`
	Created       time.Time      `json:"created_time,omitzero"`
	Total         int            `json:"total"`
	Done          int            `json:"done"`
	Failed        int            `json:"failed"`
	Waiting       int            `json:"waiting"`
	Skipped       int            `json:"skipped"`
	NotYetOrdered int            `json:"not_yet_ordered"`
	SkipReasons   map[string]int `json:"skip_reasons,omitempty"`
	Results       map[string]int `json:"results,omitempty"` // of checks
	EstimatedSecs int64          `json:"estimated_seconds,omitzero"`
	EstimatedEnd  time.Time      `json:"estimated_end_time,omitzero"`
	Ended         time.Time      `json:"ended_time,omitzero"` // zero: it has not ended
	EndReason     string         `json:"end_reason,omitzero"`
	Causes        []Cause        `json:"causes,omitempty"`
	Failing       []Failing      `json:"failing,omitempty"`
}

// Cause is why accounts fail.
type Cause struct {
	Cause          string `json:"cause"`
	Accounts       int    `json:"accounts"`
	ExampleAccount string `json:"example_account,omitzero"`
	ExampleRole    string `json:"example_role,omitzero"`
}

// Failing is an account that fails, or the shared password of a role.
type Failing struct {
	Account    string    `json:"account,omitzero"`
	Role       string    `json:"role,omitzero"`
	State      string    `json:"state"`
	Failures   int       `json:"failures,omitzero"` // not in campaigns
	LastError  string    `json:"last_error"`
	NextTry    time.Time `json:"next_try,omitzero"`
	WaitingFor string    `json:"waiting_for,omitzero"`
}

// Subject names what the campaign is about.
func (c *Campaign) Subject() string {
	switch {
	case c.Role != "":
		return "role " + c.Role
	case c.Connection != "":
		return "connection " + c.Connection
	case c.ReaderEntity != "":
		return "what entity " + c.ReaderEntity + " was given"
	case c.ReaderName != "":
		return "what " + c.ReaderName + " was given"
	}
	return ""
}

// Campaign reads a campaign. With wait above 0 Vault answers when the campaign has ended, or the time is over, at most MaxWait.
func (c *Client) Campaign(ctx context.Context, id string, wait time.Duration) (Campaign, error) {
	return c.campaign(ctx, id, wait, -1)
}

// CampaignFailing reads a campaign with up to limit of the accounts that fail, at most 1000.
func (c *Client) CampaignFailing(ctx context.Context, id string, limit int) (Campaign, error) {
	return c.campaign(ctx, id, 0, limit)
}

func (c *Client) campaign(ctx context.Context, id string, wait time.Duration, limit int) (Campaign, error) {
	path, err := c.path("campaigns", id)
	if err != nil {
		return Campaign{}, err
	}
	query := url.Values{}
	if limit >= 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	var out Campaign
	_, err = c.get(ctx, path, query, wait, &out)
	out.ID = id
	return out, err
}

// Campaigns lists the campaigns, the newest first. The numbers may be 30 seconds old, and causes are missing.
func (c *Client) Campaigns(ctx context.Context) ([]Campaign, error) {
	info := map[string]Campaign{}
	ids, err := c.List(ctx, &info, "campaigns")
	if err != nil {
		return nil, err
	}
	out := make([]Campaign, 0, len(ids))
	for _, id := range ids {
		one := info[id]
		one.ID = id
		out = append(out, one)
	}
	return out, nil
}
