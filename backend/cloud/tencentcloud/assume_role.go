package tencentcloud

import (
	"context"
	"fmt"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	sts "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/sts/v20180813"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
)

const (
	// sessionName is the name of role sessions, as the cloud's audit shows it.
	sessionName = "cloudpw"
	// sessionLife is how long a role session lasts: AssumeRole's own default.
	sessionLife = 2 * time.Hour
)

// assumedRole gets the keys of a role by sts AssumeRole.
type assumedRole struct {
	cfg  cloud.Config
	base sender
}

// fetch makes one AssumeRole request. Whoever needs the keys repeats it, if it was throttled.
func (r *assumedRole) fetch(ctx context.Context) (keys, time.Time, error) {
	request := sts.NewAssumeRoleRequest()
	request.RoleArn = common.StringPtr(r.cfg.Text(cloud.RoleARN))
	request.RoleSessionName = common.StringPtr(sessionName)
	request.DurationSeconds = common.Uint64Ptr(uint64(sessionLife / time.Second))
	if r.cfg.Text(cloud.ExternalID) != "" {
		request.ExternalId = common.StringPtr(r.cfg.Text(cloud.ExternalID))
	}
	var answer *sts.AssumeRoleResponseParams
	asked := time.Now()
	err := r.base.askOnce(ctx, assumeRole, func(ctx context.Context, s *session) error {
		response, err := s.assumeRole(ctx, request)
		if err == nil {
			answer = response.Response
		}
		return err
	})
	if err != nil {
		return keys{}, time.Time{}, r.explain(err)
	}
	if answer == nil || answer.Credentials == nil || answer.ExpiredTime == nil || value(answer.Credentials.TmpSecretId) == "" ||
		value(answer.Credentials.TmpSecretKey) == "" || value(answer.Credentials.Token) == "" {
		return keys{}, time.Time{}, cloud.Errorf(cloud.Unavailable, "%s for %s: the answer holds no session; check endpoints.sts", assumeRole,
			r.cfg.Text(cloud.RoleARN))
	}
	// Our clock and the cloud's may differ: what ends first counts.
	end := asked.Add(sessionLife)
	if told := time.Unix(*answer.ExpiredTime, 0); told.Before(end) {
		end = told
	}
	return keys{*answer.Credentials.TmpSecretId, *answer.Credentials.TmpSecretKey, *answer.Credentials.Token}, end, nil
}

// explain makes a refusal to assume the role name what is usually missing.
func (r *assumedRole) explain(err error) error {
	if !permissionMissing(err) {
		return err
	}
	out := *cloud.AsError(err)
	out.Message = fmt.Sprintf("%s: %s may not assume %s; allow sts:AssumeRole on it in their CAM policies, let the role trust their account",
		assumeRole, r.base.source.origin.principal, r.cfg.Text(cloud.RoleARN))
	if r.cfg.Text(cloud.ExternalID) == "" {
		out.Message += ", and if it asks for an external id, set external_id"
	} else {
		out.Message += ", and compare external_id with what it asks for"
	}
	return &out
}
