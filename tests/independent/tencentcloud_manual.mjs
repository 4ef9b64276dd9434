// A client of Tencent Cloud written from its manual, without an SDK, against the simulated CVM, STS and CAM: what it can
// do wrong that no SDK does, and how the cloud answers.
//
// Environment: ENDPOINT (http://host:port), SECRET_ID, SECRET_KEY, REGION, INSTANCE (a Linux server), ROLE_ARN, EXTERNAL_ID.

import { createHash, createHmac, randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { environment, fails, test } from "./tap.mjs";

const { ENDPOINT, SECRET_ID, SECRET_KEY, REGION, INSTANCE, ROLE_ARN, EXTERNAL_ID } = environment(
  "ENDPOINT", "SECRET_ID", "SECRET_KEY", "REGION", "INSTANCE", "ROLE_ARN", "EXTERNAL_ID");
const { host } = new URL(ENDPOINT);
const versions = { cvm: "2017-03-12", sts: "2018-08-13", cam: "2019-01-16" };
const own = { id: SECRET_ID, secret: SECRET_KEY };

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const hmac = (algorithm, key, text) => createHmac(algorithm, key).update(text);
const now = () => Math.floor(Date.now() / 1000);

async function answer(path, options) {
  const response = await fetch(`${ENDPOINT}${path}`, options);
  const { Response } = await response.json();
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`);
  if (!/^[0-9a-f-]{36}$/i.test(Response.RequestId)) throw new Error(`RequestId ${Response.RequestId}`);
  if (Response.Error) throw Object.assign(new Error(Response.Error.Message), { code: Response.Error.Code });
  return Response;
}

/** v3 makes a request as the manual's page on Signature v3 says; change alters it before, spoil after it is signed. */
function v3(service, action, params, { keys = own, method = "POST", change = {}, spoil = {} } = {}) {
  const get = method === "GET";
  const query = get ? new URLSearchParams(params).toString() : "";
  const body = get ? "" : typeof params === "string" ? params : JSON.stringify(params);
  const headers = {
    "content-type": get ? "application/x-www-form-urlencoded" : "application/json; charset=utf-8",
    "x-tc-action": action, "x-tc-version": versions[service], "x-tc-region": REGION, "x-tc-timestamp": String(now()), "x-tc-language": "en-US",
    ...(keys.token ? { "x-tc-token": keys.token } : {}), ...change,
  };
  const signed = ["content-type", "host", "x-tc-action"];
  const canonical = [method, "/", query, ...signed.map((name) => `${name}:${(name === "host" ? host : headers[name]).toLowerCase()}`), "",
    signed.join(";"), sha256(body)].join("\n");
  const date = new Date(headers["x-tc-timestamp"] * 1000).toISOString().slice(0, 10);
  const scope = `${date}/${service}/tc3_request`;
  const key = [date, service, "tc3_request"].reduce((k, text) => hmac("sha256", k, text).digest(), `TC3${keys.secret}`);
  const signature = hmac("sha256", key, ["TC3-HMAC-SHA256", headers["x-tc-timestamp"], scope, sha256(canonical)].join("\n")).digest("hex");
  headers.authorization = `TC3-HMAC-SHA256 Credential=${keys.id}/${scope}, SignedHeaders=${signed.join(";")}, Signature=${signature}`;
  Object.assign(headers, spoil);
  for (const name of Object.keys(headers)) if (headers[name] === null) delete headers[name];
  return answer(get ? `/?${query}` : "/", { method, headers, ...(get ? {} : { body }) });
}

/** v1 makes a request as the page on Signature v1 says. */
function v1(service, action, params, { keys = own, method = "GET", algorithm = "HmacSHA1", change = {} } = {}) {
  const all = {
    Action: action, Version: versions[service], Region: REGION, Timestamp: now(), Nonce: randomInt(1, 1 << 30), SecretId: keys.id, Language: "en-US",
    SignatureMethod: algorithm, ...(keys.token ? { Token: keys.token } : {}), ...params, ...change,
  };
  for (const name of Object.keys(all)) if (all[name] === null) delete all[name];
  const text = Object.keys(all).sort().map((name) => `${name}=${all[name]}`).join("&");
  all.Signature = hmac(algorithm === "HmacSHA256" ? "sha256" : "sha1", keys.secret, `${method}${host}/?${text}`).digest("base64");
  const form = new URLSearchParams(all).toString();
  return method === "GET" ? answer(`/?${form}`, { method })
    : answer("/", { method, headers: { "content-type": "application/x-www-form-urlencoded" }, body: form });
}

const one = async (found) => {
  const { TotalCount, InstanceSet } = await found;
  if (TotalCount !== 1 || InstanceSet[0].InstanceId !== INSTANCE) throw new Error(`found ${JSON.stringify(InstanceSet)}`);
};
const says = async (code, words, call) => {
  await fails(code, call.catch((error) => {
    if (!error.message.includes(words)) throw new Error(`${error.code} says ${error.message}, not ${words}`);
    throw error;
  }));
};
const flat = { "InstanceIds.0": INSTANCE, Limit: 1 };
const list = { InstanceIds: [INSTANCE], Limit: 1 };
const describe = (how) => v3("cvm", "DescribeInstances", list, how);

await test("Signature v3, JSON", () => one(describe()));
await test("Signature v3, query", () => one(v3("cvm", "DescribeInstances", flat, { method: "GET" })));
await test("Signature v1, query", () => one(v1("cvm", "DescribeInstances", flat)));
await test("Signature v1, form", () => one(v1("cvm", "DescribeInstances", flat, { method: "POST", algorithm: "HmacSHA256" })));
await pause(1000); // ten requests a second

await test("four minutes off is accepted", () => one(describe({ change: { "x-tc-timestamp": String(now() - 240) } })));
for (const off of [-360, 360]) {
  await test(`${off} seconds off is refused`, () => fails("AuthFailure.SignatureExpire", describe({ change: { "x-tc-timestamp": String(now() + off) } })));
  await test(`${off} seconds off is refused in v1`, () => fails("AuthFailure.SignatureExpire", v1("cvm", "DescribeInstances", flat, { change: { Timestamp: now() + off } })));
}
for (const [name, parameter] of [["x-tc-timestamp", "Timestamp"], ["x-tc-action", "Action"], ["x-tc-version", "Version"]]) {
  await test(`without ${name}`, () => says("MissingParameter", `\`${parameter}\``, describe({ spoil: { [name]: null } })));
}
for (const name of ["Timestamp", "Nonce", "SecretId", "Action", "Version"]) {
  await test(`without ${name} in v1`, () => says("MissingParameter", `\`${name}\``, v1("cvm", "DescribeInstances", flat, { change: { [name]: null } })));
}
await test("without a region", () => says("MissingParameter", "`Region`", describe({ spoil: { "x-tc-region": null } })));
await test("another region", () => fails("UnsupportedRegion", describe({ spoil: { "x-tc-region": "ap-nowhere" } })));
await test("no region at all", () => fails("InvalidParameterValue", describe({ spoil: { "x-tc-region": "somewhere else" } })));
await test("without a signature", () => fails("AuthFailure.InvalidAuthorization", describe({ spoil: { authorization: null } })));
await test("signed for another service", () => says("AuthFailure.InvalidAuthorization", "`Service` in Credential not valid",
  v3("sts", "DescribeInstances", list, { change: { "x-tc-version": versions.cvm } })));
