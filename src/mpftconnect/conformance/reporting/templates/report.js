"use strict";
(() => {
  const get = (id) => document.getElementById(id);
  const all = [...document.querySelectorAll("#finder ~ details.requirement")];
  const words = new Map(all.map((one) => [one, one.textContent.toLowerCase()]));
  const filters = { outcome: get("by-outcome"), pack: get("by-pack"), level: get("by-level") };
  const find = get("find");
  const narrow = () => {
    const sought = find.value.trim().toLowerCase();
    let shown = 0;
    for (const one of all) {
      const fits = Object.entries(filters).every(([name, by]) => !by.value || one.dataset[name] === by.value);
      one.hidden = !(fits && words.get(one).includes(sought));
      if (!one.hidden) shown += 1;
    }
    get("found").textContent = `${shown} of ${all.length} requirements shown`;
  };
  const open = () => {
    const target = location.hash ? get(location.hash.slice(1)) : null;
    if (!(target instanceof HTMLDetailsElement)) return;
    target.hidden = false;
    target.open = true;
    target.scrollIntoView();
  };
  for (const by of [find, ...Object.values(filters)]) by.addEventListener("input", narrow);
  addEventListener("hashchange", open);
  get("finder").hidden = false;
  narrow();
  open();
})();
