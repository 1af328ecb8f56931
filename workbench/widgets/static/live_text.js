// The page's half of LiveText: sends what is written, shows what Python says of it. Texts are text, never markup.
const DEBOUNCE = 60, LOST = 5000; // milliseconds; after LOST an answer is no longer waited for

function tag(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// [heading, ...cells] rows under column heads; a cell is text, or { text, dir } for words of the corpus
function fill(table, heads, rows) {
  const cell = (one) => (one?.words !== undefined ? tag("td", { class: "wb-live-words" }, tag("bdi", {}, one.words)) : tag("td", {}, String(one)));
  const top = tag("tr", {}, ...heads.map((head) => tag("th", { scope: "col" }, head)));
  const body = rows.map(([first, ...rest]) => tag("tr", {}, tag("th", { scope: "row" }, String(first)), ...rest.map(cell)));
  table.replaceChildren(table.caption, tag("thead", {}, top), tag("tbody", {}, ...body));
}

function table(name, caption) {
  return tag("table", { class: `wb-live-${name}` }, tag("caption", {}, caption));
}

class LivePanel {
  constructor(model, el) {
    Object.assign(this, { model, view: Math.random().toString(36).slice(2), seq: 0, flying: 0, waiting: null, timer: 0, since: 0 });
    this.area = tag("textarea", { rows: "5", spellcheck: "false", dir: "auto", "aria-describedby": `wb-live-${this.view}` });
    this.note = tag("div", { class: "wb-live-note", id: `wb-live-${this.view}`, role: "status" });
    this.tokens = tag("div", { class: "wb-live-tokens", dir: "auto", tabindex: "0", role: "group", "aria-label": "The text, shaded by the effect of each token" });
    this.legend = tag("div", { class: "wb-live-legend" });
    this.left = table("left", "What each token does");
    this.more = tag("details", {}, tag("summary", {}, "Tokens as a table"), this.left);
    this.numbers = table("numbers", "Diagnostics of the text");
    this.near = table("near", "Nearest texts");
    this.root = tag("section", { class: "wb-live", "aria-label": "Live text" },
      tag("label", {}, tag("span", {}, "Text"), this.area), this.note,
      tag("div", { class: "wb-live-effects" }, this.tokens, this.legend, this.more), this.numbers, this.near);
    el.append(this.root);
    this.hear = (message) => this.said(message);
    this.written = () => { this.waiting = this.area.value; clearTimeout(this.timer); this.timer = setTimeout(() => this.go(), DEBOUNCE); };
    this.area.addEventListener("input", this.written);
    // keys belong to the text, not to the notebook around it
    this.root.dataset.lmSuppressShortcuts = "true";
    model.on("msg:custom", this.hear);
    this.tell({ kind: "ready" });
  }

  tell(content) {
    try { this.model.send({ ...content, view: this.view }); } catch (error) { console.warn(error); }
  }

  // one text on its way at a time, the newest follows
  go() {
    if (this.waiting === null || (this.flying && performance.now() - this.since < LOST)) return;
    this.flying = ++this.seq;
    this.since = performance.now();
    this.tell({ kind: "edit", seq: this.seq, text: this.waiting });
    this.waiting = null;
  }

  said(message) {
    ({
      text: () => { if (message.view !== this.view && this.waiting === null) this.area.value = message.text; },
      result: () => this.result(message),
      left: () => this.effects(message),
      answer: () => this.answered(message),
    })[message.kind]?.();
  }

  answered({ seq }) {
    if (seq < this.flying) return;
    this.flying = 0;
    this.root.dataset.answered = String(seq);
    this.go();
  }

  result({ note, wrong, numbers, near }) {
    write(this.note, note);
    this.note.classList.toggle("wb-live-wrong", wrong);
    if (numbers) fill(this.numbers, numbers.heads, numbers.rows);
    if (near) fill(this.near, near.heads, near.rows.map(([id, cosine, words]) => [id, cosine, { words }]));
    this.tokens.classList.add("wb-live-old");
  }

  // parts of the text with the effect of leaving each out; null between tokens
  effects({ parts, rows, words }) {
    const most = Math.max(...parts.map(([, effect]) => effect ?? 0), 1e-9);
    this.tokens.classList.remove("wb-live-old");
    this.tokens.replaceChildren(...parts.map(([text, effect]) => {
      if (effect === null) return document.createTextNode(text);
      const token = tag("span", { title: effect.toFixed(4) }, text);
      token.style.setProperty("--wb-effect", `${Math.round(70 * (effect / most))}%`);
      return token;
    }));
    write(this.legend, words);
    fill(this.left, ["token", "effect", "cosine without it"], rows);
    this.more.hidden = rows.length === 0;
    this.root.dataset.tokens = String(rows.length);
  }

  leave() {
    clearTimeout(this.timer);
    this.tell({ kind: "gone" });
    this.model.off("msg:custom", this.hear);
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const panel = new LivePanel(model, el);
    return () => panel.leave();
  },
};
