// The AWS SDK for JavaScript, version 3, against the simulated EC2, STS, IAM and Systems Manager APIs: an implementation of the
// protocols and of Signature Version 4 of its own, with what the AWS CLI does not show: waiters, pages, sessions, presigned requests.
//
// Environment: EC2_URL, STS_URL, IAM_URL, SSM_URL (http://host:port), ACCESS_KEY, SECRET_KEY, REGION, ROLE_ARN, EXTERNAL_ID,
// WINDOWS and LINUX (running servers), KEY_NAME (the Windows server's key pair).

import { createHash, createHmac } from "node:crypto";
import * as ec2 from "@aws-sdk/client-ec2";
import * as iam from "@aws-sdk/client-iam";
import * as ssm from "@aws-sdk/client-ssm";
import * as sts from "@aws-sdk/client-sts";
import { SignatureV4 } from "@smithy/signature-v4";
import { environment, test } from "./tap.mjs";

const { EC2_URL, STS_URL, IAM_URL, SSM_URL, ACCESS_KEY, SECRET_KEY, REGION, ROLE_ARN, EXTERNAL_ID, WINDOWS, LINUX, KEY_NAME } = environment(
  "EC2_URL", "STS_URL", "IAM_URL", "SSM_URL", "ACCESS_KEY", "SECRET_KEY", "REGION", "ROLE_ARN", "EXTERNAL_ID", "WINDOWS", "LINUX", "KEY_NAME");

const own = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY };
const unknown = "i-00000000000000000";

// A client of each service; options such as credentials or region replace the right ones.
const config = (endpoint, options) => ({ endpoint, region: REGION, credentials: own, maxAttempts: 1, ...options });
const ec2Client = (options) => new ec2.EC2Client(config(EC2_URL, options));
const iamClient = (options) => new iam.IAMClient(config(IAM_URL, options));
const ssmClient = (options) => new ssm.SSMClient(config(SSM_URL, options));
const stsClient = (options) => new sts.STSClient(config(STS_URL, options));

const describe = (input, options) => ec2Client(options).send(new ec2.DescribeInstancesCommand(input));
const idsOf = ({ Reservations }) => Reservations.flatMap(({ Instances }) => Instances.map(({ InstanceId }) => InstanceId));
const command = (input) => ssmClient().send(new ssm.SendCommandCommand({ DocumentName: "AWS-RunShellScript", ...input }));
const assume = (input, options) =>
  stsClient(options).send(new sts.AssumeRoleCommand({ RoleArn: ROLE_ARN, RoleSessionName: "javascript", ExternalId: EXTERNAL_ID, ...input }));
const whoami = (options) => stsClient(options).send(new sts.GetCallerIdentityCommand({}));

