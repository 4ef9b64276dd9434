// Package coc runs scripts in the Linux servers of Huawei Cloud by its Cloud Operations Center (COC): the reset method and the check
// method of that cloud. It knows COC's requests and what their answers mean. Who sends them, package openstack, is behind [API].
//
// # Calls and permissions
//
//	call                                        used by                        permission
//	GET    scripts?name_like=...                PrepareReset, a check, if the  coc:document:list
//	                                            script's id is not known
//	GET    scripts/{script}                     the same                       coc:document:get
//	POST   scripts                              the same, if there is none     coc:document:create
//	POST   scripts/{script}                     StartReset, a check            coc:instance:executeDocument
//	GET    script/orders/{order}/batches/1      ResetRecords, a check          coc:job:list
//	GET    script/orders?limit=1                CheckPermissions               coc:job:list
//
// Paths are below /v1/job/. The right coc:instance:executeDocument is that of root on the servers it covers.
//
// # Scripts
//
// COC runs no text, but a script that it keeps, with parameters. So there is one script for all passwords, the stored form of package
// guest, and one for checks; each is made once, when it is missed. Its name has the digest of its text. One of that name with another
// content, or that is not approved, is never run. Its id is remembered for some minutes.
//
// # Proof
//
// COC tells no exit code. The id of an order is its own, and the one proof is the line that our script ends with, in the log of that
// order. The line does not name what was set: that a log is that of our order rests on COC. A status proves nothing: a script that is
// FINISHED without the line, ABNORMAL or CANCELED may have run or not, also when it was canceled before it was seen to begin, since
// the agent reports later than it begins.
//
// There is no id that the caller chooses, and the list of orders shows no parameters. So a lost answer costs a further execution of
// the same password, which the order in the guest makes harmless.
//
// # Parameters
//
// Whoever may call coc:job:list reads the parameters of past orders: the user's name, the hash, and two numbers. They are marked
// sensitive as far as they are; whether COC masks such is not documented.
//
// # Unconfirmed
//
// No live account was at hand. No source tells: how a parameter reaches the script (the stored form is right for a text in which values
// were put and for variables); whether the log has other text on our line; how long COC waits for an agent; the codes of its errors,
// beyond the two of its table; whether a risk level of HIGH asks for approval by itself; whether the check of scripts that COC's SDK
// has (CheckScriptRisk, with a list of forbidden commands) applies to scripts made by its API.
//
// # Sources
//
//   - huaweicloud-sdk-go-v3, services/coc/v1 (paths, fields, statuses; region/region.go for the hosts).
//   - support.huaweicloud.com/api-coc: CreateScripts, ShowScriptDetail, ExecuteScript, UpdateScript (limits; approval; the error of a
//     name in use), coc_api_06_002 and coc_api_06_003 (permissions). The European site's page has the least limit of a script, 4,096
//     characters.
//   - terraform-provider-huaweicloud, docs/resources/coc_script.md (a parameter stands in the text as ${name}).
package coc
