package alibabaapi

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/cloudpw/vault-plugin-secrets-cloudpw/tests/cloudsim/model"
)

const (
	// maxResults is the most that a page of invocations or results may have.
	maxResults = 50
	// maxOutput is how much of an output is kept, in bytes.
	maxOutput = 24 << 10
	// history is how long invocations are shown.
	history = 28 * 24 * time.Hour
)

// Values of InvocationStatus, of a command on one instance and of a command as a whole.
const (
	statusPending    = "Pending"
	statusRunning    = "Running"
	statusSuccess    = "Success"
	statusFailed     = "Failed"
	statusError      = "Error"
	statusTimeout    = "Timeout"
	statusAborted    = "Aborted"
	statusCancelled  = "Cancelled"
	statusTerminated = "Terminated"
	statusStopped    = "Stopped"
	statusPartial    = "PartialFailed"
	statusFinished   = "Finished"
)

type resultsParams struct {
	InvokeId, InstanceId, CommandId, InvokeRecordStatus, ContentEncoding *string
	MaxResults, PageNumber, PageSize                                     *int
	NextToken                                                            *string
	IncludeHistory                                                       *bool
	Tag                                                                  []tag
}

type resultsResult struct {
	RequestID  string `json:"RequestId"`
	Invocation struct {
		InvocationResults struct{ InvocationResult []invocationResult }
		TotalCount        int
		PageNumber        int
		PageSize          int
		NextToken         string
	}
}

// invocationResult is a command on an instance as DescribeInvocationResults shows it.
type invocationResult struct {
	InvokeID           string `json:"InvokeId"`
	CommandID          string `json:"CommandId"`
	InstanceID         string `json:"InstanceId"`
	InvocationStatus   string
	InvokeRecordStatus string
	ExitCode           int
	Output             string
	Dropped            int
	ErrorCode          string
	ErrorInfo          string
	StartTime          string
	StopTime           string
	FinishedTime       string
	Repeats            int
	Username           string
	TerminationMode    string
	Tags               tags
}

// describeInvocationResults lists commands on instances, the newest first.
func describeInvocationResults(r *request, params any) (any, *failure) {
	p := params.(*resultsParams)
	switch {
	case or(p.IncludeHistory, false): // only scheduled commands have one
		return nil, unsupported("The simulator runs commands once.")
	case p.InvokeRecordStatus != nil && !slices.Contains(overall, *p.InvokeRecordStatus):
		return nil, invalid("InvokeRecordStatus")
	}
	plain, f := encoding(p.ContentEncoding)
	if f == nil {
		f = checkTags(p.Tag)
	}
	if f != nil {
		return nil, f
	}
	all := r.invocations(func(i model.Invocation) bool {
		return is(p.InvokeId, i.CommandID) && is(p.InstanceId, i.ServerID) && is(p.CommandId, i.Labels[labelCommand]) &&
			hasTags(labelled(i), p.Tag) && (p.InvokeRecordStatus == nil || recordStatus(i) == *p.InvokeRecordStatus)
	})
	pages := paging{most: maxResults, results: p.MaxResults, number: p.PageNumber, size: p.PageSize, token: p.NextToken}
	from, to, f := pages.cut(len(all))
	if f != nil {
		return nil, f
	}
	out := resultsResult{RequestID: r.id}
	out.Invocation.TotalCount, out.Invocation.PageNumber, out.Invocation.PageSize = pages.total, pages.page, pages.per
	out.Invocation.NextToken = pages.next
	out.Invocation.InvocationResults.InvocationResult = []invocationResult{}
	for _, i := range all[from:to] {
		out.Invocation.InvocationResults.InvocationResult = append(out.Invocation.InvocationResults.InvocationResult, viewResult(i, plain))
	}
	return out, nil
}

// overall are the values of InvokeRecordStatus and InvokeStatus that a request may ask for.
var overall = []string{
	statusRunning, statusFinished, statusSuccess, statusFailed, statusPartial, statusStopped, "Stopping", statusPending, "Scheduled",
}

