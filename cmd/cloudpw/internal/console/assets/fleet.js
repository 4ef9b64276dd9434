// The fleet: filters, and a table of which only the rows are made that can be seen.
import { Virtualizer, elementScroll, observeElementOffset, observeElementRect } from "./vendor/virtual-core/index.js";
import { h, replace, clean, say } from "./dom.js";
import { get, post, problemBox } from "./api.js";
import { addressOf, many, number, parsed, reasonOf, span, stateOf, when } from "./format.js";
import { takeForm } from "./held.js";

const windowSize = 100; // rows that are asked for at once
const keptWindows = 40;
const pollEvery = 3000; // milliseconds; the console's process reads Vault less often

const ages = [["", "any age"], ["1", "1 day"], ["7", "7 days"], ["30", "30 days"], ["60", "60 days"], ["90", "90 days"], ["180", "180 days"], ["365", "1 year"]];
const columns = [
  ["name", "Server"], ["user", "User"], ["role", "Role"], ["connection", "Connection"], ["state", "State"], ["age", "Age"],
  ["leases", "Held by"], ["failures", "Last error"],
];
const flags = [["drifted", "Drifted"], ["failing", "Failing"], ["rebuilt", "Rebuilt"]];
const fields = ["text", "role", "connection", "state", "older", "holder", ...flags.map(([name]) => name), "sort", "down"];

