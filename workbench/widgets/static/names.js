// Gives the handle of each slider in the view the name that stands in its label: ipywidgets leaves it without one.
export default {
  render({ el }) {
    el.style.display = "none";
    const label = (handle) => handle.closest(".widget-hslider, .widget-vslider")?.querySelector(".widget-label")?.textContent;
    const name = (view) => {
      for (const handle of view.querySelectorAll(".noUi-handle:not([aria-label])")) {
        handle.setAttribute("aria-label", label(handle) || "slider");
      }
    };
    const watch = new MutationObserver(() => name(el.closest(".workbench-view") ?? el));
    // the view comes into the page a moment later
    let wait = 0;
    const begin = () => {
      const view = el.closest(".workbench-view");
      if (!view) return (wait = setTimeout(begin, 100));
      name(view);
      watch.observe(view, { childList: true, subtree: true });
    };
    begin();
    return () => {
      clearTimeout(wait);
      watch.disconnect();
    };
  },
};
