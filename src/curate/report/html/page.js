"use strict";
// Comfort only: the page says everything without this script.
const root = document.documentElement;

function dark() {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

async function copy(button, text) {
  const label = button.textContent;
  await navigator.clipboard.writeText(text);
  button.textContent = "Copied";
  setTimeout(() => { if (button.textContent === "Copied") button.textContent = label; }, 1500);
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
    button.addEventListener("click", () => copy(button, block.querySelector("code").textContent));
    block.append(button);
  }
});

// A threshold that is moved: what the run would keep, counted from the bins of its histogram.
const sum = (numbers, from, to) => numbers.slice(from, to).reduce((total, number) => total + number, 0);
const shown = (number) => Math.round(number).toLocaleString("en");

function written(value, whole) {
  return whole ? String(Math.round(value)) : String(Number(value.toPrecision(4)));
}

function moved(histogram, line, number, edge) {
  const value = histogram.edges[edge];
  const now = histogram.edges.reduce((best, at, place) =>
    Math.abs(at - line.value) < Math.abs(histogram.edges[best] - line.value) ? place : best, 0);
  const [from, to] = [Math.min(edge, now), Math.max(edge, now)];
  const stricter = line.side === "min" ? edge > now : edge < now;
  return {
    value, now, same: edge === now, stricter,
    documents: stricter ? -sum(histogram.kept, from, to) : sum(histogram.alone[number], from, to),
    tokens: stricter ? -sum(histogram.tokens, from, to) : null,
  };
}

function slider(figure, histogram, line, number, summary, copies) {
  const whole = histogram.edges.every(Number.isInteger);
  const box = document.createElement("div");
  box.className = "moved";
  const label = document.createElement("label");
  const input = document.createElement("input");
  const said = document.createElement("output");
  const button = document.createElement("button");
  const start = moved(histogram, line, number, 0).now;
  label.textContent = `Move ${line.setting} `;
  Object.assign(input, { type: "range", min: 0, max: histogram.edges.length - 1, step: 1, value: start });
  button.type = "button";
  label.append(input);
  const tell = () => {
    const found = moved(histogram, line, number, Number(input.value));
    const value = found.same ? line.value : found.value;
    const setting = `--set ${line.setting}=${written(value, whole)}`;
    // where copies were removed, a removed survivor lets one of its copies back
    const about = found.same ? "" : !found.stricter ? "up to " : copies ? "at least " : "";
    const change = found.documents ? ` (${found.documents > 0 ? "+" : "\u2212"}${shown(Math.abs(found.documents))})` : "";
    const tokens = summary.tokens_kept === null ? "" : found.tokens === null && !found.same
      ? ", more tokens" : `, ${shown(summary.tokens_kept + (found.tokens ?? 0))} tokens`;
    const blind = found.stricter && !sum(histogram.kept, 0, histogram.kept.length);
    said.textContent = blind ? `${written(value, whole)}: fewer documents kept; only a rerun tells how many`
      : `${written(value, whole)}: ${about}${shown(summary.kept + found.documents)} documents kept${change}${tokens}`;
    input.setAttribute("aria-valuetext", said.textContent);
    button.textContent = `Copy ${setting}`;
    button.dataset.text = setting;
  };
  input.addEventListener("input", tell);
  button.addEventListener("click", () => copy(button, button.dataset.text));
  tell();
  box.append(label, said, button);
  figure.append(box);
}

document.addEventListener("DOMContentLoaded", () => {
  const report = JSON.parse(document.getElementById("report-data").textContent);
  for (const figure of document.querySelectorAll("[data-moved]")) {
    const histogram = report.histograms.find((one) => one.measure === figure.dataset.moved);
    histogram?.thresholds.forEach((line, number) => {
      if (line.setting && histogram.kept.length) slider(figure, histogram, line, number, report.summary, report.duplicates?.removed);
    });
  }
});

// A link into what is folded opens it.
function unfold() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let at = target && target.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", unfold);
addEventListener("DOMContentLoaded", unfold);
