// The page: opens the link, then shows what the address behind "#" names.
import "./browser.js";
import { h, replace } from "./dom.js";
import { get, post, opened, setOrder, problemBox } from "./api.js";
import { span } from "./format.js";
import { fleetView } from "./fleet.js";
import { serverView } from "./server.js";
import { campaignsView, campaignView } from "./campaigns.js";
import { healthView } from "./health.js";
import { chartsView } from "./charts.js";
import { heldView, heldChanged } from "./held.js";

const main = document.getElementById("main");
const views = [
  { name: "fleet", title: "Fleet", make: fleetView },
  { name: "campaigns", title: "Campaigns", make: campaignsView },
  { name: "health", title: "Health", make: healthView },
  { name: "charts", title: "Charts", make: chartsView },
  { name: "passwords", title: "Passwords", make: heldView },
  { name: "server", title: "Server", make: serverView, hidden: true },
  { name: "campaign", title: "Campaign", make: campaignView, hidden: true },
];

let running = null; // what ends the view that is shown

// route splits "#/server/a/b?x=y" into its parts.
function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/");
  return { name: parts[0] || "fleet", parts: parts.slice(1).map(decoded), query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

let shown = ""; // the path of the view that is shown

function show(first) {
  const at = route();
  const path = [at.name, ...at.parts].join("/");
  if (!first && path === shown) return; // the view itself has changed its filters
  const view = views.find((one) => one.name === at.name) ?? views[0];
  running?.();
  shown = path;
  const frame = h("div", { class: "view", id: "view-" + view.name });
  replace(main, frame);
  document.title = `${view.title} – cloudpw console`;
  for (const link of document.querySelectorAll("#top nav a")) {
    if (link.dataset.view === view.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  running = view.make(frame, at);
  window.scrollTo(0, 0);
  if (!first) frame.querySelector("h1")?.focus();
}

function header(session) {
  const held = h("span", { class: "badge", hidden: true });
  heldChanged((n) => {
    held.hidden = n === 0;
    replace(held, String(n), h("span", { class: "unseen" }, n === 1 ? " password is taken" : " passwords are taken"));
  });
  const theme = h("button", { type: "button", class: "quiet", id: "theme" });
  const themes = { "": "as the system", light: "light", dark: "dark" };
  const paint = (name) => {
    if (name) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
    replace(theme, h("span", { "aria-hidden": "true" }, name === "light" ? "☀ " : name === "dark" ? "☾ " : "◐ "), "Colours: " + themes[name]);
    document.dispatchEvent(new Event("painted"));
  };
  theme.addEventListener("click", () => {
    const names = Object.keys(themes);
    session.theme = names[(names.indexOf(session.theme) + 1) % names.length];
    paint(session.theme);
    post("theme", { theme: session.theme }).catch(() => {}); // it is only not remembered
  });
  paint(session.theme);
  const until = session.token_seconds ? `, token for ${span(session.token_seconds)}` : "";
  replace(document.getElementById("top"),
    h("div", { class: "brand" }, h("img", { src: "/assets/icon.svg", alt: "", width: "28", height: "28" }),
      h("span", null, h("b", null, "cloudpw"), " ",
        h("span", { class: "faint place" }, `${session.mount}/ at ${session.address}`,
          session.namespace ? `, namespace ${session.namespace}` : "", session.who ? `, as ${session.who}` : "", until))),
    h("nav", { "aria-label": "Views" }, views.filter((one) => !one.hidden).map((one) =>
      h("a", { href: "#/" + one.name, "data-view": one.name }, one.title, one.name === "passwords" ? [" ", held] : null))),
    theme);
}

// open uses a link up. A link that is pasted into a page that shows an old one's error only changes the part behind "#".
async function open() {
  const code = location.hash.slice(1);
  // The code leaves the address and the history before it is used.
  history.replaceState(null, "", location.pathname);
  if (!code) {
    replace(main, h("h1", { tabindex: "-1" }, "cloudpw console"),
      h("p", null, "Open this console by the link that cloudpw console prints. Each link opens it once."));
    return;
  }
  location.replace(await opened(code));
}

async function start() {
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address behind "#" names the view
    main.focus();
  });
  if (location.pathname === "/") {
    window.addEventListener("hashchange", () => open().catch(failed));
    return open();
  }
  const session = await get("session");
  setOrder(session.order);
  header(session);
  if (session.problem) replace(document.getElementById("banner"), problemBox(session));
  window.addEventListener("hashchange", () => show(false));
  show(true);
}

function failed(error) {
  replace(main, h("h1", { tabindex: "-1" }, "cloudpw console"), problemBox(error));
}

start().catch(failed);
