// What the colours mean; a click on a label selects its points.
import { MISSING, css, table } from "./colours.js";
import { counted, tag } from "./page.js";

function swatch(entries, code, legend) {
  const tint = css([...entries.subarray(4 * code, 4 * code + 3)]);
  const made = tag("span", { class: "wb-swatch", "aria-hidden": "true" });
  if (code === MISSING) made.style.borderColor = tint;
  else made.style.background = made.style.borderColor = tint;
  if (legend.form === "labels" && code !== MISSING && code >= legend.tints.light.length) made.classList.add("wb-beyond");
  return made;
}

function row(entries, code, label, count, legend, pick) {
  const name = tag("span", { class: "wb-label", dir: "auto" }, label);
  const made = tag("button", { type: "button", class: "wb-kind", "data-code": code, title: `Select ${label} (Shift: add, Alt: take away)` });
  made.append(swatch(entries, code, legend), name, tag("span", { class: "wb-count" }, count.toLocaleString("en")));
  made.setAttribute("aria-label", `Select ${label}: ${counted(count)}`);
  made.addEventListener("click", (event) => pick(code, event.shiftKey ? "add" : event.altKey ? "remove" : "replace", label));
  return tag("li", {}, made);
}

function gradient(entries, legend) {
  const stops = Array.from({ length: 12 }, (_, k) => Math.round((254 * k) / 11)).map((c) => css([...entries.subarray(4 * c, 4 * c + 3)]));
  const bar = tag("div", { class: "wb-bar", role: "img", "aria-label": `colours from ${legend.low} to ${legend.high}` });
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  return tag("div", { class: "wb-scale" }, bar, tag("div", { class: "wb-ends" }, tag("span", {}, legend.low), tag("span", {}, legend.high)));
}

export function drawLegend(panel, legend, theme, pick) {
  panel.hidden = !legend || legend.form === "none";
  if (panel.hidden) return panel.replaceChildren();
  const entries = table(legend, theme), list = tag("ul");
  for (const { code, label, count } of legend.kinds) list.append(row(entries, code, label, count, legend, pick));
  if (legend.missing) list.append(row(entries, MISSING, "no value", legend.missing, legend, pick));
  const head = legend.name ? [tag("div", { class: "wb-name", dir: "auto" }, legend.name)] : [];
  panel.replaceChildren(...head, ...(legend.form === "numbers" && legend.low !== "" ? [gradient(entries, legend)] : []), list);
}
