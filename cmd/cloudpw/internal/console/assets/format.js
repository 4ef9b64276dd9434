// How times, ages and states are written.
import { h } from "./dom.js";

const units = [["y", 365 * 86400], ["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];

// span writes seconds as people say them: 3d 4h, 12m.
export function span(seconds) {
  seconds = Math.max(0, Math.floor(seconds));
  for (let i = 0; i < units.length; i++) {
    const [unit, size] = units[i];
    if (seconds < size && i + 1 < units.length) continue;
    const rest = i + 1 < units.length ? Math.floor((seconds % size) / units[i + 1][1]) : 0;
    return `${Math.floor(seconds / size)}${unit}` + (rest ? ` ${rest}${units[i + 1][0]}` : "");
  }
  return "0s";
}

// parsed is the time in milliseconds, or 0 for none; Go's zero time is none.
export function parsed(time) {
  const at = Date.parse(time ?? "");
  return Number.isNaN(at) || at <= 0 ? 0 : at;
}

// ago writes how long ago a time is, or how soon it comes.
export function ago(time) {
  const at = parsed(time);
  if (!at) return "";
  const seconds = (Date.now() - at) / 1000;
  return seconds >= 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
}

// when writes a time in the reader's zone.
export function when(time) {
  const at = parsed(time);
  if (!at) return "";
  const date = new Date(at);
  const two = (n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

// timeOf is a time with how long ago it is.
export function timeOf(time) {
  const at = parsed(time);
  return at ? h("time", { datetime: new Date(at).toISOString() }, when(time)) : null;
}

export function number(n) {
  return Number(n ?? 0).toLocaleString("en");
}

export function many(n, one, more = one + "s") {
  return `${number(n)} ${Number(n) === 1 ? one : more}`;
}

const stateSigns = { ready: "●", due: "◔", rotating: "↻", braked: "■", settling: "◌", empty: "○", gone: "✕" };

// stateOf is a state with a sign and a colour of its own.
export function stateOf(state) {
  const known = Object.hasOwn(stateSigns, state);
  return h("span", { class: "state" + (known ? ` state-${state}` : "") }, h("span", { "aria-hidden": "true" }, known ? stateSigns[state] : "?"), " ", state);
}

// reasons say why a version was made or an account is due.
const reasons = {
  first: "first password", revoked: "the last lease ended", deadline: "its deadline passed", leaver: "a server left the role",
  joiner: "a server joined the role", moved: "moved to another role", schedule: "schedule", manual: "ordered by hand",
  import: "after an import", read: "after a read", reader: "a reader left", place: "moved to another place",
  drifted: "the server had another password",
};

export function reasonOf(reason) {
  return Object.hasOwn(reasons, reason) ? reasons[reason] : reason;
}

// addressOf is the page of an account.
export function addressOf(account) {
  return "#/server/" + [account.connection, account.instance_id, account.username].map(encodeURIComponent).join("/");
}
