// Gives the handle of each slider around a map the name that stands in its label: ipywidgets leaves it without one.
const TRIES = 100; // a tenth of a second each, until the map stands in its view

function nameAll(view) {
  for (const handle of view.querySelectorAll(".noUi-handle:not([aria-label])")) {
    const label = handle.closest(".widget-hslider, .widget-vslider")?.querySelector(".widget-label");
    handle.setAttribute("aria-label", label?.textContent || "slider");
  }
}

// returns what ends it
export function nameSliders(el) {
  let wait = 0, tries = 0;
  const watch = new MutationObserver(() => nameAll(el.closest(".workbench-view") ?? el));
  const begin = () => {
    const view = el.closest(".workbench-view");
    if (!view) {
      if (++tries < TRIES) wait = setTimeout(begin, 100);
      return;
    }
    nameAll(view);
    watch.observe(view, { childList: true, subtree: true });
  };
  begin();
  return () => {
    clearTimeout(wait);
    watch.disconnect();
  };
}
