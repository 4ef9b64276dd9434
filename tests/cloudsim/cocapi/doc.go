// Package cocapi is the part of the cloud simulator that speaks the script API of Huawei Cloud's Cloud Operations Center (COC):
// scripts that are kept and approved, orders that run them on servers, and their logs.
//
// # Actions
//
// Faults and Deny patterns name requests by the service coc and the vendor's Go SDK's name of the call: CreateScript, ListScripts,
// GetScript, DeleteScript, AcceptScript, ExecuteScript, ListScriptJobs, GetScriptJobInfo, GetScriptJobStatistics,
// ListScriptJobBatches, GetScriptJobBatch and OperateScriptJob.
//
// # Commands
//
// A batch of an order is a command of the model, with the order's id and the batch's number: "SCT….1". The batch after it starts
// when it has ended and somebody asks about the order. Faults show themselves so:
//
//	lag_record, record_lost   the server is not among the instances of its batch; an order without any is not found
//	failed_*, not_run         ABNORMAL, with what the agent says as its log
//	status_lost               ABNORMAL without a log, though the script ran
//	preempted                 CANCELED, though the script ran
//	agent_silent              PROCESSING until the timeout is over, then ABNORMAL without a log
//
// The fault lag_record of CreateScript hides the new script for a while, though its name is in use.
//
// An agent that does not answer is waited for a minute; then the server is ABNORMAL without a log.
//
// # Sources
//
// Paths and fields come from the vendor's Go SDK (huaweicloud-sdk-go-v3, services/coc/v1), limits and error codes from the pages
// of the API reference (support.huaweicloud.com/api-coc: CreateScripts, UpdateScript, ExecuteScript, coc_api_05_01), where they
// differ from the strictest one. Ids and times have the form of the pages' examples. What they do not say is marked [unconfirmed]
// where it is decided. The Go SDK (v0.1.207) itself has made all of these calls here; it is left out of CI, as it takes 400 MB.
package cocapi
