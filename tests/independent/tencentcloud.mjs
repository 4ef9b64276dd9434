// Tencent Cloud's own Node.js client against the simulated CVM API.
//
// Environment: ENDPOINT (http://host:port), SECRET_ID, SECRET_KEY, REGION, INSTANCE (a running Linux server).

import http from "node:http";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import tencentcloud from "tencentcloud-sdk-nodejs-cvm";
import { environment, fails, test } from "./tap.mjs";

const { ENDPOINT, SECRET_ID, SECRET_KEY, REGION, INSTANCE } = environment("ENDPOINT", "SECRET_ID", "SECRET_KEY", "REGION", "INSTANCE");
const { hostname, port } = new URL(ENDPOINT);

// The client signs for the service that the host's first label names, so the simulator has to be reached as "cvm.…".
// The name is resolved here, in the client: no system file is changed.
const agent = new http.Agent({
  lookup: (_name, options, done) => (options.all ? done(null, [{ address: hostname, family: 4 }]) : done(null, hostname, 4)),
});

function client(secretId, secretKey, signMethod = "TC3-HMAC-SHA256", reqMethod = "POST") {
  return new tencentcloud.cvm.v20170312.Client({
    credential: { secretId, secretKey },
    region: REGION,
    profile: { language: "en-US", signMethod, httpProfile: { protocol: "http://", endpoint: `cvm.localhost:${port}`, reqMethod, reqTimeout: 30, agent } },
  });
}

const cvm = client(SECRET_ID, SECRET_KEY);
const describe = async () => (await cvm.DescribeInstances({ InstanceIds: [INSTANCE] })).InstanceSet[0];
const reset = (more) => cvm.ResetInstancesPassword({ InstanceIds: [INSTANCE], Password: `Aa1-${randomBytes(8).toString("hex")}`, ...more });

await test("the right key is accepted", async () => {
  const found = await describe();
  if (found?.InstanceId !== INSTANCE) throw new Error(`found ${JSON.stringify(found)}`);
});

await test("a wrong secret is refused", () =>
  fails("AuthFailure.SignatureFailure", client(SECRET_ID, `${SECRET_KEY}x`).DescribeInstances({})));

await test("an unknown secret id is refused", () =>
  fails("AuthFailure.SecretIdNotFound", client(`AKID${"0".repeat(32)}`, SECRET_KEY).DescribeInstances({})));

for (const signMethod of ["TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256"]) {
  for (const reqMethod of ["GET", "POST"]) {
    const list = { Filters: [{ Name: "instance-id", Values: [INSTANCE] }, { Name: "zone", Values: [`${REGION}-1`, `${REGION}-2`] }], Limit: 1 };
    await test(`a ${reqMethod} with ${signMethod} is accepted`, async () => {
      const { TotalCount, InstanceSet } = await client(SECRET_ID, SECRET_KEY, signMethod, reqMethod).DescribeInstances(list);
      if (TotalCount !== 1 || InstanceSet[0].InstanceId !== INSTANCE) throw new Error(`found ${JSON.stringify(InstanceSet)}`);
    });
    await test(`a ${reqMethod} with ${signMethod} and a wrong secret is refused`, () =>
      fails("AuthFailure.SignatureFailure", client(SECRET_ID, `${SECRET_KEY}x`, signMethod, reqMethod).DescribeInstances(list)));
    await pause(250); // less than ten requests a second
  }
}

await test("a reset of a running server needs ForceStop", () =>
  fails("UnsupportedOperation.InstanceStateRunning", reset({ ForceStop: false })));

await test("a weak password is refused", () =>
  fails(/^InvalidParameterValue\.InvalidPassword$|^InvalidPassword$/, reset({ Password: "password", ForceStop: true })));

await test("more than 100 ids are refused", () =>
  fails(/^InvalidParameterValue/, reset({ InstanceIds: Array(101).fill(INSTANCE), ForceStop: true })));

await test("a malformed id is refused", () =>
  fails(/Malformed$/, reset({ InstanceIds: ["no-instance"], ForceStop: true })));

await test("one unknown id among known ones refuses them all", async () => {
  await fails("InvalidInstanceId.NotFound", reset({ InstanceIds: [INSTANCE, "ins-00000000"], ForceStop: true }));
  if ((await describe()).LatestOperation !== null) throw new Error("the known one has been reset");
});

await test("an unknown id is refused", () =>
  fails("InvalidInstanceId.NotFound", reset({ InstanceIds: ["ins-00000000"], ForceStop: true })));

await test("a reset ends with success under its own request id", async () => {
  const { RequestId } = await reset({ ForceStop: true });
  for (let tries = 0; tries < 120; tries++) {
    const { LatestOperationRequestId, LatestOperationState } = await describe();
    if (LatestOperationRequestId === RequestId && LatestOperationState === "SUCCESS") return;
    await pause(250);
  }
  throw new Error(`request ${RequestId} did not end with success: ${JSON.stringify(await describe())}`);
});
