// Azure's own Node.js clients against the simulated login service and Azure Resource Manager, which they take over TLS only:
// signing in, virtual machines in pages, and managed run commands from their making to their end.
//
// Environment: ARM and LOGIN (https://host:port), NODE_EXTRA_CA_CERTS (the certificate to trust there), TENANT, CLIENT,
// SECRET, SUBSCRIPTION, REGION, LINUX and WINDOWS (ids of the servers linux-1 and windows-1 in the resource group demo),
// LINUX_SSH (the first one's SSH address), ADMIN (the simulator's control API), SCRIPTS (the folder with the scripts),
// CLOUDSIM_LOGIN (the command that tries a password).

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ComputeManagementClient } from "@azure/arm-compute";
import { ClientSecretCredential, WorkloadIdentityCredential } from "@azure/identity";
import { environment, fails, test } from "./tap.mjs";

const { ARM, LOGIN, TENANT, CLIENT, SECRET, SUBSCRIPTION, REGION, LINUX, WINDOWS, LINUX_SSH, ADMIN, SCRIPTS, CLOUDSIM_LOGIN } =
  environment("ARM", "LOGIN", "NODE_EXTRA_CA_CERTS", "TENANT", "CLIENT", "SECRET", "SUBSCRIPTION", "REGION", "LINUX", "WINDOWS",
    "LINUX_SSH", "ADMIN", "SCRIPTS", "CLOUDSIM_LOGIN");

// The library would ask login.microsoftonline.com whether the authority is one of Microsoft's.
const authority = { authorityHost: LOGIN, disableInstanceDiscovery: true, retryOptions: { maxRetries: 0 } };
const client = (credential, subscription = SUBSCRIPTION) =>
  new ComputeManagementClient(credential, subscription, { endpoint: ARM, retryOptions: { maxRetries: 0 } });
const secret = (tenant, id, value) => new ClientSecretCredential(tenant, id, value, authority);
const mine = client(secret(TENANT, CLIENT, SECRET));
const commands = mine.virtualMachineRunCommands;
const group = "demo";
const often = { updateIntervalInMs: 50 };

