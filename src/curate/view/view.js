"use strict";
// Keys only: every page works without this script.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const step = { j: 1, k: -1 }[event.key];
  const pressed = document.querySelector(`button[data-key="${CSS.escape(event.key)}"]`);
  if (pressed) pressed.click();
  if (!step) return;
  const items = [...document.querySelectorAll("[data-item]")];
  const neighbour = document.querySelector(step > 0 ? 'a[rel="next"]' : 'a[rel="prev"]');
  if (!items.length) {
    if (neighbour) neighbour.click();
    return;
  }
  const at = items.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : items.length - 1) : at + step;
  if (items[next]) items[next].focus();
  else if (neighbour) neighbour.click();
});