// invocations are the caller's in the request's region that may be seen and match, the newest first.
func (r *request) invocations(match func(model.Invocation) bool) []model.Invocation {
	oldest := r.world.OperationNow().Add(-history)
	all := r.world.Invocations(func(i model.Invocation) bool {
		return !i.Hidden && i.Labels[labelAccount] == r.key.AccountID && i.Labels[labelRegion] == r.region && i.Labels[labelCommand] != "" &&
			i.Queued.After(oldest) && match(i)
	})
	slices.Reverse(all)
	return all
}

// encoding reads ContentEncoding of an answer, which is Base64 by default.
func encoding(text *string) (plain bool, f *failure) {
	switch or(text, "Base64") {
	case "Base64":
		return false, nil
	case "PlainText":
		return true, nil
	default:
		return false, invalid("ContentEncoding")
	}
}

func encoded(text string, plain bool) string {
	if plain {
		return text
	}
	return base64.StdEncoding.EncodeToString([]byte(text))
}

// labelled are the tags of a command.
func labelled(i model.Invocation) map[string]string {
	out := map[string]string{}
	_ = json.Unmarshal([]byte(i.Labels[labelTags]), &out) // written here
	return out
}

// invocationStatus is the state of a command on one instance.
func invocationStatus(i model.Invocation) string {
	switch i.State {
	case model.CommandPending:
		return statusPending
	case model.CommandRunning:
		return statusRunning
	case model.CommandSucceeded:
		return statusSuccess
	case model.CommandFailed:
		return statusFailed
	case model.CommandTimedOut:
		return statusTimeout
	case model.CommandDeliveryTimedOut:
		return statusAborted
	case model.CommandCancelled:
		if i.Started.IsZero() {
			return statusCancelled
		}
		return statusTerminated
	default: // the instance is gone
		if i.Started.IsZero() {
			return statusAborted
		}
		return statusError
	}
}

// recordStatus is the older word for the state of a command on one instance. A time-out is Failed (RunCommand's usage
// notes), an exit code that is not 0 Finished: the script came to its end.
func recordStatus(i model.Invocation) string {
	switch invocationStatus(i) {
	case statusPending, statusRunning:
		return statusRunning
	case statusSuccess, statusFailed:
		return statusFinished
	case statusCancelled, statusTerminated:
		return statusStopped
	default:
		return statusFailed
	}
}

// problem is why a command did not end well, as code and text.
func problem(i model.Invocation) (code, info string) {
	switch {
	case i.State == model.CommandTerminated:
		return "InstanceReleased", "the specified instance was released during task execution"
	case i.State == model.CommandFailed:
		return "ExitCodeNonzero", "the command execution exit code is not zero"
	case i.State == model.CommandTimedOut:
		return "ExecutionTimeout", "the command execution has been timeout"
	case i.State == model.CommandDeliveryTimedOut:
		return "DeliveryTimeout", "the command delivery has been timeout"
	case invocationStatus(i) == statusTerminated:
		return "ExecutionInterrupted", "the command execution has been interrupted"
	default:
		return "", ""
	}
}

// exitCode is what a client has to believe only where the script has ended; else it is an innocent 0.
func exitCode(i model.Invocation) int {
	if i.State == model.CommandSucceeded || i.State == model.CommandFailed {
		return i.ExitCode
	}
	return 0
}

func viewResult(i model.Invocation, plain bool) invocationResult {
	kept := min(len(i.Output), maxOutput)
	out := invocationResult{
		InvokeID: i.CommandID, CommandID: i.Labels[labelCommand], InstanceID: i.ServerID, InvocationStatus: invocationStatus(i),
		InvokeRecordStatus: recordStatus(i), ExitCode: exitCode(i), Output: encoded(i.Output[:kept], plain), Dropped: len(i.Output) - kept,
		StartTime: inText(i.Started), FinishedTime: inText(i.Ended), Username: i.Labels[labelUser],
		TerminationMode: i.Labels[labelStopMode], Tags: tagViews(labelled(i)),
	}
	if i.State == model.CommandCancelled {
		out.StopTime = out.FinishedTime
	}
	if !i.Started.IsZero() {
		out.Repeats = 1
	}
	out.ErrorCode, out.ErrorInfo = problem(i)
	return out
}

