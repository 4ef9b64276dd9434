// One account: what it is, what happened to it, and what can be done with it.
import { clean, h, longText, replace } from "./dom.js";
import { get, problemBox } from "./api.js";
import { addressOf, ago, parsed, reasonOf, stateOf, timeOf, when } from "./format.js";
import { orderButton, takeInto } from "./held.js";

const pollEvery = 3000; // milliseconds

export function serverView(frame, at) {
  const [connection, instance, username] = at.parts;
  const ended = new AbortController();
  const facts = h("div"), line = h("div"), result = h("div"), taken = h("div", { class: "taken" }), note = h("div"), actions = h("div", { class: "buttons" });
  const heading = h("h1", { tabindex: "-1", dir: "auto" }, instance);
  let stopTake = null, shown = "", role = null;
  replace(frame, h("p", null, h("a", { href: "#/fleet" }, "← Fleet")), heading, note, actions, taken, result, facts, line);

  async function load() {
    try {
      const answer = await get("account", { connection, instance_id: instance, username }, ended.signal);
      const text = JSON.stringify(answer);
      replace(note);
      if (text === shown) return;
      shown = text;
      paint(answer.account, answer.siblings ?? []);
    } catch (error) {
      if (error.name !== "AbortError") replace(note, problemBox(error));
    }
  }

  function paint(a, siblings) {
    replace(heading, a.instance_name || a.instance_id);
    document.title = `${clean(a.instance_name || a.instance_id).slice(0, 100)} – cloudpw console`;
    if (role !== a.role) makeActions(a);
    role = a.role;
    replace(facts, factsOf(a), siblingsOf(a, siblings));
    replace(line, h("h2", null, "Timeline"), timeline(a));
  }

  function makeActions(a) {
    if (!a.role) {
      replace(actions, h("p", { class: "faint" }, "No role has this account, so nobody can take its password."));
      return;
    }
    const take = h("button", { type: "button", class: "main", onclick: () => {
      stopTake?.();
      stopTake = takeInto(taken, take, { role: a.role, connection: a.connection, instance_id: a.shared_password ? "" : a.instance_id,
        username: a.username, name: a.instance_name });
    } }, "Take the password");
    const what = a.shared_password ? { role: a.role } : { role: a.role, instance_id: a.instance_id };
    const whom = a.shared_password ? `all servers of role ${a.role}, which share one password` : `${a.username} on ${a.instance_name || a.instance_id}`;
    replace(actions, take,
      orderButton("Rotate", "Rotate the password?", `This sets another password for ${whom}. Those who have the present one lose it. ` +
        "Where the role has force_stop, the cloud may shut the server down for it.", a.shared_password ? "rotate-role" : "rotate", what, result),
      orderButton("Verify", "Verify the password?", `This looks whether ${whom} still has the password that Vault knows. ` +
        "If not, the role's drift_action says what follows.", a.shared_password ? "verify-role" : "verify", what, result));
  }

  load();
  const timer = setInterval(() => document.hidden || load(), pollEvery);
  return () => {
    clearInterval(timer);
    ended.abort();
    stopTake?.();
  };
}

// list makes a list of terms; those without a value are left out.
function list(entries) {
  return h("dl", { class: "facts" }, entries.filter(([, value]) => value || value === 0).map(([term, value]) =>
    h("div", null, h("dt", null, term), h("dd", { dir: "auto" }, value))));
}

function factsOf(a) {
  const next = a.group ?? a;
  return h("section", { class: "card", "aria-label": "Facts" }, list([
    ["State", stateOf(a.state)], ["User", a.username], ["Role", a.role ? h("a", { href: "#/fleet?" + new URLSearchParams({ role: a.role }) }, a.role) : "none"],
    ["Mode", a.mode], ["Connection", a.connection], ["Id", a.instance_id], ["Addresses", [a.private_ip, a.public_ip].filter(Boolean).join(", ")],
    ["System", a.os_name || a.platform], ["Password", a.shared_password ? "shared by the servers of the role" : null],
    ["Due", next.due_reason ? [reasonOf(next.due_reason), parsed(next.due_since) ? [", ", ago(next.due_since)] : null] : null],
    ["Waits for", next.waiting_for], ["Next try", timeOf(next.next_try)], ["Next rotation", timeOf(next.next_vault_rotation)],
    ["Checked", a.check_result ? [a.check_result.replaceAll("_", " "), parsed(a.checked_time) ? [", ", ago(a.checked_time)] : null] : null],
    ["Why unknown", a.check_reason ? longText(a.check_reason) : null], ["Next check", timeOf(a.next_check)],
    ["Drifted", a.drifted ? h("span", { class: "warn" }, "yes: the server did not have the current password") : null],
    ["Last error", next.last_error ? longText(next.last_error) : null], ["Gone", timeOf(a.gone_time)],
  ]));
}

