// Huawei Cloud's own Node.js client against the simulated ECS and IAM APIs.
//
// Environment: ENDPOINT and IAM_ENDPOINT (http://host:port), ACCESS_KEY, SECRET_KEY, PROJECT_ID, REGION (the project's
// name), WINDOWS (a server whose initial password is there) with WINDOWS_SSH (its SSH address) and PRIVATE_KEY (PEM of
// its launch key pair), LINUX (a server without an initial password), CLOUDSIM_LOGIN (the command that tries a password).
// The cloud's copy of the initial password is deleted in the end.
//
// The client has no method for os-server-password below /v2.1, so it reads the password below /v1.

import { spawnSync } from "node:child_process";
import { constants, privateDecrypt } from "node:crypto";
import core from "@huaweicloud/huaweicloud-sdk-core";
import ecs from "@huaweicloud/huaweicloud-sdk-ecs/v2/public-api.js";
import log4js from "log4js";
import { environment, fails, test } from "./tap.mjs";

const { ENDPOINT, IAM_ENDPOINT, ACCESS_KEY, SECRET_KEY, PROJECT_ID, REGION, WINDOWS, WINDOWS_SSH, LINUX, PRIVATE_KEY, CLOUDSIM_LOGIN } =
  environment("ENDPOINT", "IAM_ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "PROJECT_ID", "REGION", "WINDOWS", "WINDOWS_SSH", "LINUX",
    "PRIVATE_KEY", "CLOUDSIM_LOGIN");

// The client prints each refused request in full; here refusals are what is asked for.
log4js.configure({ appenders: { none: { type: "stderr" } }, categories: { default: { appenders: ["none"], level: "off" } } });

function client(accessKey, secretKey, project) {
  const credentials = new core.BasicCredentials().withAk(accessKey).withSk(secretKey).withProjectId(project);
  return ecs.EcsClient.newBuilder().withCredential(credentials).withEndpoint(ENDPOINT).build();
}

const right = client(ACCESS_KEY, SECRET_KEY, PROJECT_ID);
const show = (by, id) => by.showServerPassword(new ecs.ShowServerPasswordRequest(id));
const missing = "00000000-0000-4000-8000-000000000000";

/** decrypt undoes RSA PKCS#1 v1.5 by hand: Node.js 20 no longer does it for private keys. */
function decrypt(ciphertext) {
  const block = privateDecrypt({ key: PRIVATE_KEY, padding: constants.RSA_NO_PADDING }, Buffer.from(ciphertext, "base64"));
  const end = block.indexOf(0, 2);
  if (block[0] !== 0 || block[1] !== 2 || end < 10) throw new Error("no PKCS#1 v1.5 block: another key, or no ciphertext");
  return block.subarray(end + 1).toString();
}

/** login tries a password over SSH and returns the exit status: 0 accepted, 1 refused. */
function login(password) {
  const [command, ...args] = CLOUDSIM_LOGIN.split(" ");
  const { status, error } = spawnSync(command, [...args, WINDOWS_SSH, "Administrator"], { input: password, timeout: 30_000 });
  if (error) throw error;
  return status;
}

function expect(what, got, wanted) {
  if (got !== wanted) throw new Error(`${what} is ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

await test("the right key is accepted and lists servers below /v2.1", async () => {
  const request = new ecs.NovaListServersDetailsRequest();
  request.limit = 100;
  const { servers } = await right.novaListServersDetails(request);
  const found = servers.find((server) => server.id === WINDOWS);
  expect("status", found?.status, "ACTIVE");
  expect("os_type", found?.metadata?.os_type, "Windows");
});

await test("a query with characters to encode keeps its signature", async () => {
  const request = new ecs.NovaListServersDetailsRequest();
  request.name = "no such/server & more";
  const { servers } = await right.novaListServersDetails(request);
  expect("number of servers", servers.length, 0);
});

await test("one server is shown below /v2.1", async () => {
  const { server } = await right.novaShowServer(new ecs.NovaShowServerRequest(WINDOWS));
  expect("id", server?.id, WINDOWS);
});

await test("servers are listed below /v1", async () => {
  const { count, servers } = await right.listServersDetails(new ecs.ListServersDetailsRequest());
  if (!(count >= 1) || !servers.some((server) => server.id === WINDOWS)) throw new Error(`${count} servers without ${WINDOWS}`);
});

await test("the reset plug-in is reported", async () => {
  const answer = await right.showResetPasswordFlag(new ecs.ShowResetPasswordFlagRequest(WINDOWS));
  expect("flag", answer.resetpwd_flag, "True");
});

await test("the initial password decrypts with the launch key pair and logs in", async () => {
  const password = decrypt((await show(right, WINDOWS)).password);
  expect("login with the password", login(password), 0);
  expect("login with another one", login(`${password}-wrong`), 1);
});

await test("a Linux server has an empty password", async () => {
  expect("password", (await show(right, LINUX)).password, "");
});

await test("a wrong secret key is refused", () => fails("APIGW.0301", show(client(ACCESS_KEY, `${SECRET_KEY}x`, PROJECT_ID), WINDOWS)));

await test("an unknown access key is refused", () => fails("APIGW.0301", show(client("NOBODY", SECRET_KEY, PROJECT_ID), WINDOWS)));

await test("another project is refused", () => fails("Ecs.0110", show(client(ACCESS_KEY, SECRET_KEY, "0".repeat(32)), WINDOWS)));

await test("an unknown server is refused", () => fails("Ecs.0114", show(right, missing)));

await test("a deleted password reads as empty", async () => {
  await right.deleteServerPassword(new ecs.DeleteServerPasswordRequest(WINDOWS));
  expect("password", (await show(right, WINDOWS)).password, "");
});

await test("the project is found by the region's name", async () => {
  const credentials = new core.BasicCredentials().withAk(ACCESS_KEY).withSk(SECRET_KEY).withIamEndpoint(IAM_ENDPOINT);
  const region = { id: REGION, endpoint: ENDPOINT, endpoints: [ENDPOINT] };
  const found = ecs.EcsClient.newBuilder().withCredential(credentials).withRegion(region).build();
  const { server } = await found.novaShowServer(new ecs.NovaShowServerRequest(WINDOWS));
  expect("id", server?.id, WINDOWS);
});