type invocationsParams struct {
	InvokeId, CommandId, CommandName, CommandType, InstanceId, InvokeStatus, RepeatMode, ContentEncoding *string
	IncludeOutput, Timed                                                                                 *bool
	MaxResults, PageNumber, PageSize                                                                     *int
	NextToken                                                                                            *string
	Tag                                                                                                  []tag
}

type invocationsResult struct {
	RequestID   string `json:"RequestId"`
	Invocations struct{ Invocation []invocationView }
	TotalCount  int
	PageNumber  int
	PageSize    int
	NextToken   string
}

// invocationView is a command on all its instances as DescribeInvocations shows it.
type invocationView struct {
	InvokeID           string `json:"InvokeId"`
	CommandID          string `json:"CommandId"`
	CommandName        string
	CommandDescription string
	CommandType        string
	CommandContent     string
	CreationTime       string
	InvocationStatus   string
	InvokeStatus       string
	RepeatMode         string
	Timed              bool
	Timeout            int
	Parameters         string
	Username           string
	WorkingDir         string
	TerminationMode    string
	Tags               tags
	InvokeInstances    struct{ InvokeInstance []invokeInstance }
}

type invokeInstance struct {
	InstanceID           string `json:"InstanceId"`
	InvocationStatus     string
	InstanceInvokeStatus string
	ExitCode             int
	Output               string
	Dropped              int
	ErrorCode            string
	ErrorInfo            string
	CreationTime         string
	StartTime            string
	StopTime             string
	FinishTime           string
	UpdateTime           string
	Repeats              int
	Timed                bool
}

// describeInvocations lists commands, the newest first.
func describeInvocations(r *request, params any) (any, *failure) {
	p := params.(*invocationsParams)
	plain, f := encoding(p.ContentEncoding)
	switch {
	case f != nil:
	case or(p.IncludeOutput, false) && p.InvokeId == nil && p.InstanceId == nil:
		f = invalid("IncludeOutput") // the text asks for one of the two; what it is refused with is unconfirmed
	case p.InvokeStatus != nil && !slices.Contains(overall, *p.InvokeStatus):
		f = invalid("InvokeStatus")
	default:
		f = checkTags(p.Tag)
	}
	if f != nil {
		return nil, f
	}
	all := r.commands(p, plain)
	pages := paging{most: maxResults, results: p.MaxResults, number: p.PageNumber, size: p.PageSize, token: p.NextToken}
	from, to, f := pages.cut(len(all))
	if f != nil {
		return nil, f
	}
	out := invocationsResult{RequestID: r.id, TotalCount: pages.total, PageNumber: pages.page, PageSize: pages.per, NextToken: pages.next}
	out.Invocations.Invocation = all[from:to]
	return out, nil
}

// commands are the commands that a request asks for, each with all of its instances, or with the one that is asked for.
func (r *request) commands(p *invocationsParams, plain bool) []invocationView {
	if or(p.Timed, false) || p.InstanceId == nil && or(p.RepeatMode, modeOnce) != modeOnce {
		return []invocationView{} // the simulator has no others than Once
	}
	groups, order := map[string][]model.Invocation{}, []string{}
	for _, i := range r.invocations(func(i model.Invocation) bool {
		return is(p.InvokeId, i.CommandID) && is(p.InstanceId, i.ServerID) && is(p.CommandId, i.Labels[labelCommand]) &&
			(p.InstanceId != nil || is(p.CommandName, i.Labels[labelName])) && is(p.CommandType, i.Labels[labelType]) &&
			hasTags(labelled(i), p.Tag)
	}) {
		if groups[i.CommandID] == nil {
			order = append(order, i.CommandID)
		}
		groups[i.CommandID] = append(groups[i.CommandID], i)
	}
	out := []invocationView{}
	for _, id := range order {
		v := viewInvocation(groups[id], plain, or(p.IncludeOutput, false))
		if p.InvokeStatus == nil || v.InvokeStatus == *p.InvokeStatus || v.InvocationStatus == *p.InvokeStatus {
			out = append(out, v)
		}
	}
	return out
}

