// Tencent Cloud's own Node.js client, in its form for any service, against the simulated TAT API. It sends cloudpw's
// Linux script with a hash that OpenSSL made.
//
// Environment: ENDPOINT (http://host:port), SECRET_ID, SECRET_KEY, REGION, INSTANCE (a running Linux server), SSH (its
// SSH address), SCRIPTS (the folder with the scripts), CLOUDSIM_LOGIN (the command that tries a password).

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import sdk from "tencentcloud-sdk-nodejs-common";
import { environment, fails, test } from "./tap.mjs";

const { ENDPOINT, SECRET_ID, SECRET_KEY, REGION, INSTANCE, SSH, SCRIPTS, CLOUDSIM_LOGIN } = environment(
  "ENDPOINT", "SECRET_ID", "SECRET_KEY", "REGION", "INSTANCE", "SSH", "SCRIPTS", "CLOUDSIM_LOGIN");
const { hostname, port } = new URL(ENDPOINT);

// As for CVM: the client signs for the service that the host's first label names.
const agent = new http.Agent({
  lookup: (_name, options, done) => (options.all ? done(null, [{ address: hostname, family: 4 }]) : done(null, hostname, 4)),
});

function client(secretId, secretKey) {
  return new sdk.CommonClient("tat.localhost", "2020-10-28", {
    credential: { secretId, secretKey },
    region: REGION,
    profile: { language: "en-US", httpProfile: { protocol: "http://", endpoint: `tat.localhost:${port}`, reqTimeout: 30, agent } },
  });
}

const tat = client(SECRET_ID, SECRET_KEY);
const base64 = (text) => Buffer.from(text).toString("base64");

function program(command, args, input) {
  const { status, stdout, error } = spawnSync(command, args, { input, encoding: "utf8", timeout: 30_000 });
  if (error) throw error;
  return { status, stdout };
}

function script(user, password) {
  const { status, stdout } = program("openssl", ["passwd", "-6", "-stdin"], password);
  if (status !== 0) throw new Error("openssl passwd failed");
  const now = Math.floor(Date.now() / 1000);
  return readFileSync(join(SCRIPTS, "linux.sh"), "utf8")
    .replace("@USERNAME@", user)
    .replace("@HASH@", () => stdout.trim())
    .replace("@ORDER@", now)
    .replace("@NOTAFTER@", now + 600);
}

async function run(text) {
  const { InvocationId } = await tat.request("RunCommand", { Content: base64(text), InstanceIds: [INSTANCE], CommandType: "SHELL", Timeout: 60 });
  for (let tries = 0; tries < 120; tries++) {
    const { InvocationTaskSet } = await tat.request("DescribeInvocationTasks", {
      Filters: [{ Name: "invocation-id", Values: [InvocationId] }], HideOutput: false,
    });
    const [task] = InvocationTaskSet;
    if (task && ["SUCCESS", "FAILED"].includes(task.TaskStatus)) return task;
    await pause(250);
  }
  throw new Error(`${InvocationId} did not end`);
}

function login(user, password) {
  const [command, ...args] = CLOUDSIM_LOGIN.split(" ");
  return program(command, [...args, SSH, user], password).status === 0;
}

await test("the right key is accepted", () => tat.request("DescribeInvocationTasks", {}));

await test("a wrong secret is refused", () =>
  fails("AuthFailure.SignatureFailure", client(SECRET_ID, `${SECRET_KEY}x`).request("DescribeInvocationTasks", {})));

await test("an unknown instance is refused", () =>
  fails("ResourceNotFound.InstanceNotFound", tat.request("RunCommand", { Content: base64("true"), InstanceIds: ["ins-00000000"] })));

await test("PowerShell is refused on Linux", () =>
  fails("InvalidParameterValue.AgentUnsupportedCommandType",
    tat.request("RunCommand", { Content: base64("exit"), InstanceIds: [INSTANCE], CommandType: "POWERSHELL" })));

await test("cloudpw's script sets a password that logs in", async () => {
  const password = `Aa1-${randomBytes(8).toString("hex")}`;
  if (login("root", password)) throw new Error("it logs in before it is set");
  const task = await run(script("root", password));
  if (task.TaskStatus !== "SUCCESS" || task.TaskResult.ExitCode !== 0) throw new Error(JSON.stringify(task));
  if (!login("root", password)) throw new Error("it does not log in");
});

await test("cloudpw's script reports a user that does not exist", async () => {
  const task = await run(script("nobody", "Aa1-whatever"));
  if (task.TaskStatus !== "FAILED" || task.TaskResult.ExitCode !== 82) throw new Error(JSON.stringify(task));
});
