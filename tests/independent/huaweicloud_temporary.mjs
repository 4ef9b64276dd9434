// Temporary keys and tokens of Huawei Cloud's own Node.js clients against the simulated IAM, ECS and COC APIs.
//
// Environment: ENDPOINT, IAM_ENDPOINT and COC_ENDPOINT (http://host:port), ACCESS_KEY, SECRET_KEY, PROJECT_ID, ACCOUNT (the account's
// id) and DOMAIN (its name), USERNAME and PASSWORD, REGION, AGENCY (its name), LINUX (a server).
//
// There is no client of COC for Node.js: the one of ECS sends its requests, which its signature then covers.

import core from "@huaweicloud/huaweicloud-sdk-core";
import ecs from "@huaweicloud/huaweicloud-sdk-ecs/v2/public-api.js";
import iam from "@huaweicloud/huaweicloud-sdk-iam/v3/public-api.js";
import log4js from "log4js";
import { environment, fails, test } from "./tap.mjs";

const { ENDPOINT, IAM_ENDPOINT, COC_ENDPOINT, ACCESS_KEY, SECRET_KEY, PROJECT_ID, ACCOUNT, DOMAIN, USERNAME, PASSWORD, REGION, AGENCY,
  LINUX } = environment("ENDPOINT", "IAM_ENDPOINT", "COC_ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "PROJECT_ID", "ACCOUNT", "DOMAIN",
  "USERNAME", "PASSWORD", "REGION", "AGENCY", "LINUX");

log4js.configure({ appenders: { none: { type: "stderr" } }, categories: { default: { appenders: ["none"], level: "off" } } });