func viewInvocation(group []model.Invocation, plain, output bool) invocationView {
	i := group[0]
	v := invocationView{
		InvokeID: i.CommandID, CommandID: i.Labels[labelCommand], CommandName: i.Labels[labelName],
		CommandDescription: i.Labels[labelDescription], CommandType: i.Labels[labelType], CommandContent: encoded(i.Text, plain),
		CreationTime: inText(i.Queued), InvocationStatus: together(group), InvokeStatus: older(together(group)), RepeatMode: modeOnce,
		Parameters: "{}", Username: i.Labels[labelUser], WorkingDir: i.Labels[labelDirectory], TerminationMode: i.Labels[labelStopMode],
		Tags: tagViews(labelled(i)),
	}
	v.Timeout, _ = strconv.Atoi(i.Labels[labelTimeout]) // written here
	for _, i := range group {
		one := viewResult(i, plain)
		if !output {
			one.Output, one.Dropped = "", 0
		}
		v.InvokeInstances.InvokeInstance = append(v.InvokeInstances.InvokeInstance, invokeInstance{
			InstanceID: i.ServerID, InvocationStatus: one.InvocationStatus, InstanceInvokeStatus: one.InvokeRecordStatus,
			ExitCode: one.ExitCode, Output: one.Output, Dropped: one.Dropped, ErrorCode: one.ErrorCode, ErrorInfo: one.ErrorInfo,
			CreationTime: inText(i.Queued), StartTime: one.StartTime, StopTime: one.StopTime, FinishTime: one.FinishedTime,
			UpdateTime: inText(slices.MaxFunc([]time.Time{i.Queued, i.Started, i.Ended}, time.Time.Compare)), Repeats: one.Repeats,
		})
	}
	return v
}

// together is the state of a command on all its instances (DescribeInvocations' text of InvocationStatus).
func together(group []model.Invocation) string {
	count := map[string]int{}
	for _, i := range group {
		switch s := invocationStatus(i); s {
		case statusPending, statusRunning, statusSuccess:
			count[s]++
		case statusCancelled, statusTerminated:
			count[statusStopped]++
		default:
			count[statusFailed]++
		}
	}
	switch {
	case count[statusPending] > 0:
		return statusPending
	case count[statusRunning] > 0:
		return statusRunning
	case count[statusStopped] == len(group):
		return statusStopped
	case count[statusFailed] == 0:
		return statusSuccess
	case count[statusSuccess] == 0:
		return statusFailed
	default:
		return statusPartial
	}
}

// older is InvokeStatus for an InvocationStatus.
func older(status string) string {
	switch status {
	case statusPending:
		return statusRunning
	case statusSuccess:
		return statusFinished
	default:
		return status
	}
}

type stopParams struct {
	InvokeId   *string
	InstanceId []string
}

