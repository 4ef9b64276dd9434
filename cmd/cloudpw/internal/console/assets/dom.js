// All that the page shows is made here. Text from outside becomes text nodes and never markup.

// Characters that a reader does not see or that change how others are shown: controls (also ANSI escapes), marks and overrides of
// the writing direction, characters without width, tags, and halves of surrogate pairs.
const unseen = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]|\p{Surrogate}/gu;

// clean writes such characters as \u{202e}, so that a name shows what it is. Line ends and tabs become blanks.
export function clean(text) {
  return String(text ?? "").replace(unseen, (c) =>
    c === "\n" || c === "\t" || c === "\r" ? " " : `\\u{${c.codePointAt(0).toString(16)}}`);
}

// h makes an element. Properties that begin with "on" are listeners; true and false set and leave out an attribute. Children are
// elements, texts, lists of them, or null.
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value; // a choice is compared with what it was made of
    else element.setAttribute(name, value === true ? "" : name === "href" ? value : clean(value));
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(element, child);
    else element.append(child instanceof Node ? child : clean(child));
  }
}

export function replace(element, ...children) {
  element.replaceChildren();
  add(element, children);
}

// longText shows the beginning of a long text, and all of it on demand.
export function longText(text, shown = 300) {
  const cleaned = clean(text);
  if (cleaned.length <= shown) return h("span", { class: "outside", dir: "auto" }, cleaned);
  return h("span", { class: "outside", dir: "auto" }, cleaned.slice(0, shown), "… ",
    h("details", null, h("summary", null, `all ${cleaned.length.toLocaleString("en")} characters`),
      h("div", { class: "whole", tabindex: "0", role: "group", "aria-label": "the whole text" }, cleaned)));
}

// say has a screen reader say something.
export function say(text) {
  const said = document.getElementById("said");
  replace(said, h("p", null, text));
}

// ask shows a question and resolves to the answer.
export function ask(title, text, yes) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "question" },
      h("h2", { id: "question" }, title), h("p", null, text),
      h("div", { class: "buttons" },
        h("button", { type: "button", class: "main", onclick: () => dialog.close("yes") }, yes),
        h("button", { type: "button", autofocus: true, onclick: () => dialog.close("") }, "Cancel")));
    const before = document.activeElement;
    dialog.addEventListener("close", () => {
      dialog.remove();
      before?.focus();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
