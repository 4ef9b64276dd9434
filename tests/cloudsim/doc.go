// Package cloudsim simulates the clouds that cloudpw speaks to: AWS (EC2,
// SSM, STS, IAM), Tencent Cloud (CVM, TAT, STS, CAM), Alibaba Cloud (ECS, STS, RAM), Azure
// (Resource Manager, Entra's token endpoint), Huawei Cloud, Open Telekom Cloud and OpenStack (Keystone, Nova; on
// Huawei Cloud also COC), with
// servers that accept SSH logins.
//
// It is a test and demo tool, never a security boundary: it keeps passwords
// and secret keys in clear, shows them to whoever can reach its admin API, and
// listens on the loopback interface.
//
// It is as strict as the clouds. Signatures and tokens are verified, the
// clouds' rules are enforced and refused with their own error bodies and
// codes, and operations are asynchronous where the clouds' are.
//
// # Parts
//
//	guestos     the inside of a server, where commands are run
//	model       the state: World with accounts, credentials, servers, operations, faults, log
//	awsapi      EC2 Query, Run Command of SSM, STS and IAM over a World, with Signature Version 4
//	tencentapi  CVM, TAT, STS and CAM over a World, with Signature v3 and v1
//	alibabaapi  ECS with Cloud Assistant, STS and RAM over a World, with the V3 signature
//	azureapi    Azure Resource Manager (virtual machines, managed run commands) and Entra over a World, with bearer tokens
//	novaapi     Keystone, Nova and the ECS dialects over a World
//	cocapi      the scripts of Huawei Cloud's Cloud Operations Center over a World
//	adminapi    the control API over a World, for tests in other processes
//	sshd        an SSH server per simulated server
//	wire        what the HTTP parts share
//	cmd/cloudsim  all of it as a program
//
// # The model in short
//
//	w := model.NewWorld(model.Options{})
//	w.AddAccount, AddProject, AddUser, AddAccessKey, AddAppCredential, AddAgency
//	w.ImportKeyPair, CreateKeyPair, ImportPEM, KeyPair, KeyPairs
//	w.AddServer, Server, Servers, SetTags, SetLogin, RemoveLogin, SetState, Terminate, Remove
//	w.Snapshot, RestoreSnapshot, Rebuild             disks
//	w.EncryptedPassword(id), ClearPassword(id)       initial passwords
//	w.StartReset, Stop, Start, Overwrite, Release    operations
//	w.StartCommand, Invocation, CancelCommand        commands run in servers
//	w.DeleteCommand, RunAgain                        their records, and agents that run all recorded ones again
//	w.SetGuest, DeleteGuestKey, Invocations          their agents, and the history
//	w.Advance(d), OperationNow()                     operation clock
//	w.AddFault, ClearFaults, ReleaseHolds            faults
//	w.Begin(call) -> Exchange: Before, After, Done   what each handler goes through
//	w.Log, Attempts, Stats, Mark, TryLogin           what happened
//
// # Faults of commands
//
// Agents are late, and repeat themselves: FaultLate lets one fetch a command hours or weeks later, FaultAgain lets it run a
// finished one once more. The record never says so; Invocation.Unreported does. FaultAgentSilent, FaultOutputCut and
// FaultRecordLost hide what a command has done, and so does FaultStatusLost. FaultStopServer stops a server before it runs what
// it was sent, FaultNotRun lets its agent fail, FaultPreempted ends the cloud's operation around a command, and FaultSlowDelete
// keeps a deleted record for a while. World.RunAgain has an agent run everything that is still recorded once more. Guests have
// clocks of their own (guestos.Conditions.Clock), which start from the time of day at which a command was sent, and go on with
// the operation clock.
//
// # In a test
//
//	sim := cloudsim.Start(t, cloudsim.Options{TLS: true})
//	seeded, err := sim.Seed(cloudsim.SeedOptions{})
//	sim.URL(model.AWS, "ec2"), sim.CAPEM(), seeded[model.AWS].AccessKey
//	sim.World().AddFault(model.Fault{Kind: model.FaultDropAfter, Action: "ResetInstancesPassword", Count: 1})
//	sim.Login(ctx, id, "Administrator", password) // sshd.ErrRefused: a wrong password
//
// Tests in other processes start cmd/cloudsim, read its one line of JSON
// (Info) and go on with adminapi.Client.
//
// Services of one cloud may share a listener, so their URLs can be equal.
//
// Azure's own clients take HTTPS only. Info.TLS says where they find it, with a CA made for this simulator, also without
// Options.TLS. In place of its secret an application can sign in with a token of another issuer: World.AddFederatedIdentity
// says whom it trusts, and World.Assert signs.
package cloudsim
