// The page's half of TrainingMonitor: draws what Python sends, and says that the button was pressed.
const SVG = "http://www.w3.org/2000/svg";
const WIDE = 240, HIGH = 90;
const TITLES = { lr: "learning rate", grad_norm: "gradient norm" };

function tag(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

function drawn(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// the text changes only where it differs: a page that is read aloud stays calm
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function span(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function panel(name) {
  const value = tag("span", { class: "wb-value" });
  const title = TITLES[name] ?? name;
  const picture = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img" });
  const high = tag("span", { class: "wb-high" }), low = tag("span", { class: "wb-low" });
  const first = tag("span"), last = tag("span");
  const none = tag("div", { class: "wb-none" }), note = tag("span", { class: "wb-note" });
  const plot = tag("div", { class: "wb-plot" }, picture, high, low, none);
  const foot = tag("div", { class: "wb-foot", "aria-hidden": "true" }, first, note, last);
  const root = tag("div", { class: "wb-panel", "data-name": name });
  root.append(tag("div", { class: "wb-head" }, tag("span", {}, title), value), plot, foot);
  return { root, title, value, picture, high, low, first, last, none, note };
}

// paths through the finite points, a dot for one that stands alone, a mark at the foot for one that is not finite;
// the first of those is marked also where thinning has dropped its point
function shapes(steps, values, width, oddAt) {
  const finite = Array.from(values).filter(Number.isFinite);
  const low = Math.min(...finite), range = Math.max(...finite) - low || 1;
  const start = steps[0], wide = width - start || 1;
  const made = [];
  const across = (step) => ((WIDE * (step - start)) / wide).toFixed(1);
  const mark = (step) => made.push(drawn("path", { class: "wb-odd", d: `M${across(step)} ${HIGH - 9}V${HIGH}` }));
  let path = [];
  const close = () => {
    if (path.length) made.push(drawn("path", { class: "wb-line", d: "M" + (path.length > 1 ? path : [path[0], path[0]]).join("L") }));
    path = [];
  };
  for (let i = 0; i < steps.length; i++) {
    if (Number.isFinite(values[i])) path.push(`${across(steps[i])} ${(HIGH * (0.94 - (0.88 * (values[i] - low)) / range)).toFixed(1)}`);
    else {
      close();
      mark(steps[i]);
    }
  }
  close();
  if (oddAt !== null) mark(oddAt);
  return made;
}

function fill(p, curve, steps, values, message) {
  write(p.value, steps.length ? curve.last : "");
  p.root.classList.toggle("wb-empty", !steps.length);
  const odd = curve.odd ? `NaN/inf at step ${curve.oddAt}${curve.odd > 1 ? ` and ${curve.odd - 1} more` : ""}` : "";
  const begun = message.curves.some((c) => c.lowest || c.odd);
  write(p.note, odd);
  write(p.none, steps.length ? "" : begun ? `this training step gives no ${p.title}` : "no numbers yet");
  p.picture.replaceChildren(...(steps.length ? shapes(steps, values, steps[steps.length - 1], curve.oddAt) : []));
  write(p.high, curve.highest ? curve.highest[0] : "");
  write(p.low, curve.lowest && curve.lowest[0] !== curve.highest[0] ? curve.lowest[0] : "");
  write(p.first, steps.length ? `step ${steps[0]}` : "");
  write(p.last, steps.length > 1 ? `${steps[steps.length - 1]}` : "");
  const ends = curve.lowest ? `, lowest ${curve.lowest[0]} at step ${curve.lowest[1]}, highest ${curve.highest[0]} at step ${curve.highest[1]}` : "";
  p.picture.setAttribute("aria-label", steps.length ? `${p.title} to step ${steps[steps.length - 1]}: last ${curve.last}${ends}. ${odd}` : `${p.title}: none`);
}

function numbers(table, message) {
  const row = (cells, kind) => tag("tr", {}, ...cells.map((cell, i) => tag(i && kind === "td" ? "td" : "th", { scope: kind === "td" ? "row" : "col" }, cell)));
  const end = (pair) => (pair ? `${pair[0]} (${pair[1]})` : "none");
  const filled = message.curves.filter((c) => c.lowest || c.odd);
  table.replaceChildren(
    row(["number", "last", "lowest (step)", "highest (step)", "NaN or infinite"], "th"),
    ...filled.map((c) => row([TITLES[c.name] ?? c.name, c.last, end(c.lowest), end(c.highest), c.odd ? `${c.odd}, first at ${c.oddAt}` : "none"], "td")),
  );
}

// what is read aloud: the beginning, each quarter, the first number that is not finite, the button, the end
function milestone(message) {
  if (message.reason) return message.summary;
  if (message.stopping) return "Training stops after this step.";
  const odd = message.curves.find((c) => c.odd);
  if (odd) return `${TITLES[odd.name] ?? odd.name} is NaN or infinite since step ${odd.oddAt}.`;
  const quarter = Math.floor((4 * message.step) / message.steps);
  return quarter ? `${25 * quarter} % of ${message.steps} steps.` : `Training begun, ${message.steps} steps.`;
}

function status(message) {
  const time = message.left !== null ? `, about ${span(message.left)} left` : "";
  const passed = message.seconds >= 1 ? `, ${span(message.seconds)} passed` : "";
  return `step ${message.step} of ${message.steps}${passed}${time}`;
}

export default {
  render({ model, el }) {
    const heading = tag("span", { class: "wb-title", tabindex: "-1" }, "Training");
    const line = tag("span", { class: "wb-status" }, model.get("summary"));
    const button = tag("button", { type: "button", class: "wb-stop", disabled: "" }, "Stop");
    const done = tag("div", { class: "wb-done" });
    const bar = tag("div", { class: "wb-bar", role: "progressbar", "aria-label": "steps made", "aria-valuemin": "0" }, done);
    const said = tag("div", { class: "wb-said", "aria-live": "polite" });
    const panels = tag("div", { class: "wb-panels" });
    const table = tag("table");
    const details = tag("details", {}, tag("summary", {}, "Numbers"), table);
    const root = tag("section", { class: "wb-monitor", "aria-label": "Training monitor" });
    root.append(tag("div", { class: "wb-top" }, heading, line, button), bar, said, panels, details);
    el.append(root);
    const hidden = tag("style");
    const made = new Map();
    let latest = null, points = null, frame = 0, heard = 0, heardAt = 0, asked = false;

    // a channel that is closed throws; the silence after it is what the page reports
    const tell = (content) => { try { model.send(content); } catch (error) { console.warn(error); } };
    const press = () => {
      if (!latest || button.getAttribute("aria-disabled") === "true") return;
      tell({ kind: "stop", run: latest.run });
      button.setAttribute("aria-disabled", "true");
      write(button, "Stopping");
      write(said, "Training stops after this step.");
      const before = heard;
      setTimeout(() => { if (heard === before) write(line, "Stop is asked for; the kernel has not answered yet."); }, 5000);
    };
    const drawButton = (message) => {
      const over = !message.steps || message.reason !== "";
      if (over && document.activeElement === button) heading.focus();
      button.disabled = over;
      button.setAttribute("aria-disabled", String(over || message.stopping));
      write(button, message.stopping && !over ? "Stopping" : "Stop");
    };
    const drawPanels = (message) => {
      let at = 0;
      const names = message.curves.map((c) => c.name);
      for (const [name, p] of made) if (!names.includes(name)) { p.root.remove(); made.delete(name); }
      message.curves.forEach((curve, i) => {
        if (!made.has(curve.name)) {
          made.set(curve.name, panel(curve.name));
          panels.append(made.get(curve.name).root);
        }
        const n = message.lengths[i];
        fill(made.get(curve.name), curve, points.subarray(at, at + n), points.subarray(at + n, at + 2 * n), message);
        at += 2 * n;
      });
    };
    const draw = () => {
      frame = 0;
      const message = latest;
      root.dataset.reason = message.reason;
      write(line, message.reason ? `${message.ended}: ${status(message)}` : message.steps ? status(message) : message.summary);
      done.style.width = `${message.steps ? (100 * message.step) / message.steps : 0}%`;
      bar.setAttribute("aria-valuemax", message.steps);
      bar.setAttribute("aria-valuenow", message.step);
      drawButton(message);
      drawPanels(message);
      numbers(table, message);
      if (message.steps) write(said, milestone(message));
      // the picture for saved notebooks stands beside the widget: not while this is alive
      write(hidden, message.marks.map((m) => `[data-workbench-saved="${m}"], .jp-OutputArea-child:has([data-workbench-saved="${m}"]) { display: none; }`).join("\n"));
    };
    const hear = (message, buffers) => {
      if (message.kind !== "all") return;
      const b = buffers[0];
      heard += 1;
      heardAt = performance.now();
      asked = false;
      latest = message;
      points = new Float64Array(b.buffer ? b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength) : b.slice(0));
      if (!frame) frame = requestAnimationFrame(draw);
    };
    // a restarted kernel tells nobody: after ten silent seconds it is asked, after fifteen the page says so
    const wonder = () => {
      const quiet = (performance.now() - heardAt) / 1000;
      if (!latest || !latest.steps || latest.reason || quiet < 10) return;
      if (!asked) tell({ kind: "ready" });
      asked = true;
      if (quiet >= 15) write(line, `No news for ${span(quiet)}: a long step, or the kernel is gone. ${status({ ...latest, left: null })}`);
    };
    const watch = setInterval(wonder, 1000);
    button.addEventListener("click", press);
    model.on("msg:custom", hear);
    document.head.append(hidden);
    tell({ kind: "ready" });
    // a saved notebook, or a kernel that is gone: the sentence that was saved, and the picture beside
    setTimeout(() => { if (!heard) write(line, `${model.get("summary")} (No kernel answers.)`); }, 3000);
    return () => {
      cancelAnimationFrame(frame);
      clearInterval(watch);
      model.off("msg:custom", hear);
      hidden.remove();
    };
  },
};
