// Calls of this console's own server. The page holds no token of Vault: the server does.
import { h, longText } from "./dom.js";

// Problem is an error with what the server says about it.
export class Problem extends Error {
  constructor(problem) {
    super(problem.title);
    this.problem = problem;
  }
}

let order = ""; // what a request needs that changes something

export function setOrder(key) {
  order = key;
}

async function call(method, path, body, signal) {
  let response;
  try {
    response = await fetch(path, {
      method, signal, credentials: "same-origin", cache: "no-store", redirect: "error",
      headers: body === undefined ? {} : { "Content-Type": "application/json", "X-Cloudpw-Order": order },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ kind: "ended", title: "The console does not answer.",
      advice: "If cloudpw console was ended, start it again and open its new link." });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(answer.problem ?? { kind: "bad", title: `The console answered with ${response.status}.` });
  return answer;
}

// get reads. Values that are empty are left out of the query.
export function get(path, query = {}, signal = undefined) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== undefined && value !== null && value !== false) parameters.set(name, value);
  }
  const text = parameters.toString();
  return call("GET", "api/" + path + (text ? "?" + text : ""), undefined, signal);
}

export function post(path, body = {}) {
  return call("POST", "api/" + path, body);
}

// opened exchanges a link's code for the path of a session.
export async function opened(code) {
  return (await call("POST", "/open", { code })).path;
}

// problemBox shows a problem: what is wrong, what Vault said, what is missing, and what to do.
export function problemBox(error) {
  const problem = error.problem ?? { title: "The page has failed.", messages: [String(error.message ?? error)] };
  const rules = (problem.needs ?? []).map((need) =>
    `path "${need.path}" {\n  capabilities = [${need.capabilities.map((one) => `"${one}"`).join(", ")}]\n}`);
  return h("section", { class: "problem", "data-kind": problem.kind },
    h("h2", null, problem.title),
    problem.messages?.length ? h("ul", null, problem.messages.map((one) => h("li", null, longText(one)))) : null,
    rules.length ? [h("p", null, "What is missing, as a rule of a Vault policy:"),
      h("pre", { tabindex: "0", role: "group", "aria-label": "rule of a policy" }, rules.map((rule) => h("code", null, linesOf(rule))))] : null,
    problem.advice ? h("p", null, problem.advice) : null);
}

function linesOf(text) {
  return text.split("\n").map((line) => h("span", { class: "line" }, line));
}