// stopInvocation ends a command where it has not begun. Where it has, the page says that it is not interrupted. RunCommand's
// text of TerminationMode speaks of commands that are ended while they run; what a client must not rely on is not played.
func stopInvocation(r *request, params any) (any, *failure) {
	p := params.(*stopParams)
	switch {
	case p.InvokeId == nil:
		return nil, missing("InvokeId")
	case len(p.InstanceId) > maxResults:
		return nil, fail(http.StatusForbidden, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit.")
	}
	mine := r.invocations(func(i model.Invocation) bool { return i.CommandID == *p.InvokeId })
	if len(mine) == 0 {
		return nil, fail(http.StatusNotFound, "InvalidInvokeId.NotFound", "The specified invoke ID does not exist.")
	}
	stop := map[string]bool{}
	for _, i := range mine {
		stop[i.ServerID] = i.State == model.CommandPending && (len(p.InstanceId) == 0 || slices.Contains(p.InstanceId, i.ServerID))
	}
	for _, id := range p.InstanceId {
		if _, has := stop[id]; !has {
			return nil, fail(http.StatusNotFound, "InvalidInstanceId.NotFound", "The specified parameter InstanceId does not exist.")
		}
	}
	for id, yes := range stop {
		if yes {
			r.world.CancelCommand(*p.InvokeId, id)
		}
	}
	return result{r.id}, nil
}

type assistantParams struct {
	InstanceId                       []string
	OSType                           *string
	MaxResults, PageNumber, PageSize *int
	NextToken                        *string
}

type assistantResult struct {
	RequestID                       string `json:"RequestId"`
	InstanceCloudAssistantStatusSet struct{ InstanceCloudAssistantStatus []assistantView }
	TotalCount                      int
	PageNumber                      int
	PageSize                        int
	NextToken                       string
}

type assistantView struct {
	InstanceID            string `json:"InstanceId"`
	OSType                string
	CloudAssistantStatus  string // "true" or "false"
	CloudAssistantVersion string
	ActiveTaskCount       int
	InvocationCount       int
	LastHeartbeatTime     string
	LastInvokedTime       string
	SupportSessionManager bool
}

// agentVersions are new enough for all that the pages speak of.
var agentVersions = map[string]string{model.Linux: "2.2.3.857", model.Windows: "2.1.3.857"}

// describeCloudAssistantStatus tells how the agents of instances are. Unknown ids are left out.
func describeCloudAssistantStatus(r *request, params any) (any, *failure) {
	p := params.(*assistantParams)
	switch {
	case len(p.InstanceId) > maxInstanceIDs:
		return nil, fail(http.StatusForbidden, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit.")
	case p.OSType != nil && !slices.Contains([]string{"Windows", "Linux", "FreeBSD"}, *p.OSType):
		return nil, invalid("OSType")
	}
	all := r.world.Servers(func(s model.Server) bool {
		return r.owns(s) && (len(p.InstanceId) == 0 || slices.Contains(p.InstanceId, s.ID)) && is(p.OSType, status(model.State(s.Platform)))
	})
	pages := paging{most: maxResults, results: p.MaxResults, number: p.PageNumber, size: p.PageSize, token: p.NextToken}
	if len(p.InstanceId) > 0 { // MaxResults has no effect then
		n := maxInstanceIDs
		pages.most, pages.results = n, &n
	}
	from, to, f := pages.cut(len(all))
	if f != nil {
		return nil, f
	}
	out := assistantResult{RequestID: r.id, TotalCount: pages.total, PageNumber: pages.page, PageSize: pages.per, NextToken: pages.next}
	out.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus = []assistantView{}
	for _, s := range all[from:to] {
		out.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus = append(
			out.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus, r.viewAssistant(s))
	}
	return out, nil
}

func (r *request) viewAssistant(s model.Server) assistantView {
	v := assistantView{
		InstanceID: s.ID, OSType: status(model.State(s.Platform)), CloudAssistantStatus: strconv.FormatBool(s.AgentState() == model.AgentOnline),
	}
	if s.AgentState() == model.AgentAbsent {
		return v
	}
	v.CloudAssistantVersion, v.SupportSessionManager = agentVersions[s.Platform], true
	v.LastHeartbeatTime = inText(s.Created)
	if s.AgentState() == model.AgentOnline {
		v.LastHeartbeatTime = inText(r.world.OperationNow())
	}
	for _, i := range r.invocations(func(i model.Invocation) bool { return i.ServerID == s.ID }) {
		v.InvocationCount++
		if !i.State.Final() {
			v.ActiveTaskCount++
		}
		v.LastInvokedTime = max(v.LastInvokedTime, inText(i.Queued))
	}
	return v
}
