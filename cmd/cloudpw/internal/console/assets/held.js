// Passwords that were taken in this console: shown for a short time, and given back.
import { ask, h, replace, say } from "./dom.js";
import { get, post, problemBox } from "./api.js";
import { parsed, span, when } from "./format.js";

const shownFor = 30; // seconds
const listeners = new Set(); // told how many passwords are held

export function heldChanged(listener) {
  listeners.add(listener);
  get("held").then((answer) => listener(answer.held.length), () => {});
}

async function tellHeld() {
  const { held } = await get("held");
  for (const listener of listeners) listener(held.length);
  return held;
}

// nameOf is how a password is called: its user and server.
function nameOf(t) {
  return `${t.username || "the user"} on ${t.name || t.instance_id || "all servers of role " + t.role}`;
}

// heldCard shows one password, hidden at first. gone is called when it is held no more; destroy hides it for good.
export function heldCard(t, gone) {
  const name = nameOf(t);
  const secret = h("output", { class: "secret", "aria-label": `Password of ${name}` });
  const note = h("div", { class: "note" });
  const time = h("span", { class: "countdown" });
  const show = h("button", { type: "button", class: "main" });
  const give = h("button", { type: "button" }, t.leased ? "Give back" : "Forget");
  const renew = t.renewable ? h("button", { type: "button", class: "quiet" }, "Keep longer") : null;
  let hides = 0, until = parsed(t.until), timer = 0, over = false;

  function hide(text) {
    hides = 0;
    secret.textContent = "";
    secret.classList.remove("shown");
    replace(show, "Show");
    if (text) say(text);
  }

  function tick() {
    const now = Date.now();
    if (hides && now >= hides) hide("The password is hidden again.");
    if (hides) replace(show, `Hide (${Math.ceil((hides - now) / 1000)} s)`);
    const left = until ? `lease ends in ${span((until - now) / 1000)}` : t.leased ? "" : "a static password: there is no lease to give back";
    if (time.textContent !== left) replace(time, left);
    if (until && now > until) end("The lease has ended.");
  }

  function end(text) {
    if (over) return;
    over = true;
    clearInterval(timer);
    hide("");
    say(text);
    gone(text);
    tellHeld().catch(() => {});
  }

  show.addEventListener("click", async () => {
    if (hides) return hide("The password is hidden.");
    try {
      const answer = await post("held/show", { id: t.id });
      if (over) return;
      // As it is: cleaning would change it. A text cannot become markup.
      secret.textContent = answer.password;
      secret.classList.add("shown");
      hides = Date.now() + shownFor * 1000;
      say(`The password is shown for ${shownFor} seconds.`);
      tick();
    } catch (error) {
      replace(note, problemBox(error));
    }
  });
  give.addEventListener("click", async () => {
    give.disabled = true;
    hide("");
    try {
      await post("held/give", { id: t.id });
      end(t.leased ? "The password is given back." : "The console has forgotten the password.");
    } catch (error) {
      give.disabled = false;
      if (error.problem?.kind === "refused" && error.message.includes("not held")) end("It is not held any more.");
      else replace(note, problemBox(error));
    }
  });
  renew?.addEventListener("click", async () => {
    try {
      const answer = await post("held/renew", { id: t.id });
      until = parsed(answer.held.find((one) => one.id === t.id)?.until);
      say(`The lease ends at ${when(until)}.`);
      tick();
    } catch (error) {
      replace(note, problemBox(error));
    }
  });
  hide("");
  timer = setInterval(tick, 500);
  tick();
  const element = h("section", { class: "card held", "aria-label": `Password of ${name}` },
    h("h2", { dir: "auto" }, name), h("p", { class: "faint" }, [t.role && `role ${t.role}`, t.address, t.version && `version ${t.version}`]
      .filter(Boolean).join(" · ")), secret, h("p", null, time),
    h("div", { class: "buttons" }, show, give, renew), (t.warnings ?? []).map((one) => h("p", { class: "faint" }, one)), note);
  return {
    element,
    destroy() {
      clearInterval(timer);
      over = true;
      hide("");
    },
  };
}

// takeInto takes the password of a place and shows its card in an element. It returns what ends the card.
export function takeInto(element, button, place) {
  let card = null, over = false;
  button.disabled = true;
  replace(element, h("p", { class: "waiting", role: "status" }, "Waiting for the password. If it must be set first, this can take some minutes."));
  post("take", place).then((t) => {
    tellHeld().catch(() => {});
    if (over) return;
    card = heldCard(t, (text) => {
      replace(element, h("p", { role: "status" }, text));
      button.disabled = false;
      button.focus();
    });
    replace(element, card.element);
    say(`The password of ${nameOf(t)} is taken. It is hidden until you show it.`);
    card.element.querySelector("button").focus();
  }, (error) => {
    button.disabled = false;
    if (!over) replace(element, problemBox(error));
  });
  return () => {
    over = true;
    card?.destroy();
  };
}

// takeForm takes a password by what a person types: it works for a token that may read passwords and nothing else.
export function takeForm() {
  const result = h("div", { class: "taken" });
  const input = h("input", { type: "text", id: "take-text", name: "server", autocomplete: "off", spellcheck: "false", required: true,
    placeholder: "role/server, server or role" });
  const button = h("button", { type: "submit", class: "main" }, "Take");
  let stop = null;
  return h("section", { class: "card take" }, h("h2", null, "Take a password by name"),
    h("form", { onsubmit: (event) => {
      event.preventDefault();
      stop?.();
      stop = takeInto(result, button, { text: input.value.trim() });
    } }, h("label", null, "Server", input), button), result);
}

export function heldView(frame) {
  const list = h("div", { class: "cards" });
  const note = h("div");
  let cards = [];
  const ended = new AbortController();
  replace(frame, h("h1", { tabindex: "-1" }, "Passwords taken here"),
    h("p", { class: "faint" }, "They are given back when cloudpw console ends, and when their lease does."), note, list, takeForm());

  async function load() {
    try {
      const held = await tellHeld();
      if (ended.signal.aborted) return;
      cards.forEach((card) => card.destroy());
      cards = held.map((t) => {
        const card = heldCard(t, (text) => {
          card.element.remove();
          replace(note, h("p", { role: "status" }, text));
          if (!list.children.length) empty();
        });
        return card;
      });
      replace(list, cards.map((card) => card.element));
      if (!held.length) empty();
    } catch (error) {
      if (!ended.signal.aborted) replace(note, problemBox(error));
    }
  }

  function empty() {
    replace(list, h("p", { class: "empty" }, "No password is taken."));
  }

  load();
  return () => {
    ended.abort();
    cards.forEach((card) => card.destroy());
  };
}

// orderButton orders something after a question, and shows what came of it.
export function orderButton(label, question, text, path, body, result) {
  const button = h("button", { type: "button", onclick: async () => {
    if (!await ask(question, text, label)) return;
    button.disabled = true;
    try {
      const done = await post(path, body);
      say(`${label}: ordered.`);
      replace(result, h("p", { role: "status" }, `${label}: ordered for ${done.accounts} `, done.accounts === 1 ? "account. " : "accounts. ",
        done.campaign ? h("a", { href: "#/campaign/" + encodeURIComponent(done.campaign) }, "Follow the campaign") : null),
        (done.warnings ?? []).map((one) => h("p", { class: "faint" }, one)));
    } catch (error) {
      replace(result, problemBox(error));
    } finally {
      button.disabled = false;
    }
  } }, label);
  return button;
}
