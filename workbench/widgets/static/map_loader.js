// Fetches the map's code from the kernel by message, once a page, so that a saved notebook carries only these lines.
const loaded = (globalThis.workbenchCode ??= new Map());

export default {
  render({ model, el }) {
    const key = model.get("_code");
    let leave = null, gone = false;
    const start = (code) => code.then((module) => { if (!gone) leave = module.render({ model, el }); });
    const hear = (message, buffers) => {
      if (message.kind !== "code" || message.key !== key) return;
      model.off("msg:custom", hear);
      clearTimeout(wait);
      words.remove();
      if (!loaded.has(key)) {
        const address = URL.createObjectURL(new Blob([buffers[0]], { type: "text/javascript" }));
        loaded.set(key, import(address).finally(() => URL.revokeObjectURL(address)));
      }
      start(loaded.get(key));
    };
    const words = document.createElement("p");
    const say = () => {
      words.textContent = `${model.get("summary")} (No kernel answers; run the cell to get the live map.)`;
      el.append(words);
    };
    let wait = 0;
    if (loaded.has(key)) start(loaded.get(key));
    else {
      model.on("msg:custom", hear);
      wait = setTimeout(say, 2500);
      try { model.send({ kind: "code" }); } catch (error) { console.warn(error); }
    }
    return () => {
      gone = true;
      clearTimeout(wait);
      model.off("msg:custom", hear);
      leave?.();
    };
  },
};
