"use strict";
// Search and filter. Without this script the page shows everything.
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const list = document.getElementById("list");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");
  const items = Array.from(list.children, (el, i) => ({
    el, i, text: null,
    sev: el.dataset.sev, engine: el.dataset.engine,
    path: el.querySelector(".place").textContent.toLowerCase(),
    blocks: "blocks" in el.dataset, status: el.dataset.status ?? "",
    // What counts for nothing is not open: suppressed, or fixed since.
    off: "off" in el.dataset && el.dataset.status !== "fixed",
  }));
  // The text of all findings is gathered on the first search only.
  const text = (it) => it.text ?? (it.text = it.el.textContent.toLowerCase());
  const inState = (it, state) => {
    switch (state) {
      case "all": return true;
      case "blocks": return it.blocks;
      case "off": return it.off;
      case "fixed": return it.status === "fixed";
      case "new": case "unchanged": return !it.off && it.status === state;
      default: return !it.off && it.status !== "fixed";
    }
  };
  const words = (s) => s.toLowerCase().split(/\s+/).filter(Boolean);
  const field = (name) => form.elements.namedItem(name);

  let order = "rank";
  const sort = (by) => {
    if (by === order) return;
    order = by;
    const sorted = items.slice().sort((a, b) =>
      by === "path" ? (a.path < b.path ? -1 : a.path > b.path ? 1 : a.i - b.i) : a.i - b.i);
    list.append(...sorted.map((it) => it.el));
  };

  const apply = () => {
    const data = new FormData(form);
    const sevs = new Set(data.getAll("sev"));
    const q = words(data.get("q")), path = words(data.get("path"));
    const engine = data.get("engine") ?? "", state = data.get("state");
    sort(data.get("sort"));
    let n = 0;
    for (const it of items) {
      const ok = sevs.has(it.sev) && (!engine || it.engine === engine) &&
        inState(it, state) &&
        path.every((w) => it.path.includes(w)) && q.every((w) => text(it).includes(w));
      if (it.el.hidden === ok) it.el.hidden = !ok;
      if (ok) n++;
    }
    shown.textContent = `${n.toLocaleString("en")} of ${items.length.toLocaleString("en")} findings shown`;
    none.hidden = n > 0;
    save(data, sevs);
  };

  // The address is the filter, so that a view can be handed on.
  const boxes = Array.from(form.querySelectorAll("input[name=sev]"));
  const defaults = { q: "", path: "", engine: "", state: "open", sort: "rank" };
  const save = (data, sevs) => {
    const p = new URLSearchParams();
    for (const k of Object.keys(defaults)) {
      const v = data.get(k) ?? "";
      if (v !== defaults[k] && field(k)) p.set(k, v);
    }
    if (sevs.size < boxes.length) p.set("sev", [...sevs].join(","));
    const hash = p.toString();
    if (hash || location.hash.startsWith("#filter:")) {
      try { history.replaceState(null, "", hash ? "#filter:" + hash : location.pathname + location.search); } catch { /* a file: page may refuse */ }
    }
  };
  const load = () => {
    if (!location.hash.startsWith("#filter:")) return;
    const p = new URLSearchParams(location.hash.slice(8));
    for (const k of Object.keys(defaults)) if (field(k)) field(k).value = p.get(k) ?? defaults[k];
    const sevs = p.get("sev");
    for (const b of boxes) b.checked = sevs === null || sevs.split(",").includes(b.value);
  };

  let timer = 0;
  const later = () => { clearTimeout(timer); timer = setTimeout(apply, 120); };
  form.addEventListener("submit", (e) => { e.preventDefault(); apply(); });
  form.addEventListener("input", later);
  form.addEventListener("reset", () => setTimeout(apply));
  window.addEventListener("hashchange", () => { load(); apply(); });
  document.getElementById("open-all").addEventListener("click", () => fold(true));
  document.getElementById("close-all").addEventListener("click", () => fold(false));
  const fold = (open) => {
    for (const it of items) if (!it.el.hidden) it.el.firstElementChild.open = open;
  };

  // j and k move between findings, only while one has the focus.
  list.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || (e.key !== "j" && e.key !== "k")) return;
    const step = e.key === "j" ? "nextElementSibling" : "previousElementSibling";
    let el = e.target.closest(".f");
    do el = el?.[step]; while (el?.hidden);
    el?.querySelector("summary").focus();
  });

  // A link to a finding or a rule opens it.
  const reveal = () => {
    const id = location.hash.slice(1);
    const el = /^[fr]\d+$/.test(id) && document.getElementById(id);
    const details = el && (el.matches("details") ? el : el.querySelector("details"));
    if (details) { details.open = true; el.scrollIntoView(); }
  };
  window.addEventListener("hashchange", reveal);

  form.hidden = false;
  for (const el of document.querySelectorAll("[data-script]")) el.hidden = false;
  load();
  apply();
  reveal();
})();
