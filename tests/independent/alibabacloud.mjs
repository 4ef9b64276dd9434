// Alibaba Cloud's own Node.js client for ECS against the simulated ECS API, and the core that it is built on, which signs
// calls of any service, against the simulated STS and RAM with their parameters in a form.
//
// Environment: ENDPOINT (http://host:port), ACCESS_KEY, SECRET_KEY, ACCOUNT, REGION, ROLE_ARN, EXTERNAL_ID, LINUX and WINDOWS
// (running servers), LINUX_SSH (the first one's SSH address), ADMIN (the simulator's control API), SCRIPTS (the folder with
// the scripts), CLOUDSIM_LOGIN (the command that tries a password).

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import ecs from "@alicloud/ecs20140526";
import core from "@alicloud/openapi-core";
import { environment, fails, test } from "./tap.mjs";

const { ENDPOINT, ACCESS_KEY, SECRET_KEY, ACCOUNT, REGION, ROLE_ARN, EXTERNAL_ID, LINUX, WINDOWS, LINUX_SSH, ADMIN, SCRIPTS, CLOUDSIM_LOGIN } =
  environment("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "ACCOUNT", "REGION", "ROLE_ARN", "EXTERNAL_ID", "LINUX", "WINDOWS", "LINUX_SSH", "ADMIN",
    "SCRIPTS", "CLOUDSIM_LOGIN");

const own = { accessKeyId: ACCESS_KEY, accessKeySecret: SECRET_KEY };
const config = (key) => new core.$OpenApiUtil.Config({ ...key, protocol: "http", endpoint: new URL(ENDPOINT).host, regionId: REGION });
const client = (key) => new ecs.default(config(key));
const mine = client(own);

// call makes a call of ECS by the names of its action and of its request's class.
async function call(action, input = {}, on = mine, regionId = REGION) {
  const request = new ecs[`${action[0].toUpperCase()}${action.slice(1)}Request`]({ regionId, ...input });
  return (await on[action](request)).body;
}

// form makes a call of another service with its parameters in the body.
async function form(version, action, body = {}, key = own) {
  const params = new core.$OpenApiUtil.Params({
    action, version, protocol: "http", pathname: "/", method: "POST", authType: "AK", style: "RPC", reqBodyType: "formData", bodyType: "json",
  });
  return (await new core.default(config(key)).callApi(params, new core.$OpenApiUtil.OpenApiRequest({ body }), {})).body;
}
const sts = (...args) => form("2015-04-01", ...args);
const ram = (...args) => form("2015-05-01", ...args);

const base64 = (text) => Buffer.from(text).toString("base64");
const instances = (list) => list.instances.instance;