async function admin(method, path, body) {
  const answer = await fetch(`${ADMIN}/v1/${path}`, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

const add = (resource_group, name) =>
  admin("POST", "servers", { cloud: "azure", account_id: SUBSCRIPTION, region: REGION, resource_group, name });

// refill gives the limits their tokens back: three minutes for twelve requests to change one server.
const refill = () => admin("POST", "advance", { duration: "3m" });

async function all(pages) {
  const list = [];
  for await (const one of pages) list.push(one);
  return list;
}

function equal(got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

// refuses requires that no token is given, with that in the message.
async function refuses(reason, call) {
  try {
    await call;
  } catch (error) {
    if (error.message.includes(reason)) return;
    throw new Error(`wanted ${reason}, got: ${error.message}`);
  }
  throw new Error(`wanted ${reason}, got a token`);
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

// linux is cloudpw's Linux script as it is for Azure: the hash, which OpenSSL made, comes as a variable, and the script proves
// first that it came whole. The hash's salt begins with the value's order, ten digits that grow from run to run.
function linux(user, password) {
  const now = Math.floor(Date.now() / 1000);
  const salt = `${now}${randomBytes(3).toString("hex")}`;
  const { status, stdout } = program("openssl", ["passwd", "-6", "-salt", `rounds=20000$${salt}`, "-stdin"], password);
  if (status !== 0) throw new Error("openssl passwd failed");
  const hash = stdout.trim();
  const wanted = `'${hash.length}/$6$rounds=20000$${salt}$'*`;
  const guard = [
    "hash=${CLOUDPW_SEALED-}",
    `case \${#hash}/$hash in ${wanted}) ;; *) printf 'cloudpw: exit 79 the value did not arrive\\n'; exit 79 ;; esac`,
  ].join("\n");
  const script = readFileSync(join(SCRIPTS, "linux.sh"), "utf8").replace("hash='@HASH@'", () => guard).replace("@USERNAME@", user)
    .replace("@ORDER@", `${now}`).replace("@NOTAFTER@", `${now + 600}`);
  return { source: { script }, protectedParameters: [{ name: "CLOUDPW_SEALED", value: hash }] };
}

const settings = { location: REGION, asyncExecution: false, treatFailureAsDeploymentFailure: false, timeoutInSeconds: 120 };
const echo = (words) => ({ source: { script: `echo ${words}` } });
const start = (vm, name, what) => commands.createOrUpdate(group, vm, name, { ...settings, ...what }, often);
const look = (vm, name) => commands.getByVirtualMachine(group, vm, name, { expand: "instanceView" });
const remove = (vm, name) => commands.delete(group, vm, name, often).pollUntilDone();

// run makes a run command, waits for its operation's end, looks what became of it, and deletes it.
async function run(vm, name, what) {
  await start(vm, name, what).pollUntilDone();
  const { instanceView } = await look(vm, name);
  await remove(vm, name);
  return instanceView;
}

const nobody = "11111111-2222-3333-4444-555555555555";
const reads = (credential) => client(credential).virtualMachines.get(group, "linux-1");
await test("a wrong secret is refused", () => refuses("AADSTS7000215:", reads(secret(TENANT, CLIENT, `${SECRET}x`))));
await test("an unknown application is refused", () => refuses("AADSTS700016:", reads(secret(TENANT, nobody, SECRET))));
// The library keeps to itself what the service says of it.
await test("an unknown tenant is refused", () => refuses("endpoints_resolution_error", reads(secret(nobody, CLIENT, SECRET))));
await test("another resource than Azure's is refused", () =>
  refuses("AADSTS500011:", secret(TENANT, CLIENT, SECRET).getToken("https://vault.example/.default")));

await test("another issuer's token signs in once it is trusted", async () => {
  const dir = mkdtempSync(join(tmpdir(), "azure-"));
  try {
    const tokenFilePath = join(dir, "token");
    const says = { iss: "https://cluster.example", sub: "system:serviceaccount:vault:vault" };
    writeFileSync(tokenFilePath, (await admin("POST", "assertions", says)).assertion);
    const pod = () => reads(new WorkloadIdentityCredential({ ...authority, tenantId: TENANT, clientId: CLIENT, tokenFilePath }));
    await refuses("AADSTS700211:", pod());
    await admin("POST", "federated-identities", { client_id: CLIENT, issuer: says.iss, subject: says.sub });
    equal((await pod()).vmId, LINUX);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
await test("a token that was revoked is refused", async () => {
  const other = client(secret(TENANT, CLIENT, SECRET));
  await other.virtualMachines.get(group, "linux-1");
  await admin("POST", "tokens/revoke", { cloud: "azure" });
  await fails("InvalidAuthenticationToken", other.virtualMachines.get(group, "linux-1"));
});

await test("a virtual machine, with how it is", async () => {
  const vm = await mine.virtualMachines.get(group, "Linux-1", { expand: "instanceView" });
  equal([vm.vmId, vm.location, vm.tags, vm.storageProfile.osDisk.osType], [LINUX, REGION, { app: "demo" }, "Linux"]);
  equal(vm.instanceView.vmAgent.statuses.map(({ displayStatus }) => displayStatus), ["Ready"]);
  equal(vm.instanceView.statuses.map(({ code }) => code), ["ProvisioningState/succeeded", "PowerState/running"]);
  equal((await mine.virtualMachines.get(group, "windows-1")).instanceView, undefined);
  equal((await mine.virtualMachines.instanceView(group, "windows-1")).statuses[1].code, "PowerState/running");
});
await test("virtual machines in pages", async () => {
  for (let n = 0; n < 60; n++) await add("pages", `page-${n}`);
  const sizes = [];
  for await (const page of mine.virtualMachines.listAll().byPage()) sizes.push(page.length);
  equal(sizes, [50, 12]);
  equal((await all(mine.virtualMachines.list("pages"))).length, 60);
  const machines = await all(mine.virtualMachines.listAll());
  equal(machines.find(({ name }) => name === "windows-1").vmId, WINDOWS);
});
await test("the states of virtual machines, in a list of their own", async () => {
  const [models, states] = [await all(mine.virtualMachines.listAll()), await all(mine.virtualMachines.listAll({ statusOnly: "true" }))];
  const power = new Map(states.map(({ id, instanceView }) => [id.toLowerCase(), instanceView.statuses.map(({ code }) => code)]));
  for (const { id } of models) {
    if (!power.get(id.toLowerCase())?.includes("PowerState/running")) throw new Error(`${id}: ${power.get(id.toLowerCase())}`);
  }
});

await test("cloudpw's script sets a password that logs in", async () => {
  const password = `Aa1-${randomBytes(8).toString("hex")}`;
  if (login("root", password)) throw new Error("it logs in before it is set");
  const view = await run("linux-1", "cloudpw-one", linux("root", password));
  equal([view.executionState, view.exitCode, view.executionMessage, view.error], ["Succeeded", 0, "Execution completed", ""]);
  if (!/^cloudpw: exit 0 password set$/m.test(view.output)) throw new Error(view.output);
  if (!(view.startTime <= view.endTime)) throw new Error(`${view.startTime} to ${view.endTime}`);
  if (!login("root", password)) throw new Error("it does not log in");
});
await test("cloudpw's script reports a user that does not exist", async () => {
  const view = await run("linux-1", "cloudpw-nobody", linux("nobody", "Aa1-whatever"));
  equal([view.executionState, view.exitCode], ["Failed", 82]);
});
await test("cloudpw's script notices a value that did not arrive", async () => {
  const view = await run("linux-1", "cloudpw-empty", { source: linux("root", "Aa1-whatever").source });
  equal([view.executionState, view.exitCode], ["Failed", 79]);
});
await test("a script on Windows", async () => {
  const script = readFileSync(join(SCRIPTS, "windows_prepare.ps1"), "utf8");
  const view = await run("windows-1", "cloudpw-prepare", { source: { script } });
  equal([view.executionState, view.exitCode], ["Succeeded", 0]);
  if (!view.output.includes("cloudpw")) throw new Error(view.output);
});

const shown = { ...echo("shown"), protectedParameters: [{ name: "SECRET", value: "whisper" }] };
await test("what is protected is never shown, and the view only when it is asked for", async () => {
  await refill();
  const made = await start("linux-1", "shown", shown).pollUntilDone();
  equal([made.provisioningState, made.source, made.timeoutInSeconds], ["Succeeded", { script: "echo shown" }, 120]);
  const [plain, viewed] = [await commands.getByVirtualMachine(group, "linux-1", "SHOWN"), await look("linux-1", "shown")];
  equal([plain.name, plain.instanceView, viewed.instanceView.output], ["shown", undefined, "shown\n"]);
  const listed = await all(commands.listByVirtualMachine(group, "linux-1", { expand: "instanceView" }));
  equal(listed.map(({ name, instanceView }) => [name, instanceView.exitCode]), [["shown", 0]]);
  if (JSON.stringify([made, plain, viewed, listed]).includes("whisper")) throw new Error("it is shown");
});
await test("a name runs again only with another content", async () => {
  const before = await look("linux-1", "shown");
  await start("linux-1", "shown", shown).pollUntilDone();
  equal((await look("linux-1", "shown")).instanceView, before.instanceView);
  await start("linux-1", "shown", echo("changed")).pollUntilDone();
  equal((await look("linux-1", "shown")).instanceView.output, "changed\n");
});
await test("a deleted command is gone, and its deletion can be repeated", async () => {
  await remove("linux-1", "shown");
  await fails("ResourceNotFound", look("linux-1", "shown"));
  await remove("linux-1", "shown");
  equal(await all(commands.listByVirtualMachine(group, "linux-1")), []);
});

await test("the limit for one virtual machine is refused, and says when to come again", async () => {
  await add(group, "full");
  for (let n = 0; n < 12; n++) await start("full", `full-${n}`, echo(`${n}`)).submitted();
  try {
    await start("full", "full-12", echo("12")).submitted();
  } catch (error) {
    equal([error.statusCode, error.code], [429, "OperationNotAllowed"]);
    if (!(Number(error.response.headers.get("retry-after")) > 0)) throw new Error("no Retry-After");
    return;
  }
  throw new Error("the thirteenth is accepted");
});
await test("twenty-five commands fit on one virtual machine", async () => {
  for (let n = 12; n < 25; n++) {
    if (n % 12 === 0) await refill();
    await start("full", `full-${n}`, echo(`${n}`)).submitted();
  }
  equal((await all(commands.listByVirtualMachine(group, "full"))).length, 25);
  try {
    await start("full", "full-25", echo("25")).submitted();
  } catch (error) {
    if (error.statusCode < 500 && error.message.includes("(max=25, current=25)")) return;
    throw error;
  }
  throw new Error("one more is accepted");
});

await test("a virtual machine that is stopped is refused", async () => {
  await refill();
  await start("windows-1", "kept", echo("kept")).pollUntilDone();
  await admin("POST", `servers/${WINDOWS}/stop`);
  await refill();
  equal((await mine.virtualMachines.instanceView(group, "windows-1")).statuses[1].code.startsWith("PowerState/running"), false);
  await fails("OperationNotAllowed", start("windows-1", "late", echo("late")).submitted());
  await fails("OperationNotAllowed", remove("windows-1", "kept"));
  await admin("POST", `servers/${WINDOWS}/start`);
  await refill();
  await remove("windows-1", "kept");
});
for (const [name, code, call] of [
  ["an unknown virtual machine", "ResourceNotFound", () => mine.virtualMachines.get(group, "nobody")],
  ["a command of an unknown virtual machine", "ParentResourceNotFound", () => start("nobody", "x", echo("x")).submitted()],
  ["an unknown resource group", "ResourceGroupNotFound", () => mine.virtualMachines.get("nobody", "linux-1")],
  ["an unknown command", "ResourceNotFound", () => look("linux-1", "nobody")],
  ["another region", "InvalidParameter", () => start("linux-1", "x", { ...echo("x"), location: "northeurope" }).submitted()],
  ["an unknown subscription", "SubscriptionNotFound", () =>
    all(client(secret(TENANT, CLIENT, SECRET), nobody).virtualMachines.listAll())],
]) {
  await test(`${name} is refused`, () => fails(code, call()));
}
await test("an action that no role allows is refused", async () => {
  const path = `access-keys/azure/${CLIENT}`;
  await admin("PUT", path, { deny: ["arm:Microsoft.Compute/virtualMachines/runCommands/write"] });
  try {
    await fails("AuthorizationFailed", start("linux-1", "denied", echo("x")).submitted());
    await fails("AuthorizationFailed", start("nobody", "denied", echo("x")).submitted());
  } finally {
    await admin("PUT", path, { deny: [] });
  }
});