export function fleetView(frame, at) {
  const wanted = Object.fromEntries(fields.map((name) => [name, at.query.get(name) ?? ""]));
  const ended = new AbortController();
  let known = { generation: 0, matched: 0 }; // the last answer
  let windows = new Map(); // by number: rows, of which generation
  let asked = new Set(); // windows that are on their way
  let active = 0; // the row that Tab leads to

  const count = h("p", { id: "count", role: "status" }, "Reading the report…");
  const note = h("div", { id: "note" });
  const narrow = window.matchMedia("(max-width: 52rem)");
  const body = h("div", { role: "rowgroup", class: "rows" });
  const scroller = h("div", { class: "scroller", id: "scroller", tabindex: "0", role: "region", "aria-label": "Accounts, scrollable" });
  const heads = columns.map(([key, title]) => h("div", { role: "columnheader", "data-sort": key },
    h("button", { type: "button", onclick: () => sortBy(key) }, title, " ", h("span", { class: "arrow", "aria-hidden": "true" }))));
  const table = h("div", { role: "table", "aria-label": "Accounts", class: "fleet" },
    h("div", { role: "rowgroup", class: "head" }, h("div", { role: "row", "aria-rowindex": "1" }, heads)), body);
  scroller.append(table);

  const filters = makeFilters(wanted, changed);
  const sorts = h("label", { class: "sorts" }, "Sort by ", h("select", { id: "sort", onchange: (event) => {
    wanted.sort = event.target.value;
    wanted.down = "";
    changed();
  } }, h("option", { value: "" }, "connection and id"), columns.map(([key, title]) => h("option", { value: key }, title.toLowerCase()))));
  sorts.querySelector("select").value = wanted.sort;
  filters.element.append(sorts);
  replace(frame, h("h1", { tabindex: "-1" }, "Fleet"), filters.element,
    h("div", { class: "bar" }, count, h("button", { type: "button", class: "quiet", id: "again", onclick: again }, "Read again")), note, scroller);

  const rowHeight = () => (narrow.matches ? 92 : 52);
  const list = new Virtualizer({
    count: 0, getScrollElement: () => scroller, estimateSize: rowHeight, overscan: 6,
    observeElementRect, observeElementOffset, scrollToFn: elementScroll, onChange: paint,
  });
  const unmount = list._didMount();
  list._willUpdate();
  const resized = () => {
    list.measure();
    paint();
  };
  narrow.addEventListener("change", resized);

  function query(from) {
    return { ...wanted, from, count: windowSize };
  }

  // changed begins anew with other filters.
  function changed() {
    const set = fields.filter((name) => wanted[name]).map((name) => [name, wanted[name]]);
    const text = new URLSearchParams(set).toString();
    history.replaceState(null, "", "#/fleet" + (text ? "?" + text : ""));
    windows = new Map();
    asked = new Set();
    active = 0;
    scroller.scrollTop = 0;
    for (const head of heads) {
      const sorted = head.dataset.sort === wanted.sort;
      if (sorted) head.setAttribute("aria-sort", wanted.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      replace(head.querySelector(".arrow"), sorted ? (wanted.down ? "▼" : "▲") : "");
    }
    load(0);
  }

  function sortBy(key) {
    if (wanted.sort !== key) Object.assign(wanted, { sort: key, down: "" });
    else if (!wanted.down) wanted.down = "true";
    else Object.assign(wanted, { sort: "", down: "" });
    sorts.querySelector("select").value = wanted.sort;
    changed();
  }

  // load asks for a window of rows.
  async function load(n) {
    if (asked.has(n)) return;
    const mine = asked;
    mine.add(n);
    try {
      const answer = await get("fleet", query(n * windowSize), ended.signal);
      if (mine === asked) took(n, answer);
    } catch (error) {
      if (error.name !== "AbortError" && mine === asked) replace(note, problemBox(error));
    } finally {
      mine.delete(n);
    }
  }

  function took(n, answer) {
    if (answer.generation < known.generation) return;
    const first = known.generation === 0, other = answer.generation !== known.generation;
    known = answer;
    windows.delete(n);
    windows.set(n, { generation: answer.generation, rows: answer.rows });
    for (const old of windows.keys()) {
      if (windows.size <= keptWindows) break;
      windows.delete(old);
    }
    if (other) filters.choices();
    status(answer);
    if (list.options.count !== answer.matched) {
      list.setOptions({ ...list.options, count: answer.matched });
      list._willUpdate();
    }
    table.setAttribute("aria-rowcount", String(answer.matched + 1));
    active = Math.min(active, Math.max(0, answer.matched - 1));
    paint();
    if (first) document.dispatchEvent(new Event("fleet"));
  }

  function status(answer) {
    const filtered = answer.matched !== answer.rows_read;
    const text = !answer.read_at ? "Reading the report…" :
      (filtered ? `${number(answer.matched)} of ${many(answer.rows_read, "account")}` : many(answer.rows_read, "account")) +
      (answer.whole ? "" : ` (reading: ${number(answer.rows_read)} of ${number(answer.total)})`) +
      (answer.loading ? "; Vault is still loading accounts, some are missing" : "");
    if (count.textContent !== text) replace(count, text);
    count.title = answer.read_at ? "as of " + when(answer.read_at) : "";
    const failed = answer.problem ? answer.problem.kind + answer.problem.title : "";
    if (note.dataset.shown !== failed) {
      note.dataset.shown = failed;
      replace(note, answer.problem ? problemBox(answer) : null,
        answer.problem && answer.read_at ? h("p", { class: "stale" }, `What you see is as of ${when(answer.read_at)}.`) : null,
        answer.problem?.kind === "denied" ? takeForm() : null);
    }
    // Without a row there is nothing to scroll. Where the report is denied, the box above says why.
    scroller.hidden = Boolean(answer.problem) && answer.rows_read === 0;
  }

  function rowAt(index) {
    return windows.get(Math.floor(index / windowSize))?.rows[index % windowSize];
  }

  // paint shows the rows that can be seen, and asks for those that are not here.
  function paint() {
    const items = list.getVirtualItems();
    body.style.height = `${list.getTotalSize()}px`;
    const have = new Map([...body.children].map((element) => [element.dataset.key, element]));
    const now = [];
    for (const item of items) {
      const account = rowAt(item.index);
      const n = Math.floor(item.index / windowSize);
      if (!account || windows.get(n)?.generation !== known.generation) load(n);
      const key = `${item.index}:${account ? JSON.stringify(account) : ""}`;
      let element = have.get(key);
      if (!element) {
        element = account ? makeRow(account, item.index) : h("div", { role: "row", class: "row" }, h("div", { role: "cell" }, "…"));
        element.dataset.key = key;
        element.setAttribute("aria-rowindex", String(item.index + 2));
      }
      const link = element.querySelector("a");
      if (link) link.tabIndex = item.index === active ? 0 : -1;
      element.style.transform = `translateY(${item.start}px)`;
      element.style.height = `${item.size}px`;
      now.push(element);
    }
    update(now);
    // The row that Tab leads to must exist.
    if (items.length && (active < items[0].index || active > items.at(-1).index) && !body.contains(document.activeElement)) {
      const first = body.querySelector("a");
      if (first) first.tabIndex = 0;
    }
  }

  // update changes the children of the body without touching those that stay, so that the focus stays.
  function update(now) {
    const keep = new Set(now);
    const focused = body.contains(document.activeElement) ? document.activeElement.closest(".row") : null;
    const focusedRow = focused?.getAttribute("aria-rowindex");
    for (const child of [...body.children]) {
      if (!keep.has(child)) child.remove();
    }
    now.forEach((element, i) => {
      if (body.children[i] !== element) body.insertBefore(element, body.children[i] ?? null);
    });
    if (focusedRow && !keep.has(focused)) {
      body.querySelector(`.row[aria-rowindex="${focusedRow}"] a`)?.focus({ preventScroll: true });
    }
  }

  function makeRow(a, index) {
    const cell = (name, ...children) => h("div", { role: "cell", class: "c-" + name }, children);
    const shown = clean(a.name || a.instance_id);
    return h("div", { role: "row", class: "row" },
      cell("name", h("a", { href: addressOf(a), "data-index": String(index), dir: "auto" }, shown),
        a.name ? h("span", { class: "faint", dir: "auto" }, a.instance_id) : a.address ? h("span", { class: "faint" }, a.address) : null),
      cell("user", h("span", { dir: "auto" }, a.username)),
      cell("role", h("span", { dir: "auto" }, a.role), a.mode ? h("span", { class: "faint" }, a.mode) : null),
      cell("connection", h("span", { dir: "auto" }, a.connection)),
      cell("state", stateOf(a.state), a.due_reason ? h("span", { class: "faint" }, reasonOf(a.due_reason)) :
        a.drifted ? h("span", { class: "warn" }, "drifted") : null),
      cell("age", parsed(a.created_time) ? h("time", { datetime: a.created_time, title: when(a.created_time) },
        span((Date.now() - parsed(a.created_time)) / 1000)) : h("span", { class: "faint" }, "no password")),
      cell("leases", a.leases ? [h("span", { dir: "auto" }, (a.holders ?? []).join(", ") || "?"), h("span", { class: "faint" }, many(a.leases, "lease"))] : null),
      cell("failures", a.failures ? [h("span", { class: "error", dir: "auto" }, a.last_error || "failed"), h("span", { class: "faint" }, many(a.failures, "failure"))] : null));
  }

  // Arrow keys, Page Up and Down, Home and End move from row to row once a row has the focus.
  body.addEventListener("keydown", (event) => {
    const link = event.target.closest("a[data-index]");
    if (!link || event.altKey || event.ctrlKey || event.metaKey) return;
    const from = Number(link.dataset.index), page = Math.max(1, Math.floor(scroller.clientHeight / rowHeight()) - 1);
    const to = { ArrowDown: from + 1, ArrowUp: from - 1, PageDown: from + page, PageUp: from - page, Home: 0, End: known.matched - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    goTo(Math.min(Math.max(to, 0), known.matched - 1));
  });
  body.addEventListener("focusin", (event) => {
    const link = event.target.closest("a[data-index]");
    if (link) active = Number(link.dataset.index);
  });

  // goTo gives a row the focus, once its data are here.
  function goTo(index) {
    active = index;
    list.scrollToIndex(index, { align: "auto" });
    const tryIt = (left) => {
      if (ended.signal.aborted || active !== index) return;
      const link = body.querySelector(`a[data-index="${index}"]`);
      if (link) link.focus({ preventScroll: true });
      else if (left > 0) requestAnimationFrame(() => tryIt(left - 1));
    };
    tryIt(300);
  }

  async function again() {
    try {
      await post("refresh");
      say("The report is read again.");
    } catch (error) {
      replace(note, problemBox(error));
    }
  }

  changed();
  const timer = setInterval(() => {
    if (document.hidden) return;
    const seen = list.getVirtualItems()[0];
    load(Math.floor((seen?.index ?? 0) / windowSize));
  }, pollEvery);

  return () => {
    clearInterval(timer);
    ended.abort();
    narrow.removeEventListener("change", resized);
    unmount();
  };
}

// makeFilters makes the form above the table. changed is called when wanted has other values.
function makeFilters(wanted, changed) {
  const choose = (name, label, first) => h("label", null, label, h("select", { name, id: "filter-" + name, onchange: (event) => {
    wanted[name] = event.target.value;
    changed();
  } }, h("option", { value: "" }, first)));
  const selects = {
    role: choose("role", "Role", "all roles"), connection: choose("connection", "Connection", "all connections"),
    state: choose("state", "State", "all states"), holder: choose("holder", "Held by", "anybody"),
  };
  const older = choose("older", "Older than", "any age");
  replace(older.querySelector("select"), ages.map(([value, title]) => h("option", { value }, title)));
  older.querySelector("select").value = wanted.older;
  let timer = 0;
  const text = h("input", { type: "search", name: "text", id: "filter-text", value: wanted.text, placeholder: "name, id, address, user, error", maxlength: "200",
    autocomplete: "off", spellcheck: "false", oninput: (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        wanted.text = event.target.value;
        changed();
      }, 150);
    } });
  const boxes = flags.map(([name, title]) => {
    const box = h("input", { type: "checkbox", name, id: "filter-" + name, onchange: (event) => {
      wanted[name] = event.target.checked ? "true" : "";
      changed();
    } });
    box.checked = wanted[name] === "true";
    return h("label", { class: "check" }, box, " ", title);
  });
  const element = h("form", { class: "filters", role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    h("label", { class: "wide" }, "Search", text), Object.values(selects), older,
    h("fieldset", null, h("legend", null, "Only"), boxes),
    h("button", { type: "button", class: "quiet", onclick: () => {
      for (const name of fields) wanted[name] = "";
      for (const input of element.querySelectorAll("input, select")) {
        if (input.type === "checkbox") input.checked = false;
        else input.value = "";
      }
      changed();
    } }, "Clear filters"));
  let reading = false;
  return {
    element,
    // choices fills the selects with the values that the report has.
    async choices() {
      if (reading) return;
      reading = true;
      try {
        const found = await get("choices");
        for (const [name, list] of [["role", found.roles], ["connection", found.connections], ["state", found.states], ["holder", found.holders]]) {
          const select = selects[name].querySelector("select");
          const values = wanted[name] && !list.some((one) => one.value === wanted[name]) ? [...list, { value: wanted[name], rows: 0 }] : list;
          const key = JSON.stringify(values);
          if (select.dataset.key === key) continue;
          select.dataset.key = key;
          replace(select, select.options[0], values.map((one) => h("option", { value: one.value }, `${one.value} (${number(one.rows)})`)));
          select.value = wanted[name];
        }
      } catch {
        // the table says what is wrong
      } finally {
        reading = false;
      }
    },
  };
}
