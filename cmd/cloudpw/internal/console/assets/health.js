// The state of the mount: connections, roles, and what fails.
import { h, longText, replace } from "./dom.js";
import { get } from "./api.js";
import { causesOf, failingOf, polled } from "./campaigns.js";
import { many, number, parsed, span, timeOf } from "./format.js";

export function healthView(frame) {
  const note = h("div"), body = h("div");
  let shown = "";
  replace(frame, h("h1", { tabindex: "-1" }, "Health"), note, body);
  return polled(note, async (signal) => {
    const s = await get("status", {}, signal);
    const text = JSON.stringify(s);
    if (text === shown) return;
    shown = text;
    const d = s.details ?? {};
    replace(body, summary(s), warnings(s), connections(d.connections ?? {}), roles(d.roles ?? {}), causesOf(d.causes), failingOf(d.failing), notFound(d.failing_roles ?? []));
  });
}

function summary(s) {
  const accounts = Object.values(s.accounts ?? {}).reduce((sum, n) => sum + n, 0);
  const tile = (title, value, warn, href) => h("li", { class: "tile" + (warn ? " warn" : "") },
    href ? h("a", { href }, h("b", null, value), h("span", null, title)) : [h("b", null, value), h("span", null, title)]);
  return h("ul", { class: "tiles", "aria-label": "Numbers" }, tile("accounts", number(accounts), false, "#/fleet"), tile("live leases", number(s.leases)),
    tile("due", number(s.due), s.late_seconds > 0, "#/fleet?state=due"), tile("failing", number(s.failing_count), s.failing_count > 0, "#/fleet?failing=true"),
    tile("drifted", number(s.drifted), s.drifted > 0, "#/fleet?drifted=true"), tile("rebuilt", number(s.rebuilt), s.rebuilt > 0, "#/fleet?rebuilt=true"),
    s.late_seconds > 0 ? tile("late", span(s.late_seconds), true) : null);
}

function warnings(s) {
  const all = [...(s.warnings ?? [])];
  if (!s.running) all.unshift("This node of Vault does not rotate passwords.");
  if (s.loading) all.unshift("Vault is still loading accounts: the numbers are incomplete.");
  if (s.stale) all.unshift("Vault's storage does not answer: the numbers may be old.");
  return all.length ? h("section", { class: "problem" }, h("h2", null, "Warnings"), h("ul", null, all.map((one) => h("li", null, longText(one))))) : null;
}

// table is a table that scrolls in its own frame where the page is narrow.
function table(title, heads, rows) {
  return h("section", null, h("h2", null, title), h("div", { class: "wide-table", tabindex: "0", role: "region", "aria-label": title + ", scrollable" },
    h("table", null, h("thead", null, h("tr", null, heads.map((one) => h("th", { scope: "col" }, one)))), h("tbody", null, rows))));
}

function connections(all) {
  const names = Object.keys(all).sort();
  if (!names.length) return h("p", { class: "empty" }, "There is no connection.");
  return table("Connections", ["Connection", "Works", "Queue", "Requests/s", "Credential", "Last error"], names.map((name) => {
    const c = all[name];
    const state = c.breaker_open ? h("span", { class: "error" }, "■ its cloud does not answer", c.retry_in ? `, next try in ${span(c.retry_in)}` : "") :
      c.braked ? h("span", { class: "warn" }, "■ braked") : h("span", { class: "fine" }, "● yes");
    return h("tr", null, h("th", { scope: "row", dir: "auto" }, h("a", { href: "#/fleet?" + new URLSearchParams({ connection: name }) }, name)), h("td", null, state,
      c.braked_accounts ? h("div", { class: "faint" }, `${many(c.braked_accounts, "account")} braked`) : null),
    h("td", null, number(c.queued), c.working ? h("div", { class: "faint" }, `${number(c.working)} at work`) : null), h("td", null, number(c.requests_per_second)),
    h("td", null, c.credential_age ? `${span(c.credential_age)} old` : "", parsed(c.credential_expires) ? h("div", null, "ends ", timeOf(c.credential_expires)) : null,
      c.root_rotation_error ? h("div", { class: "error" }, longText(c.root_rotation_error)) : null),
    h("td", null, c.last_error ? longText(c.last_error) : ""));
  }));
}

function roles(all) {
  const names = Object.keys(all).sort();
  if (!names.length) return null;
  return table("Roles", ["Role", "Connection", "Accounts", "Leases", "Due", "Failing", "Drifted"], names.map((name) => {
    const r = all[name];
    const count = (n) => h("td", n ? { class: "warn" } : null, number(n));
    return h("tr", null, h("th", { scope: "row", dir: "auto" }, h("a", { href: "#/fleet?" + new URLSearchParams({ role: name }) }, name)), h("td", { dir: "auto" }, r.connection),
      h("td", null, number(r.accounts)), h("td", null, number(r.leases)), h("td", null, number(r.due)), count(r.failing), count(r.drifted));
  }));
}

function notFound(failing) {
  return failing.length ? h("section", null, h("h2", null, "Roles whose servers could not be looked up"), h("ul", { class: "causes" }, failing.map((one) =>
    h("li", null, h("b", { dir: "auto" }, one.role), ": ", longText(one.last_error ?? ""))))) : null;
}
