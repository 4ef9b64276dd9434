package tencentcloud

import (
	"context"
	"encoding/base64"
	"slices"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

const (
	// maxFilterValues is how many instances a filter takes (models.go, DescribeInvocationTasksRequestParams).
	maxFilterValues = 5
	// findPage is how many tasks are asked for at once: each shows its whole script, of up to 64 KB, and an answer has bounds.
	findPage = 40
	// maxFindPages bounds the search for a command: more than 200 tasks of the instances are read no further.
	maxFindPages = 5
)

// find returns the ids of the commands of at most maxFilterValues references that bear our own ids. One that is not found
// is missing, which proves nothing: the search has bounds, and whether the cloud shows a script at once is not stated.
//
// TAT has no token of the client's, it shows neither CommandName nor Description of a command that is not saved, and its
// filters know no time. But a task shows its script (models.go, CommandDocument.Content), whose last line is the
// command's name. Our ids are random and used once; a script that two commands have was copied by somebody, so that
// neither is taken for ours.
func (c command) find(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]string, error) {
	instances := make([]string, len(refs))
	since := refs[0].Sent
	for i, ref := range refs {
		instances[i] = ref.InstanceID
		if ref.Sent.Before(since) {
			since = ref.Sent
		}
	}
	found := map[cloud.ResetRef]string{}
	for page := range uint64(maxFindPages) {
		request := tat.NewDescribeInvocationTasksRequest()
		request.Filters = []*tat.Filter{{Name: common.StringPtr("instance-id"), Values: common.StringPtrs(instances)}}
		request.HideOutput = common.BoolPtr(true)
		request.Limit = common.Uint64Ptr(findPage)
		request.Offset = common.Uint64Ptr(page * findPage)
		set, err := c.page(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, t := range set {
			note(found, refs, t)
		}
		if len(set) < findPage || before(set, since) {
			break
		}
	}
	for ref, id := range found {
		if id == "" {
			delete(found, ref)
		}
	}
	return found, nil
}

// note adds a task to what was found, if it bears the name of a reference to its instance; "" where two do.
func note(found map[cloud.ResetRef]string, refs []cloud.ResetRef, t *tat.InvocationTask) {
	if t == nil || t.CommandDocument == nil || !invocationForm.MatchString(value(t.InvocationId)) {
		return
	}
	script, err := base64.StdEncoding.DecodeString(value(t.CommandDocument.Content))
	if err != nil {
		return
	}
	id := value(t.InvocationId)
	for _, ref := range refs {
		if ref.InstanceID != value(t.InstanceId) || !guest.HasName(string(script), ref.Name) {
			continue
		}
		if other, seen := found[ref]; seen && other != id {
			id = ""
		}
		found[ref] = id
	}
}

// before reports whether a page that has the newest tasks first ends with one that is older than every request since then,
// by more than the two clocks may differ. The order is not stated anywhere: a page in another order is not before anything.
func before(set []*tat.InvocationTask, since time.Time) bool {
	created := make([]time.Time, len(set))
	for i, t := range set {
		if t == nil {
			return false
		}
		at, err := time.Parse(time.RFC3339, value(t.CreatedTime))
		if err != nil {
			return false
		}
		created[i] = at
	}
	newestFirst := slices.IsSortedFunc(created, func(a, b time.Time) int { return b.Compare(a) })
	return newestFirst && !since.IsZero() && created[len(created)-1].Before(since.Add(-timestampWindow-clockSkew))
}