function siblingsOf(a, siblings) {
  const others = siblings.filter((one) => one.username !== a.username);
  return others.length ? h("p", null, "Other users of this server: ", others.map((one, i) =>
    [i ? ", " : "", h("a", { href: addressOf(one), dir: "auto" }, one.username)])) : null;
}

// timeline lists what is known to have happened, and what will, the newest first.
function timeline(a) {
  const events = [];
  const add = (time, kind, ...what) => parsed(time) && events.push({ at: parsed(time), time, kind, what });
  const versions = (a.group ?? a).versions ?? [], leases = (a.group ?? a).leases ?? [];
  for (const v of versions) {
    add(v.created_time, "version", h("b", null, `Version ${v.version}`), " was made", v.reason ? `: ${reasonOf(v.reason)}` : v.source ? `: ${v.source}` : "",
      v.requested_by ? [", by ", h("b", { dir: "auto" }, v.requested_by)] : null, v.current ? h("span", { class: "tag" }, "current") : null,
      v.confirmed ? null : h("span", { class: "tag warn" }, "not confirmed"),
      details([parsed(v.due_since) && `due since ${when(v.due_since)}`, v.attempts > 1 && `${v.attempts} attempts`, v.force_stop && "the cloud might stop the server for it",
        v.request_id && `request ${v.request_id}`, v.confirmed_by_check && "confirmed by a check"]));
    for (const r of v.readers ?? []) {
      const who = h("b", { dir: "auto" }, r.display_name || r.entity_id || "a client without a name");
      const from = details([r.remote_address && `from ${r.remote_address}`, r.entity_id && `entity ${r.entity_id}`,
        r.other_names && "also under another name"]);
      add(r.first_time, "read", who, ` read version ${v.version}`, from);
      if (parsed(r.last_time) !== parsed(r.first_time)) add(r.last_time, "read", who, ` read version ${v.version} for the last time`);
    }
    if (v.more_readers) add(v.disclosed_time, "read", `Version ${v.version} was also given to readers that are not listed`);
    add(v.ended_time, "end", `Version ${v.version} was replaced`);
  }
  for (const l of leases) {
    add(l.issue_time, "lease", "A lease of version ", String(l.version), l.display_name ? [" was given to ", h("b", { dir: "auto" }, l.display_name)] : " was given",
      h("span", { class: "tag" }, "live"), details([l.remote_address && `to ${l.remote_address}`, parsed(l.expire_time) && `ends ${when(l.expire_time)}`]));
  }
  add(a.checked_time, "check", "A check found: ", h("b", null, (a.check_result ?? "").replaceAll("_", " ")), details([a.check_version && `version ${a.check_version}`,
    a.check_user_state && `user ${a.check_user_state}`]));
  const now = a.group ?? a;
  add(now.due_since, "due", h("b", null, "Due"), `: ${reasonOf(now.due_reason)}`, a.due_requested_by ? [", by ", h("b", { dir: "auto" }, a.due_requested_by)] : null);
  add(now.last_error_time, "error", h("b", null, "Failed"), ": ", longText(now.last_error ?? ""));
  add(a.rebuilt_time, "rebuilt", "The server seems to have been rebuilt", a.rebuilt_reason ? [": ", longText(a.rebuilt_reason)] : null);
  add(a.launch_time, "launch", "The server was launched");
  add(a.gone_time, "gone", "The server was found to be gone");
  add(now.next_vault_rotation, "next", "The next rotation by the schedule");
  events.sort((x, y) => y.at - x.at);
  if (!events.length) return h("p", { class: "empty" }, "Nothing has happened yet.");
  return h("ol", { class: "timeline" }, events.map((event) => h("li", { class: "on-" + event.kind },
    h("span", { class: "moment" }, timeOf(event.time), " ", h("span", { class: "faint" }, ago(event.time))), h("div", null, event.what))));
}

function details(parts) {
  const some = parts.filter(Boolean);
  return some.length ? h("div", { class: "faint outside" }, some.join(" · ")) : null;
}
