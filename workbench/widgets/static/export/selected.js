// The selected points as a list of words, which are text and never markup, and their ids to copy.
const LISTED = 50;

function made(name, attributes = {}, ...inside) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...inside);
  return node;
}

export class SelectedList {
  // rows: n, their number; name, words for them or none; note(point), the text and the value of one where there are such
  constructor(place, rows) {
    Object.assign(this, { rows, ids: [] });
    this.heading = made("h2", { role: "status" });
    this.button = made("button", { type: "button" }, "Copy ids");
    this.said = made("span", { role: "status" });
    this.list = made("ul");
    this.by = made("textarea", { readonly: "", rows: "3", "aria-label": "Ids to copy by hand" });
    this.by.hidden = true;
    this.button.addEventListener("click", () => this.copy());
    place.append(this.heading, made("p", {}, this.button, " ", this.said), this.by, this.list);
  }

  show(ids) {
    this.ids = ids;
    const of = `${ids.length.toLocaleString("en")} of ${this.rows.n.toLocaleString("en")}`, name = this.rows.name ? ` in ${this.rows.name}` : "";
    const first = ids.length > LISTED ? `, the first ${LISTED} here` : "";
    this.heading.textContent = ids.length ? `Selected${name}: ${of}${first}` : `Nothing is selected${name}`;
    this.button.disabled = !ids.length;
    this.by.hidden = true;
    this.said.textContent = "";
    this.list.replaceChildren(...[...ids.slice(0, LISTED)].map((point) => this.row(point)));
  }

  row(point) {
    const { text, value } = this.rows.note(point);
    const words = text === undefined ? [] : [made("span", { dir: "auto", class: "words" }, text)];
    const of = made("span", { class: "of" }, made("bdi", {}, value ?? ""), `${value ? " · " : ""}point ${point}`);
    return made("li", {}, ...words, of);
  }

  // a browser may keep the clipboard to itself: then the ids stand in a field, ready to be copied by hand
  async copy() {
    const words = `[${[...this.ids].join(", ")}]`;
    try {
      await navigator.clipboard.writeText(words);
      this.said.textContent = "Copied.";
    } catch {
      this.by.hidden = false;
      this.by.value = words;
      this.by.select();
      this.said.textContent = "This browser does not allow it; copy them from the field.";
    }
  }
}