await test("another action than the signed one", () => fails("AuthFailure.SignatureFailure", describe({ spoil: { "x-tc-action": "RunInstances" } })));
await test("an unknown action", () => fails("InvalidAction", v3("cvm", "DescribeNothing", {})));
await test("an unknown version", () => fails("NoSuchVersion", describe({ spoil: { "x-tc-version": "2000-01-01" } })));
await pause(1000);

await test("a number as text", () => says("InvalidParameter", "The value type of parameter `Limit` is not valid.", v3("cvm", "DescribeInstances", { Limit: "1" })));
await test("a text as list", () => says("InvalidParameter", "`InstanceIds`", v3("cvm", "DescribeInstances", { InstanceIds: INSTANCE })));
await test("an unknown parameter", () => says("UnknownParameter", "The parameter `InstanceId` is not recognized.", v3("cvm", "DescribeInstances", { InstanceId: INSTANCE })));
await test("an unknown parameter in v1", () => says("UnknownParameter", "`InstanceId`", v1("cvm", "DescribeInstances", { InstanceId: INSTANCE })));
await test("no JSON", () => fails("InvalidParameter", v3("cvm", "DescribeInstances", "InstanceIds")));
await test("eleven filters", () => fails("InvalidFilterValue.LimitExceeded",
  v3("cvm", "DescribeInstances", { Filters: Array(11).fill({ Name: "instance-id", Values: [INSTANCE] }) })));