function expect(what, got, wanted) {
  if (got !== wanted) throw new Error(`${what} is ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

const global = new core.GlobalCredentials().withAk(ACCESS_KEY).withSk(SECRET_KEY).withDomainId(ACCOUNT);
const identity = iam.IamClient.newBuilder().withCredential(global).withEndpoint(IAM_ENDPOINT).build();

/** servers lists the ids of the servers that a key sees. */
async function servers(access, secret, token) {
  const credentials = new core.BasicCredentials().withAk(access).withSk(secret).withSecurityToken(token).withProjectId(PROJECT_ID);
  const client = ecs.EcsClient.newBuilder().withCredential(credentials).withEndpoint(ENDPOINT).build();
  return (await client.novaListServersDetails(new ecs.NovaListServersDetailsRequest())).servers.map((server) => server.id);
}

async function seesLinux({ access, secret, securitytoken }) {
  if (!(await servers(access, secret, securitytoken)).includes(LINUX)) throw new Error(`${LINUX} is not listed`);
}

function assume(agency, seconds) {
  const role = new iam.IdentityAssumerole(agency).withDomainName(DOMAIN);
  if (seconds !== undefined) role.withDurationSeconds(seconds);
  const body = new iam.CreateTemporaryAccessKeyByAgencyRequestBody(
    new iam.AgencyAuth(new iam.AgencyAuthIdentity([iam.AgencyAuthIdentityMethodsEnum.ASSUME_ROLE], role)));
  return identity.createTemporaryAccessKeyByAgency(new iam.CreateTemporaryAccessKeyByAgencyRequest().withBody(body));
}

let key;

await test("an agency gives a temporary key, which works with its token", async () => {
  key = (await assume(AGENCY, 3600)).credential;
  const left = Date.parse(key.expires_at) - Date.now();
  if (!(left > 59 * 60_000 && left < 61 * 60_000)) throw new Error(`it ends in ${left} ms: ${key.expires_at}`);
  await seesLinux(key);
});

await test("a temporary key without its token is refused", () => fails("APIGW.0301", servers(key.access, key.secret)));

await test("a temporary key with another token is refused", () => fails("APIGW.0301", servers(key.access, key.secret, `${key.securitytoken}0`)));

await test("a lasting key with a token is refused", () => fails("APIGW.0301", servers(ACCESS_KEY, SECRET_KEY, key.securitytoken)));

await test("an unknown agency is refused", () => fails("IAM.0002", assume("nobody")));

await test("a duration under 15 minutes is refused", () => fails("IAM.0011", assume(AGENCY, 899)));

await test("a user's token gives a temporary key", async () => {
  const token = await identity.keystoneCreateUserTokenByPassword(new iam.KeystoneCreateUserTokenByPasswordRequest().withBody(
    new iam.KeystoneCreateUserTokenByPasswordRequestBody(new iam.PwdAuth(new iam.PwdIdentity(
      [iam.PwdIdentityMethodsEnum.PASSWORD],
      new iam.PwdPassword(new iam.PwdPasswordUser(new iam.PwdPasswordUserDomain(DOMAIN), USERNAME, PASSWORD)),
    )).withScope(new iam.AuthScope().withProject(new iam.AuthScopeProject().withId(PROJECT_ID))))));
  const id = token["X-Subject-Token"];
  if (!id) throw new Error(`no token in ${JSON.stringify(token)}`);
  const body = new iam.CreateTemporaryAccessKeyByTokenRequestBody(new iam.TokenAuth(
    new iam.TokenAuthIdentity([iam.TokenAuthIdentityMethodsEnum.TOKEN]).withToken(new iam.IdentityToken().withId(id))));
  const made = await identity.createTemporaryAccessKeyByToken(new iam.CreateTemporaryAccessKeyByTokenRequest().withBody(body));
  await seesLinux(made.credential);
});

/** coc sends a request to COC with a temporary key. */
async function coc(method, url, { query = {}, body } = {}) {
  const credentials = new core.BasicCredentials().withAk(key.access).withSk(key.secret).withSecurityToken(key.securitytoken)
    .withProjectId(PROJECT_ID);
  const client = ecs.EcsClient.newBuilder().withCredential(credentials).withEndpoint(COC_ENDPOINT).build();
  const headers = { "X-Language": "en-us" };
  if (body) headers["Content-Type"] = "application/json;charset=UTF-8";
  const options = { method, url, contentType: "application/json", queryParams: query, pathParams: {}, headers, data: body ?? {} };
  if (!body) delete options.contentType;
  return (await client.hcClient.sendRequest(options)).data;
}

const script = {
  name: "independent_1", description: "a check", type: "SHELL", content: 'echo "${word}"', properties: { risk_level: "LOW", version: "1.0.0" },
  script_params: [{ param_name: "word", param_value: "x", param_description: "", param_order: 1, sensitive: true }],
};
let uuid;

await test("a script is made, found by its name and shown", async () => {
  uuid = await coc("POST", "/v1/job/scripts", { body: script });
  const { total, data } = await coc("GET", "/v1/job/scripts", { query: { limit: 10, name_like: "independent" } });
  expect("total", total, 1);
  expect("id", data[0].script_uuid, uuid);
  expect("content", (await coc("GET", `/v1/job/scripts/${uuid}`)).content, script.content);
});

await test("a script of the same name is refused", () => fails("COC.00040601", coc("POST", "/v1/job/scripts", { body: script })));

await test("a script is run and its order is shown", async () => {
  const order = await coc("POST", `/v1/job/scripts/${uuid}`, { body: {
    execute_param: { timeout: 120, success_rate: 100, execute_user: "root", script_params: [{ param_name: "word", param_value: "YQ==" }] },
    execute_batches: [{ batch_index: 1, rotation_strategy: "CONTINUE", target_instances: [{ resource_id: LINUX, region_id: REGION }] }],
  } });
  const batch = await coc("GET", `/v1/job/script/orders/${order}/batches/1`, { query: { limit: 10 } });
  expect("server", batch.execute_instances[0].target_instance.resource_id, LINUX);
  const { data } = await coc("GET", "/v1/job/script/orders", { query: { limit: 1 } });
  expect("newest order", data[0].execute_uuid, order);
});

await test("a script is deleted", async () => expect("id", await coc("DELETE", `/v1/job/scripts/${uuid}`), uuid));