function equal(got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

function program(command, args, input) {
  const { status, stdout, error } = spawnSync(command, args, { input, encoding: "utf8", timeout: 30_000 });
  if (error) throw error;
  return { status, stdout };
}

function login(user, password) {
  const [command, ...args] = CLOUDSIM_LOGIN.split(" ");
  return program(command, [...args, LINUX_SSH, user], password).status === 0;
}

// script is cloudpw's Linux script with a hash that OpenSSL made. The hash's salt begins with the value's order, ten digits that
// grow from run to run.
function script(user, password) {
  const now = Math.floor(Date.now() / 1000);
  const salt = `${now}${randomBytes(3).toString("hex")}`;
  const { status, stdout } = program("openssl", ["passwd", "-6", "-salt", salt, "-stdin"], password);
  if (status !== 0) throw new Error("openssl passwd failed");
  return readFileSync(join(SCRIPTS, "linux.sh"), "utf8").replace("@USERNAME@", user).replace("@HASH@", () => stdout.trim())
    .replace("@ORDER@", `${now}`).replace("@NOTAFTER@", `${now + 600}`);
}

const linux = (text, more) =>
  ({ type: "RunShellScript", commandContent: base64(text), contentEncoding: "Base64", instanceId: [LINUX], timeout: 120, ...more });

// ended waits for the result of a command.
async function ended({ invokeId }) {
  for (let tries = 0; tries < 120; tries++) {
    const { invocation } = await call("describeInvocationResults", { invokeId });
    const [result] = invocation.invocationResults.invocationResult;
    if (result && !["Pending", "Running"].includes(result.invocationStatus)) {
      return { ...result, output: Buffer.from(result.output, "base64").toString() };
    }
    await pause(250);
  }
  throw new Error(`${invokeId} did not end`);
}

await test("the right key is accepted", () => call("describeInstances"));
await test("a wrong secret is refused", () =>
  fails("SignatureDoesNotMatch", call("describeInstances", {}, client({ ...own, accessKeySecret: `${SECRET_KEY}x` }))));
await test("an unknown key is refused", () =>
  fails("InvalidAccessKeyId.NotFound", call("describeInstances", {}, client({ ...own, accessKeyId: "LTAI5tunknown" }))));
await test("a token that is none is refused", () =>
  fails("InvalidSecurityToken.Malformed", call("describeInstances", {}, client({ ...own, securityToken: "x", type: "sts" }))));
await test("another region is refused", () => fails("InvalidRegionId.NotFound", call("describeInstances", {}, mine, "mars-north-1")));

await test("instances by id, with what they are", async () => {
  const list = instances(await call("describeInstances", { instanceIds: JSON.stringify([WINDOWS, "i-00000000000000000000"]) }));
  equal(list.map(({ instanceId, OSType, status }) => [instanceId, OSType, status]), [[WINDOWS, "windows", "Running"]]);
  equal(list[0].tags.tag.map(({ tagKey, tagValue }) => [tagKey, tagValue]), [["app", "demo"]]);
  equal(list[0].vpcAttributes.privateIpAddress.ipAddress.length, 1);
});
await test("instances by tag, in pages", async () => {
  for (let n = 0; n < 21; n++) {
    const server = { cloud: "alibabacloud", account_id: ACCOUNT, region: REGION, name: `page-${n}`, tags: { app: "pages", n: `${n}` } };
    const answer = await fetch(`${ADMIN}/v1/servers`, { method: "POST", body: JSON.stringify(server) });
    if (!answer.ok) throw new Error(await answer.text());
  }
  const sizes = [];
  let nextToken;
  do {
    const page = await call("describeInstances", { tag: [{ key: "app", value: "pages" }], maxResults: 10, nextToken });
    sizes.push(instances(page).length);
    nextToken = page.nextToken;
  } while (nextToken);
  equal(sizes, [10, 10, 1]);
  equal(instances(await call("describeInstances", { tag: [{ key: "app", value: "pages" }, { key: "n", value: "7" }] })).length, 1);
});
await test("a dry run tells that it may", () => fails("DryRunOperation", call("describeInstances", { dryRun: true })));

await test("the agents tell that they are there", async () => {
  const answer = await call("describeCloudAssistantStatus", { instanceId: [LINUX, WINDOWS] });
  const agents = answer.instanceCloudAssistantStatusSet.instanceCloudAssistantStatus;
  equal(agents.map(({ OSType, cloudAssistantStatus }) => [OSType, cloudAssistantStatus]).sort(), [["Linux", "true"], ["Windows", "true"]]);
});

await test("cloudpw's script sets a password that logs in", async () => {
  const password = `Aa1-${randomBytes(8).toString("hex")}`;
  if (login("root", password)) throw new Error("it logs in before it is set");
  const result = await ended(await call("runCommand", linux(script("root", password))));
  equal([result.invocationStatus, result.exitCode, result.errorCode], ["Success", 0, ""]);
  if (!login("root", password)) throw new Error("it does not log in");
});
await test("cloudpw's script reports a user that does not exist", async () => {
  const result = await ended(await call("runCommand", linux(script("nobody", "Aa1-whatever"))));
  equal([result.invocationStatus, result.exitCode, result.errorCode], ["Failed", 82, "ExitCodeNonzero"]);
});
await test("a command on Windows, in clear", async () => {
  const commandContent = readFileSync(join(SCRIPTS, "windows_prepare.ps1"), "utf8");
  const result = await ended(await call("runCommand", { type: "RunPowerShellScript", commandContent, instanceId: [WINDOWS] }));
  equal([result.invocationStatus, result.exitCode], ["Success", 0]);
  if (!result.output.includes("cloudpw")) throw new Error(result.output);
});
await test("a command is found again by its token, and is no other's", async () => {
  const input = linux(script("root", "Aa1-whatever"), { clientToken: randomBytes(16).toString("hex"), name: "again" });
  const [first, second] = [await call("runCommand", input), await call("runCommand", input)];
  equal(second.invokeId, first.invokeId);
  await fails("IdempotentParameterMismatch", call("runCommand", { ...input, timeout: 60 }));
  const { invocations } = await call("describeInvocations", { commandName: "again" });
  equal(invocations.invocation.map(({ invokeId, commandContent }) => [invokeId, commandContent]), [[first.invokeId, input.commandContent]]);
  await ended(first);
});
await test("results come in pages", async () => {
  const page = await call("describeInvocationResults", { maxResults: 1 });
  const next = await call("describeInvocationResults", { maxResults: 1, nextToken: page.invocation.nextToken });
  const ids = [page, next].map(({ invocation }) => invocation.invocationResults.invocationResult.map(({ invokeId }) => invokeId));
  if (ids.flat().length !== 2 || ids[0][0] === ids[1][0]) throw new Error(JSON.stringify(ids));
});
for (const [name, code, input] of [
  ["an unknown instance", "InvalidInstance.NotFound", { instanceId: ["i-00000000000000000000"] }],
  ["one unknown instance of two", "InvalidInstance.NotFound", { instanceId: [LINUX, "i-00000000000000000000"] }],
  ["PowerShell on Linux", "InvalidInstance.NotMatch", { type: "RunPowerShellScript" }],
  ["another type", "InvalidCmdType.NotFound", { type: "RunPython" }],
  ["a content that is no Base64", "CmdContent.DecodeError", { commandContent: "%" }],
  ["a content of more than 24 KB", "CmdContent.ExceedLimit", { commandContent: "A".repeat(24 * 1024 + 4) }],
  ["a token that is too long", "InvalidClientToken.Malformed", { clientToken: "x".repeat(65) }],
]) {
  await test(`${name} is refused`, () => fails(code, call("runCommand", linux("true", input))));
}
await test("stopping an unknown command is refused", () => fails("InvalidInvokeId.NotFound", call("stopInvocation", { invokeId: "t-unknown" })));

await test("sts: who has the key", async () => {
  const { IdentityType, AccountId, Arn } = await sts("GetCallerIdentity");
  equal([IdentityType, AccountId, Arn], ["RAMUser", ACCOUNT, `acs:ram::${ACCOUNT}:user/cloudpw`]);
});
await test("sts: a role's session reads instances", async () => {
  const { Credentials: c } = await sts("AssumeRole", { RoleArn: ROLE_ARN, RoleSessionName: "javascript", ExternalId: EXTERNAL_ID });
  const session = { accessKeyId: c.AccessKeyId, accessKeySecret: c.AccessKeySecret, securityToken: c.SecurityToken, type: "sts" };
  equal(instances(await call("describeInstances", { instanceIds: JSON.stringify([LINUX]) }, client(session))).length, 1);
  equal((await sts("GetCallerIdentity", {}, session)).IdentityType, "AssumedRoleUser");
});
await test("sts: a wrong external id is refused", () =>
  fails("NoPermission", sts("AssumeRole", { RoleArn: ROLE_ARN, RoleSessionName: "javascript", ExternalId: "wrong" })));
await test("sts: fourteen minutes are refused", () =>
  fails("InvalidParameter.DurationSeconds", sts("AssumeRole", { RoleArn: ROLE_ARN, RoleSessionName: "javascript", DurationSeconds: 840 })));
await test("ram: a second key works, a third is refused, and a deleted one is unknown", async () => {
  const { AccessKey: made } = await ram("CreateAccessKey");
  await fails("LimitExceeded.User.AccessKey", ram("CreateAccessKey"));
  const key = { accessKeyId: made.AccessKeyId, accessKeySecret: made.AccessKeySecret };
  equal((await ram("ListAccessKeys", {}, key)).AccessKeys.AccessKey.length, 2);
  await ram("UpdateAccessKey", { UserAccessKeyId: made.AccessKeyId, Status: "Inactive" });
  await fails("InvalidAccessKeyId.Inactive", ram("ListAccessKeys", {}, key));
  await ram("DeleteAccessKey", { UserAccessKeyId: made.AccessKeyId });
  await fails("InvalidAccessKeyId.NotFound", ram("ListAccessKeys", {}, key));
});