await test("six values", () => fails("InvalidFilterValue.LimitExceeded",
  v3("cvm", "DescribeInstances", { Filters: [{ Name: "instance-id", Values: Array(6).fill(INSTANCE) }] })));
await test("a page of 101", () => fails("InvalidParameterValue", v3("cvm", "DescribeInstances", { Limit: 101 })));
await pause(1000);

await test("more than ten requests a second", async () => {
  let refused = [];
  for (let rounds = 0; rounds < 10 && refused.length === 0; rounds++) { // of a slow machine
    const all = await Promise.allSettled(Array.from({ length: 30 }, () => describe()));
    refused = all.filter(({ status }) => status === "rejected").map(({ reason }) => reason);
  }
  if (refused.length === 0) throw new Error("all were let through");
  for (const { code, message } of refused) if (code !== "RequestLimitExceeded") throw new Error(`${code}: ${message}`);
  await v3("sts", "GetCallerIdentity", {}); // another action is none of it
});
await pause(1000);

await test("a role's session signs with its token, and not without", async () => {
  const { Credentials, ExpiredTime } = await v3("sts", "AssumeRole", { RoleArn: ROLE_ARN, RoleSessionName: "manual", ExternalId: EXTERNAL_ID, DurationSeconds: 900 });
  if (Math.abs(ExpiredTime - now() - 900) > 60) throw new Error(`it ends at ${ExpiredTime}`);
  const keys = { id: Credentials.TmpSecretId, secret: Credentials.TmpSecretKey, token: Credentials.Token };
  const { Type, UserId } = await v3("sts", "GetCallerIdentity", {}, { keys });
  if (Type !== "CAMRole" || !UserId.endsWith(":manual")) throw new Error(`${Type} ${UserId}`);
  await v1("sts", "GetCallerIdentity", {}, { keys });
  await fails("AuthFailure.TokenFailure", v3("sts", "GetCallerIdentity", {}, { keys: { ...keys, token: undefined } }));
  await fails("AuthFailure.TokenFailure", v1("sts", "GetCallerIdentity", {}, { keys: { ...keys, token: "another" } }));
});

await test("a user has two access keys at most", async () => {
  const { AccessKey } = await v3("cam", "CreateAccessKey", { Description: "manual" });
  try {
    await fails("OperationDenied.AccessKeyOverLimit", v3("cam", "CreateAccessKey", {}));
    const { UserId } = await v3("sts", "GetCallerIdentity", {}, { keys: { id: AccessKey.AccessKeyId, secret: AccessKey.SecretAccessKey } });
    if (UserId !== (await v3("sts", "GetCallerIdentity", {})).UserId) throw new Error(`the key is that of ${UserId}`);
  } finally {
    await v3("cam", "UpdateAccessKey", { AccessKeyId: AccessKey.AccessKeyId, Status: "Inactive" });
    await v3("cam", "DeleteAccessKey", { AccessKeyId: AccessKey.AccessKeyId });
  }
  const { AccessKeys } = await v3("cam", "ListAccessKeys", {});
  if (AccessKeys.length !== 1 || AccessKeys[0].SecretAccessKey) throw new Error(JSON.stringify(AccessKeys));
});
