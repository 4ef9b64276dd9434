package tencentcloud

import (
	"context"
	"maps"
	"slices"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tat "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/tat/v20201028"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud"
	"github.com/cloudpw/vault-plugin-secrets-cloudpw/backend/cloud/guest"
)

const (
	// tasksPage is the greatest Limit of DescribeInvocationTasks (models.go, DescribeInvocationTasksRequestParams).
	tasksPage = 100
	// maxTaskPages bounds a listing: maxInvocations commands on maxCommandIDs instances each, and one page
	// more that is empty.
	maxTaskPages = maxInvocations*maxCommandIDs/tasksPage + 1
)

// tasks returns the tasks of commands. Those that the cloud does not show (yet) are missing.
func (c command) tasks(ctx context.Context, invocations []string) ([]task, error) {
	var found []task
	for batch := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(invocations))), maxInvocations) {
		set, err := c.tasksOf(ctx, batch)
		if err != nil {
			return nil, err
		}
		found = append(found, set...)
	}
	return found, nil
}

// tasksOf lists the tasks of at most maxInvocations commands, page by page.
func (c command) tasksOf(ctx context.Context, invocations []string) ([]task, error) {
	var found []task
	for page := range uint64(maxTaskPages) {
		request := tat.NewDescribeInvocationTasksRequest()
		request.Filters = []*tat.Filter{{Name: common.StringPtr("invocation-id"), Values: common.StringPtrs(invocations)}}
		request.HideOutput = common.BoolPtr(false)
		request.Limit = common.Uint64Ptr(tasksPage)
		request.Offset = common.Uint64Ptr(page * tasksPage)
		set, err := c.page(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, t := range set {
			if t != nil && slices.Contains(invocations, value(t.InvocationId)) {
				found = append(found, readTask(t))
			}
		}
		if len(set) < tasksPage {
			break
		}
	}
	return found, nil
}

// page is one page of a listing of tasks.
func (c command) page(ctx context.Context, request *tat.DescribeInvocationTasksRequest) (set []*tat.InvocationTask, err error) {
	err = c.ask(ctx, describeInvocationTasks, func(ctx context.Context, s *session) error {
		response, err := s.describeInvocationTasks(ctx, request)
		if err == nil {
			set = response.Response.InvocationTaskSet
		}
		return err
	})
	return set, err
}

// Look implements guest.Service. TAT keeps a record of each command. One of which only our own id is known costs a listing
// first.
func (c command) Look(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]guest.Run, error) {
	ids, err := c.ids(ctx, refs)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	tasks, err := c.tasks(ctx, slices.Collect(maps.Values(ids)))
	if err != nil {
		return nil, err
	}
	runs := make(map[cloud.ResetRef]guest.Run, len(tasks))
	for ref, id := range ids {
		for _, t := range tasks {
			if t.invocation == id && t.instance == ref.InstanceID {
				run := t.run()
				run.ID = id
				runs[ref] = run
			}
		}
	}
	return runs, nil
}

// ids returns the command's id of each reference that has one, or whose command is found by our own.
func (c command) ids(ctx context.Context, refs []cloud.ResetRef) (map[cloud.ResetRef]string, error) {
	ids := make(map[cloud.ResetRef]string, len(refs))
	var lost []cloud.ResetRef
	for _, ref := range refs {
		if ref.RequestID == "" {
			lost = append(lost, ref)
		} else {
			ids[ref] = ref.RequestID
		}
	}
	for batch := range slices.Chunk(lost, maxFilterValues) {
		found, err := c.find(ctx, batch)
		if err != nil {
			return nil, err
		}
		maps.Copy(ids, found)
	}
	return ids, nil
}

// Ready implements guest.Service. Of an instance it is told whether it exists; TAT itself looks at its state and its
// agent before it takes a command.
func (c command) Ready(ctx context.Context, ids []string) (map[string]cloud.ResetRecord, error) {
	set, err := c.describe(ctx, ids)
	if err != nil {
		return nil, err
	}
	records := make(map[string]cloud.ResetRecord, len(set))
	for _, i := range set {
		s, _ := state(value(i.InstanceState), value(i.RestrictState))
		records[value(i.InstanceId)] = cloud.ResetRecord{Gone: s == cloud.StateGone}
	}
	return records, nil
}
