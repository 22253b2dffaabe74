"use strict";
// Search and filter. Without this script the page shows everything.
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const list = document.getElementById("list");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");
  // Hygiene stands by rule, folded, below the list.
  const hygiene = document.getElementById("hygiene");
  const groups = Array.from(hygiene?.querySelectorAll(".hy") ?? [], (el) => ({
    el, count: el.querySelector(".n"), all: 0, n: 0,
  }));
  const groupOf = new Map(groups.map((g) => [g.el, g]));
  const items = Array.from(document.querySelectorAll("#list > .f, .hy > .in > .f"), (el, i) => ({
    el, i, text: null, group: groupOf.get(el.closest(".hy")), size: Number(el.dataset.size ?? 1),
    sev: el.dataset.sev, engine: el.dataset.engine, tier: el.dataset.tier,
    path: el.querySelector(".place").textContent.toLowerCase(),
    blocks: "blocks" in el.dataset, status: el.dataset.status ?? "",
    // What counts for nothing is not open: suppressed, or fixed since.
    off: "off" in el.dataset && el.dataset.status !== "fixed",
  }));
  const total = items.reduce((sum, it) => sum + it.size, 0);
  for (const it of items) if (it.group) it.group.all++;
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
  const amount = (n) => n.toLocaleString("en");
  const words = (s) => s.toLowerCase().split(/\s+/).filter(Boolean);
  const field = (name) => form.elements.namedItem(name);

  let order = "rank";
  const sort = (by) => {
    if (by === order) return;
    order = by;
    const sorted = items.slice().sort((a, b) =>
      by === "path" ? (a.path < b.path ? -1 : a.path > b.path ? 1 : a.i - b.i) : a.i - b.i);
    for (const it of sorted) it.el.parentElement.append(it.el);
  };

  const apply = () => {
    const data = new FormData(form);
    const sevs = new Set(data.getAll("sev"));
    const tiers = boxes.tier.length ? new Set(data.getAll("tier")) : null;
    const q = words(data.get("q")), path = words(data.get("path"));
    const engine = data.get("engine") ?? "", state = data.get("state");
    sort(data.get("sort"));
    let n = 0;
    for (const g of groups) g.n = 0;
    for (const it of items) {
      const ok = sevs.has(it.sev) && (!tiers || tiers.has(it.tier)) && (!engine || it.engine === engine) &&
        inState(it, state) &&
        path.every((w) => it.path.includes(w)) && q.every((w) => text(it).includes(w));
      if (it.el.hidden === ok) it.el.hidden = !ok;
      if (!ok) continue;
      n += it.size;
      if (it.group) it.group.n++;
    }
    for (const g of groups) {
      g.el.hidden = g.n === 0;
      g.count.textContent = g.n === g.all ? amount(g.all) : `${amount(g.n)} of ${amount(g.all)}`;
    }
    if (hygiene) hygiene.hidden = groups.every((g) => g.n === 0);
    shown.textContent = `${amount(n)} of ${amount(total)} findings shown`;
    none.hidden = n > 0;
    save(data);
  };

  // The address is the filter, so that a view can be handed on.
  const boxes = {};
  for (const k of ["sev", "tier"]) boxes[k] = Array.from(form.querySelectorAll(`input[name=${k}]`));
  const defaults = { q: "", path: "", engine: "", state: "open", sort: "rank" };
  const save = (data) => {
    const p = new URLSearchParams();
    for (const k of Object.keys(defaults)) {
      const v = data.get(k) ?? "";
      if (v !== defaults[k] && field(k)) p.set(k, v);
    }
    for (const [k, all] of Object.entries(boxes)) {
      const on = all.filter((b) => b.checked).map((b) => b.value);
      if (on.length < all.length) p.set(k, on.join(","));
    }
    const hash = p.toString();
    if (hash || location.hash.startsWith("#filter:")) {
      try { history.replaceState(null, "", hash ? "#filter:" + hash : location.pathname + location.search); } catch { /* a file: page may refuse */ }
    }
  };
  const load = () => {
    if (!location.hash.startsWith("#filter:")) return;
    const p = new URLSearchParams(location.hash.slice(8));
    for (const k of Object.keys(defaults)) if (field(k)) field(k).value = p.get(k) ?? defaults[k];
    for (const [k, all] of Object.entries(boxes)) {
      const on = p.get(k)?.split(",");
      for (const b of all) b.checked = !on || on.includes(b.value);
    }
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
    for (const g of groups) if (!g.el.hidden) g.el.open = open;
  };

  // j and k move between findings and rules, only while one has the focus.
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || (e.key !== "j" && e.key !== "k")) return;
    const from = e.target.closest?.("summary")?.closest(".f, .hy");
    if (!from) return;
    const stops = Array.from(document.querySelectorAll("#list > .f, .hy, .hy[open] > .in > .f"));
    const step = e.key === "j" ? 1 : -1;
    let i = stops.indexOf(from) + step;
    while (stops[i]?.closest("[hidden]")) i += step;
    stops[i]?.querySelector("summary").focus();
  });

  // A link to a finding or a rule opens it, and what it lies in.
  const reveal = () => {
    const id = location.hash.slice(1);
    const el = /^[fhr]\d+$/.test(id) && document.getElementById(id);
    if (!el) return;
    const inner = el.matches("details") ? el : el.querySelector("details");
    for (let d = inner; d; d = d.parentElement.closest("details")) d.open = true;
    el.scrollIntoView();
  };
  window.addEventListener("hashchange", reveal);

  form.hidden = false;
  for (const el of document.querySelectorAll("[data-script]")) el.hidden = false;
  load();
  apply();
  reveal();
})();
