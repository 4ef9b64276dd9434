// Campaigns: orders over many accounts, and how far they have come.
import { h, longText, replace } from "./dom.js";
import { get, problemBox } from "./api.js";
import { ago, many, number, parsed, span, stateOf, timeOf } from "./format.js";

const pollEvery = 2000; // milliseconds

function subject(c) {
  if (c.role) return `role ${c.role}`;
  if (c.connection) return `connection ${c.connection}`;
  return c.reader_display_name || c.reader_entity_id ? `what ${c.reader_display_name || c.reader_entity_id} was given` : "";
}

// progress is a bar with its numbers as text.
function progress(c) {
  const over = (c.done ?? 0) + (c.skipped ?? 0);
  return h("div", { class: "progress" }, h("progress", { max: String(Math.max(1, c.total)), "aria-label": `done of ${subject(c)}` , value: over }),
    h("span", null, `${number(over)} of ${number(c.total)}`, c.failed ? h("span", { class: "error" }, `, ${number(c.failed)} failing`) : null));
}

function endOf(c) {
  if (parsed(c.ended_time)) return h("span", { class: "tag" }, c.end_reason || "ended");
  return h("span", { class: "tag live" }, "running");
}

// polled calls load at once and regularly, and shows an error instead of what it cannot read.
function polled(note, load) {
  const ended = new AbortController();
  let going = false;
  const go = async () => {
    if (going || document.hidden) return;
    going = true;
    try {
      await load(ended.signal);
      replace(note);
    } catch (error) {
      if (error.name !== "AbortError") replace(note, problemBox(error));
    } finally {
      going = false;
    }
  };
  go();
  const timer = setInterval(go, pollEvery);
  return () => {
    clearInterval(timer);
    ended.abort();
  };
}

export { polled };

export function campaignsView(frame) {
  const note = h("div"), list = h("div");
  let shown = "";
  replace(frame, h("h1", { tabindex: "-1" }, "Campaigns"),
    h("p", { class: "faint" }, "A campaign is one order about many accounts: a rotation or a check of a role or a connection."), note, list);
  return polled(note, async (signal) => {
    const { campaigns } = await get("campaigns", {}, signal);
    const text = JSON.stringify(campaigns);
    if (text === shown || list.contains(document.activeElement) && shown) return;
    shown = text;
    replace(list, campaigns?.length ? h("ul", { class: "cards plain" }, campaigns.map((c) => h("li", { class: "card" },
      h("div", { class: "line" }, h("a", { href: "#/campaign/" + encodeURIComponent(c.id), dir: "auto" }, `${c.kind} of ${subject(c)}`), " ", endOf(c)),
      progress(c), h("p", { class: "faint" }, ago(c.created_time), c.requested_by ? `, by ${c.requested_by}` : "")))) :
      h("p", { class: "empty" }, "There was no campaign yet. Rotate or verify a role to begin one."));
  });
}

export function campaignView(frame, at) {
  const [id] = at.parts;
  const note = h("div"), body = h("div");
  const heading = h("h1", { tabindex: "-1", dir: "auto" }, "Campaign"), bar = h("div", { role: "status" });
  let shown = "";
  replace(frame, h("p", null, h("a", { href: "#/campaigns" }, "← Campaigns")), heading, note, bar, body);
  return polled(note, async (signal) => {
    const c = await get("campaign", { id }, signal);
    const text = JSON.stringify(c);
    if (text === shown) return;
    shown = text;
    replace(heading, `${c.kind} of ${subject(c)}`);
    replace(bar, progress(c), endOf(c), c.estimated_seconds ? h("span", { class: "faint" }, ` about ${span(c.estimated_seconds)} left`) : null);
    replace(body, h("section", { class: "card", "aria-label": "Numbers" }, h("dl", { class: "facts" }, [
      ["Accounts", number(c.total)], ["Done", number(c.done)], ["Waiting", number(c.waiting)], ["Failing", number(c.failed)], ["Skipped", number(c.skipped)],
      ["Not yet ordered", number(c.not_yet_ordered)], ["Ordered", [timeOf(c.created_time), c.requested_by ? `, by ${c.requested_by}` : ""]],
      ["Ended", parsed(c.ended_time) ? timeOf(c.ended_time) : null], ["Drift action", c.drift_action],
      ["Skipped because", c.skip_reasons && Object.entries(c.skip_reasons).map(([why, n]) => `${why.replaceAll("_", " ")}: ${number(n)}`).join(", ")],
      ["Results", c.results && Object.entries(c.results).map(([what, n]) => `${what.replaceAll("_", " ")}: ${number(n)}`).join(", ")],
    ].filter(([, value]) => value).map(([term, value]) => h("div", null, h("dt", null, term), h("dd", { dir: "auto" }, value))))),
    causesOf(c.causes), failingOf(c.failing));
  });
}

// causesOf lists why accounts fail.
export function causesOf(causes) {
  return causes?.length ? h("section", null, h("h2", null, "Why accounts fail"), h("ul", { class: "causes" }, causes.map((one) =>
    h("li", null, h("b", null, many(one.accounts, "account")), ": ", longText(one.cause), " ", example(one.example_account, one.example_role))))) : null;
}

function example(account, role) {
  if (account) return h("span", { class: "faint" }, "such as ", accountLink(account));
  return role ? h("span", { class: "faint", dir: "auto" }, `such as role ${role}`) : null;
}

// accountLink leads to an account that is written as connection/instance/user; the user may have slashes.
export function accountLink(text) {
  const [connection, instance, ...user] = text.split("/");
  return h("a", { href: "#/server/" + [connection, instance, user.join("/")].map(encodeURIComponent).join("/"), dir: "auto" }, text);
}

// failingOf lists accounts that fail.
export function failingOf(failing) {
  return failing?.length ? h("section", null, h("h2", null, "Accounts that fail"), h("ul", { class: "causes" }, failing.map((one) => h("li", null,
    one.account ? accountLink(one.account) : h("span", { dir: "auto" }, `role ${one.role}`), " ", stateOf(one.state), " ", longText(one.last_error),
    parsed(one.next_try) ? h("span", { class: "faint" }, ` next try ${ago(one.next_try)}`) : null)))) : null;
}
