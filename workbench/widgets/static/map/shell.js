// The parts of the widget in the page, around the canvases.
import { HELP } from "./keys.js";
import { tag } from "./page.js";

export function shell(toolbar) {
  const parts = {
    title: tag("span", { class: "wb-title", dir: "auto" }),
    status: tag("div", { class: "wb-status", role: "status" }),
    said: tag("div", { class: "wb-said", "aria-live": "polite" }),
    place: tag("div", { class: "wb-place" }),
    legend: tag("div", { class: "wb-legend", role: "group", "aria-label": "Colours" }),
    tip: tag("div", { class: "wb-tip", "aria-hidden": "true" }),
    hint: tag("div", { class: "wb-hint", "aria-hidden": "true" }, "Click the map to zoom with the wheel"),
    empty: tag("div", { class: "wb-none" }, "no points"),
    warn: tag("div", { class: "wb-warn", role: "alert" }),
    hidden: tag("style"),
  };
  const keys = tag("dl", {}, ...HELP.map(([key, words]) => tag("div", {}, tag("dt", {}, key), tag("dd", {}, words))));
  const help = tag("details", { class: "wb-help" }, tag("summary", {}, "Keys"), keys);
  parts.tip.hidden = parts.hint.hidden = parts.warn.hidden = parts.empty.hidden = true;
  parts.place.append(parts.empty, parts.hint, parts.tip);
  parts.root = tag("section", { class: "wb-map" });
  const top = tag("div", { class: "wb-top" }, parts.title, toolbar.root);
  const foot = tag("div", { class: "wb-foot" }, parts.status, help);
  parts.root.append(top, tag("div", { class: "wb-middle" }, parts.place, parts.legend), parts.warn, foot, parts.said);
  return parts;
}

// the note beside a point: its words are text, never markup
export function showTip(tip, camera, across, down, note) {
  tip.hidden = false;
  const lines = [tag("div", { class: "wb-words", dir: "auto" }, note.text ?? ""), tag("div", { class: "wb-of" }, note.value ? `${note.value} · ` : "", `point ${note.point}`)];
  tip.replaceChildren(...lines.slice(note.text ? 0 : 1));
  const wide = tip.offsetWidth, high = tip.offsetHeight;
  const left = across + 14 + wide > camera.width ? across - 14 - wide : across + 14;
  const top = down + 14 + high > camera.height ? down - 10 - high : down + 14;
  tip.style.transform = `translate(${Math.max(2, Math.round(Math.min(left, camera.width - wide - 2)))}px, ${Math.max(2, Math.round(top))}px)`;
}