function equal(got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

// refused requires a refusal with a status and code, a request id, and a text.
async function refused(status, code, call, text = "") {
  let answer;
  try {
    answer = await call;
  } catch (error) {
    const { name, message, $metadata } = error;
    if (name !== code || $metadata?.httpStatusCode !== status || !$metadata.requestId || !message.includes(text)) {
      throw new Error(`wanted ${status} ${code} ${text}, got ${$metadata?.httpStatusCode} ${name}: ${message}`);
    }
    return;
  }
  throw new Error(`wanted ${code}, got the answer ${JSON.stringify(answer)}`);
}

async function session(input) {
  const { Credentials: c } = await assume(input);
  return { accessKeyId: c.AccessKeyId, secretAccessKey: c.SecretAccessKey, sessionToken: c.SessionToken };
}

// Credentials that are wrong in each of their parts, for each kind of service.
for (const [name, options, ec2Code, stsCode, ssmCode] of [
  ["a wrong secret", { credentials: { ...own, secretAccessKey: "wrong" } }, "AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException"],
  ["an unknown key", { credentials: { ...own, accessKeyId: "AKIA0000000000000000" } }, "AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"],
  ["a token that is not the key's", { credentials: { ...own, sessionToken: "x" } }, "AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException"],
  ["another region", { region: "mars-north-1" }, "AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException"],
  ["a clock an hour fast", { systemClockOffset: 3_600_000 }, "AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException"],
]) {
  await test(`${name} is refused`, async () => {
    await refused(401, ec2Code, describe({}, options));
    await refused(403, stsCode, whoami(options));
    await refused(400, ssmCode, ssmClient(options).send(new ssm.ListCommandsCommand({})));
  });
}

await test("ec2: an id given twice is one instance", async () => equal(idsOf(await describe({ InstanceIds: [LINUX, LINUX] })), [LINUX]));
await test("ec2: one unknown id among two refuses both", () =>
  refused(400, "InvalidInstanceID.NotFound", describe({ InstanceIds: [LINUX, unknown] }), `'${unknown}'`));
await test("ec2: a malformed id goes before an unknown one", () =>
  refused(400, "InvalidInstanceID.Malformed", describe({ InstanceIds: [unknown, "i-xyz"] }), '"i-xyz"'));
await test("ec2: nothing found is an empty list", async () =>
  equal((await describe({ Filters: [{ Name: "tag:app", Values: ["none"] }] })).Reservations, []));
for (const [value, found] of [["d*o", 2], ["dem?", 2], ["de?", 0], ["DEMO", 0], ["de\\mo", 2], ["demo\\*", 0], ["[d]emo", 0]]) {
  await test(`ec2: the tag filter ${value} finds ${found}`, async () =>
    equal(idsOf(await describe({ Filters: [{ Name: "tag:app", Values: [value] }] })).length, found));
}
await test("ec2: an unknown filter is refused", () =>
  refused(400, "InvalidParameterValue", describe({ Filters: [{ Name: "colour", Values: ["red"] }] }), "The filter 'colour' is invalid"));
await test("ec2: a page has 5 to 1000 instances", async () => {
  await refused(400, "InvalidParameterValue", describe({ MaxResults: 4 }));
  await refused(400, "InvalidParameterValue", describe({ MaxResults: 1001 }));
  await refused(400, "InvalidParameterCombination", describe({ MaxResults: 5, InstanceIds: [LINUX] }));
});
await test("ec2: a foreign page token is refused", () => refused(400, "InvalidNextToken", describe({ NextToken: "abc" })));
await test("ec2: a dry run reports the permission", () => refused(412, "DryRunOperation", describe({ DryRun: true })));
await test("ec2: an action that is not simulated is refused", () =>
  refused(400, "InvalidAction", ec2Client().send(new ec2.DescribeVpcsCommand({})), "DescribeVpcs"));
await test("ec2: the waiter for a password ends", async () => {
  const { state, reason } = await ec2.waitUntilPasswordDataAvailable({ client: ec2Client(), maxWaitTime: 60 }, { InstanceId: WINDOWS });
  equal([state, reason.InstanceId, Buffer.from(reason.PasswordData, "base64").length], ["SUCCESS", WINDOWS, 256]);
  if (Number.isNaN(reason.Timestamp.getTime())) throw new Error("no timestamp");
});
await test("ec2: a key pair has the fingerprint of one that EC2 made", async () => {
  const { KeyPairs: [pair] } = await ec2Client().send(new ec2.DescribeKeyPairsCommand({ KeyNames: [KEY_NAME], IncludePublicKey: true }));
  if (!/^([0-9a-f]{2}:){19}[0-9a-f]{2}$/.test(pair.KeyFingerprint) || !pair.PublicKey.startsWith("ssh-rsa ")) throw new Error(JSON.stringify(pair));
});

await test("sts: a session works, and only with its token", async () => {
  const credentials = await session();
  const { Arn } = await whoami({ credentials });
  if (!Arn.endsWith(":assumed-role/cloudpw/javascript")) throw new Error(Arn);
  equal(idsOf(await describe({ InstanceIds: [LINUX] }, { credentials })), [LINUX]);
  await refused(401, "AuthFailure", describe({}, { credentials: { ...credentials, sessionToken: undefined } }));
});
await test("sts: a role wants its external id", () => refused(403, "AccessDenied", assume({ ExternalId: "other" })));
await test("sts: a role that does not exist is denied", () => refused(403, "AccessDenied", assume({ RoleArn: `${ROLE_ARN}-other` })));
for (const [name, input, text] of [
  ["a session name with a slash", { RoleSessionName: "a/b" }, "roleSessionName"],
  ["a session of 899 seconds", { DurationSeconds: 899 }, "greater than or equal to 900"],
  ["a session longer than the role's", { DurationSeconds: 3601 }, "MaxSessionDuration"],
  ["an ARN that is none", { RoleArn: "arn:aws:iam::12:role/cloudpw" }, "is invalid"],
]) {
  await test(`sts: ${name} is refused`, () => refused(400, "ValidationError", assume(input), text));
}
await test("sts: a session lengthens itself by no more than an hour", async () => {
  const credentials = await session();
  await refused(400, "ValidationError", assume({ DurationSeconds: 3601 }, { credentials }), "role chaining");
});

// GetCallerIdentity as a URL, as it proves an identity to others (Vault's own auth method aws, Kubernetes).
class Sha256 {
  constructor(key) { this.hash = key ? createHmac("sha256", key) : createHash("sha256"); }
  update(data) { this.hash.update(data); }
  async digest() { return new Uint8Array(this.hash.digest()); }
}
async function presigned(credentials, expiresIn) {
  const { protocol, hostname, port, host } = new URL(STS_URL);
  const signer = new SignatureV4({ credentials, region: REGION, service: "sts", sha256: Sha256 });
  const { query } = await signer.presign(
    { method: "GET", protocol, hostname, port, path: "/", headers: { host }, query: { Action: "GetCallerIdentity", Version: "2011-06-15" } },
    { expiresIn });
  return `${STS_URL}/?${new URLSearchParams(query)}`;
}
for (const [name, change, status, text] of [
  ["is accepted", (url) => url, 200, ":user/cloudpw</Arn>"],
  ["with a parameter more is refused", (url) => `${url}&Colour=red`, 403, "SignatureDoesNotMatch"],
  ["for another action is refused", (url) => url.replace("GetCallerIdentity", "AssumeRole"), 403, "SignatureDoesNotMatch"],
]) {
  await test(`sts: a presigned request ${name}`, async () => {
    const answer = await fetch(change(await presigned(own, 60)));
    const body = await answer.text();
    if (answer.status !== status || !body.includes(text)) throw new Error(`${answer.status} ${body}`);
  });
}
await test("sts: a presigned request carries a session", async () => {
  const body = await (await fetch(await presigned(await session(), 60))).text();
  if (!body.includes(":assumed-role/cloudpw/javascript</Arn>")) throw new Error(body);
});

await test("iam: a user has two keys, which come in pages", async () => {
  const client = iamClient();
  const { AccessKey: made } = await client.send(new iam.CreateAccessKeyCommand({}));
  const change = (Status) => client.send(new iam.UpdateAccessKeyCommand({ AccessKeyId: made.AccessKeyId, Status }));
  const credentials = { accessKeyId: made.AccessKeyId, secretAccessKey: made.SecretAccessKey };
  try {
    await refused(409, "LimitExceededException", client.send(new iam.CreateAccessKeyCommand({})));
    const pages = [];
    for await (const { AccessKeyMetadata, IsTruncated } of iam.paginateListAccessKeys({ client, pageSize: 1 }, {})) {
      pages.push([AccessKeyMetadata.length, IsTruncated]);
    }
    equal(pages, [[1, true], [1, false]]);
    await whoami({ credentials });
    await change("Inactive");
    await refused(403, "InvalidClientTokenId", whoami({ credentials }));
    await change("Active");
    await whoami({ credentials });
  } finally {
    await client.send(new iam.DeleteAccessKeyCommand({ AccessKeyId: made.AccessKeyId }));
  }
  await refused(404, "NoSuchEntityException", change("Active"));
  await refused(403, "InvalidClientTokenId", whoami({ credentials }));
});
await test("iam: a session has to name the user", async () => {
  const credentials = await session();
  await refused(400, "ValidationError", iamClient({ credentials }).send(new iam.ListAccessKeysCommand({})), "userName");
});
await test("iam: an unknown user is refused", () =>
  refused(404, "NoSuchEntityException", iamClient().send(new iam.GetUserCommand({ UserName: "nobody" }))));

const commands = { Parameters: { commands: ["echo hello"] } };
await test("ssm: the waiter for a command ends, and its history shows it", async () => {
  const client = ssmClient();
  const { Command: sent } = await command({ ...commands, Targets: [{ Key: "InstanceIds", Values: [LINUX] }], Comment: "JavaScript" });
  equal([sent.Status, sent.TargetCount], ["Pending", 1]);
  const { reason } = await ssm.waitUntilCommandExecuted({ client, maxWaitTime: 60 }, { CommandId: sent.CommandId, InstanceId: LINUX });
  equal([reason.Status, reason.ResponseCode, reason.StandardOutputContent], ["Success", 0, "hello\n"]);
  const { Commands: [listed] } = await client.send(new ssm.ListCommandsCommand({ CommandId: sent.CommandId }));
  equal([listed.Status, listed.CompletedCount, listed.Comment], ["Success", 1, "JavaScript"]);
});
await test("ssm: a failure is one", async () => {
  const { Command: sent } = await command({ Parameters: { commands: ["echo no", "exit 7"] }, InstanceIds: [LINUX] });
  const ended = ssm.waitUntilCommandExecuted({ client: ssmClient(), maxWaitTime: 60 }, { CommandId: sent.CommandId, InstanceId: LINUX });
  await ended.then(() => { throw new Error("the waiter takes it for a success"); }, () => {});
  const { Status, ResponseCode } = await ssmClient().send(new ssm.GetCommandInvocationCommand({ CommandId: sent.CommandId, InstanceId: LINUX }));
  equal([Status, ResponseCode], ["Failed", 7]);
});
for (const [name, code, input] of [
  ["an unknown instance", "InvalidInstanceId", { ...commands, InstanceIds: [unknown] }],
  ["an instance given twice", "DuplicateInstanceId", { ...commands, InstanceIds: [LINUX, LINUX] }],
  ["51 instances", "ValidationException", { ...commands, InstanceIds: Array.from({ length: 51 }, (_, i) => `i-${String(i).padStart(17, "0")}`) }],
  ["instances and targets at once", "ValidationException", { ...commands, InstanceIds: [LINUX], Targets: [{ Key: "tag:app", Values: ["demo"] }] }],
  ["an unknown document", "InvalidDocument", { ...commands, DocumentName: "AWS-Other", InstanceIds: [LINUX] }],
  ["an unknown parameter", "InvalidParameters", { Parameters: { commands: ["true"], colour: ["red"] }, InstanceIds: [LINUX] }],
  ["a delivery time of 29 seconds", "ValidationException", { ...commands, InstanceIds: [LINUX], TimeoutSeconds: 29 }],
  ["a comment of 101 characters", "ValidationException", { ...commands, InstanceIds: [LINUX], Comment: "x".repeat(101) }],
  ["a shell on Windows", "UnsupportedPlatformType", { ...commands, InstanceIds: [WINDOWS] }],
]) {
  await test(`ssm: ${name} is refused`, () => refused(400, code, command(input)));
}
await test("ssm: the invocation of an unknown command does not exist", () =>
  refused(400, "InvocationDoesNotExist",
    ssmClient().send(new ssm.GetCommandInvocationCommand({ CommandId: "00000000-0000-0000-0000-000000000000", InstanceId: LINUX }))));
await test("ssm: agents come in pages of 5 to 50", async () => {
  const list = (input) => ssmClient().send(new ssm.DescribeInstanceInformationCommand(input));
  await refused(400, "ValidationException", list({ MaxResults: 4 }), "greater than or equal to 5");
  await refused(400, "ValidationException", list({ MaxResults: 51 }), "less than or equal to 50");
  await refused(400, "InvalidFilterKey", list({ Filters: [{ Key: "Colour", Values: ["red"] }] }));
  const { InstanceInformationList: found } = await list({ Filters: [{ Key: "tag:app", Values: ["demo"] }, { Key: "PlatformTypes", Values: ["Linux"] }] });
  equal(found.map(({ InstanceId, PingStatus }) => [InstanceId, PingStatus]), [[LINUX, "Online"]]);
});
