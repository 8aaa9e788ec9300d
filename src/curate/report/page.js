"use strict";
// Comfort only: the page says everything without this script.
const root = document.documentElement;

function dark() {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function remember(theme) {
  try { localStorage.setItem("curate-theme", theme); } catch { /* a page opened from disk may not store */ }
}

try { root.dataset.theme = localStorage.getItem("curate-theme") ?? ""; } catch { root.dataset.theme = ""; }

document.addEventListener("DOMContentLoaded", () => {
  const toggle = document.getElementById("theme");
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remember(root.dataset.theme);
  });
  for (const block of document.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.append(button);
  }
});

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not(.samples)")) details.open = true;
});
