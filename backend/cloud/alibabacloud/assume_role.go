package alibabacloud

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// sessionName is the name of role sessions, as the cloud's audit shows it.
	sessionName = "cloudpw"
	// sessionLife is how long a role session lasts: AssumeRole's own default, and the longest that each role allows.
	sessionLife = time.Hour
)

// assumedRole gets the keys of a role by sts AssumeRole.
type assumedRole struct {
	cfg  cloud.Config
	base sender
}

// session is the answer of AssumeRole.
type session struct {
	Credentials struct {
		AccessKeyID     string `json:"AccessKeyId"`
		AccessKeySecret string
		SecurityToken   string
		Expiration      time.Time
	}
}

// fetch makes one AssumeRole request. Whoever needs the keys repeats it, if it was throttled.
func (r *assumedRole) fetch(ctx context.Context) (keys, time.Time, error) {
	parameters := url.Values{
		"RoleArn":         {r.cfg.Text(cloud.RoleARN)},
		"RoleSessionName": {sessionName},
		"DurationSeconds": {strconv.Itoa(int(sessionLife / time.Second))},
	}
	if id := r.cfg.Text(cloud.ExternalID); id != "" {
		parameters.Set("ExternalId", id)
	}
	var answer session
	asked := time.Now()
	err := r.base.askOnce(ctx, assumeRole, parameters, &answer)
	if bodyUnread(err) {
		err = r.base.askOnce(ctx, assumeRole, parameters, &answer)
	}
	if err != nil {
		return keys{}, time.Time{}, r.explain(err)
	}
	got := keys{answer.Credentials.AccessKeyID, answer.Credentials.AccessKeySecret, answer.Credentials.SecurityToken}
	if !got.usable() || got.token == "" || answer.Credentials.Expiration.IsZero() {
		return keys{}, time.Time{}, cloud.Errorf(cloud.Unavailable, "%s for %s: the answer holds no session; check endpoints.sts", assumeRole,
			r.cfg.Text(cloud.RoleARN))
	}
	// Our clock and the cloud's may differ: what ends first counts.
	end := asked.Add(sessionLife)
	if told := answer.Credentials.Expiration; told.Before(end) {
		end = told
	}
	return got, end, nil
}

// explain makes a refusal to assume the role name what is usually missing.
func (r *assumedRole) explain(err error) error {
	if !permissionMissing(err) {
		return err
	}
	out := *cloud.AsError(err)
	out.Message = fmt.Sprintf("%s: %s may not assume %s; allow sts:AssumeRole on it in their RAM policies, let the role trust their account",
		assumeRole, r.base.source.origin.principal, r.cfg.Text(cloud.RoleARN))
	if r.cfg.Text(cloud.ExternalID) == "" {
		out.Message += ", and if it asks for an external id, set external_id"
	} else {
		out.Message += ", and compare external_id with what it asks for"
	}
	return &out
}
