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

// As people read it; `written` is what a command takes.
const read = (text) => Number(text).toLocaleString("en", { maximumFractionDigits: 12 });

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
  // no further than values go: what is beyond them may be no value of the setting
  const last = histogram.edges.findLastIndex((edge) => edge <= Math.max(histogram.largest, line.value));
  // values at a maximum stay, and are counted in the bin behind it; another similarity compares other pairs
  const most = line.side === "max" && !line.at;
  const blurred = most || histogram.pairs;
  Object.assign(input, { type: "range", min: most ? Math.min(1, start) : 0, max: Math.max(last, start), step: 1, value: start });
  button.type = "button";
  button.textContent = "Copy";
  label.append(input);
  const tell = () => {
    const found = moved(histogram, line, number, Number(input.value));
    const value = found.same ? line.value : found.value;
    const at = written(value, whole);
    const setting = `--set ${line.setting}=${at}`;
    // where copies were removed, a removed survivor lets one of its copies back
    const same = found.same || (!found.stricter && !found.documents); // nothing was removed for this limit alone
    const about = found.same || (same && !blurred) ? "" : !found.stricter ? (blurred ? "about " : "up to ")
      : copies || blurred ? "at least " : "";
    const change = found.documents ? ` (${found.documents > 0 ? "+" : "\u2212"}${shown(Math.abs(found.documents))})` : "";
    const tokens = summary.tokens_kept === null ? "" : found.tokens === null && !same
      ? ", more tokens" : `, ${shown(summary.tokens_kept + (found.tokens ?? 0))} tokens`;
    const blind = found.stricter && !sum(histogram.kept, 0, histogram.kept.length);
    said.textContent = blind ? `${read(at)}: fewer documents kept; only a rerun tells how many`
      : `${read(at)}: ${about}${shown(summary.kept + found.documents)} documents kept${change}${tokens}`;
    input.setAttribute("aria-valuetext", said.textContent);
    button.title = setting;
    button.setAttribute("aria-label", `Copy ${setting}`);
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

// What a pass would cost otherwise: the arithmetic of the table with another model, machine and price.
function short(number) {
  const units = [[1e12, " trillion"], [1e9, " billion"], [1e6, " million"]];
  const [size, unit] = units.find(([size]) => number >= size) ?? [1, ""];
  return read((number / size).toPrecision(3)) + unit;
}

function prices(box, compute) {
  const used = Object.fromEntries(compute.constants.map((one) => [one.name, one.used]));
  const attention = compute.flops_per_token - 6 * compute.model_parameters;
  const controls = [
    ["report.model_parameters", "Parameters", Math.log10(compute.model_parameters), 8, 12.3, 0.05, (at) => Number((10 ** at).toPrecision(2)), short],
    ["report.utilisation", "Share of peak", used.utilisation, 0.05, 0.8, 0.01, (at) => at, String],
    ["report.price_per_gpu_hour", "Price of a GPU-hour", used.price_per_gpu_hour, 0.2, 12, 0.05, (at) => at, String],
  ];
  const said = document.createElement("output");
  const button = document.createElement("button");
  const inputs = controls.map(([, name, value, min, max, step]) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const least = Math.min(min, value); // a whole number of steps below the value, so that it can be gone back to
    const aligned = Number((value - Math.floor((value - least) / step + 1e-9) * step).toPrecision(12));
    Object.assign(input, { type: "range", step, min: aligned, max: Math.max(max, value) });
    input.value = value;
    label.append(`${name} `, input);
    box.append(label);
    return input;
  });
  const start = [compute.model_parameters, used.utilisation, used.price_per_gpu_hour];
  const tell = () => {
    const chosen = controls.map(([, , , , , , meant], place) =>
      inputs[place].dataset.moved ? meant(Number(inputs[place].value)) : start[place]); // not rounded to a step
    inputs.forEach((input, place) => input.setAttribute("aria-valuetext", controls[place][7](chosen[place])));
    const [parameters, share, price] = chosen;
    const hours = (tokens) => tokens * compute.epochs * (6 * parameters + attention) / (used.gpu_peak_flops * share * 3600);
    const told = (tokens) => `${short(hours(tokens))} GPU-hours, ${short(hours(tokens) * price)} ${compute.money.unit}`;
    said.textContent = `${short(parameters)} parameters at ${Math.round(share * 100)} % of peak and ${price} ${compute.money.unit} a GPU-hour: `
      + `${told(compute.tokens.value)} less; of 1 trillion raw tokens like these, ${told(1e12 * compute.share.value)} less`;
    const names = controls.map(([setting]) => setting);
    button.dataset.text = names.map((name, place) => `--set ${name}=${chosen[place]}`).join(" ");
  };
  button.type = "button";
  button.textContent = "Copy these as --set";
  button.addEventListener("click", () => copy(button, button.dataset.text));
  for (const input of inputs) input.addEventListener("input", () => { input.dataset.moved = "yes"; tell(); });
  tell();
  box.append(said, button);
  box.hidden = false;
}

addEventListener("DOMContentLoaded", () => {
  const box = document.getElementById("prices");
  const { compute } = JSON.parse(document.getElementById("report-data").textContent);
  if (box && compute.share.value > 0) prices(box, compute);
});

// Find: only rows, samples and findings with all of the words are shown, and what is folded around them opens.
const FOUND = "main tbody tr, main .sample, main .alerts li, main .glossary div";
let opened = [];

function find(words, output) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const items = [...document.querySelectorAll(FOUND)];
  for (const fold of opened) fold.open = false;
  opened = [];
  const matching = items.filter((item) => {
    const text = wanted.length ? item.textContent.toLowerCase() : "";
    const matches = wanted.every((word) => text.includes(word));
    item.classList.toggle("unmatched", !matches);
    return matches;
  });
  for (const holder of document.querySelectorAll("main section, main details.samples")) {
    const holds = items.some((item) => holder.contains(item));
    holder.classList.toggle("unmatched", wanted.length > 0 && (!holds || !holder.querySelector(`:is(${FOUND}):not(.unmatched)`)));
  }
  for (const item of wanted.length ? matching : []) {
    for (let at = item.closest("details"); at; at = at.parentElement.closest("details")) {
      if (!at.open) { at.open = true; opened.push(at); }
    }
  }
  output.textContent = wanted.length ? `${shown(matching.length)} found` : "";
}

function step(by) {
  const sections = [...document.querySelectorAll("main section[id]")].filter((one) => one.offsetParent);
  const tops = sections.map((one) => one.getBoundingClientRect().top);
  const here = sections.indexOf(document.activeElement);
  const seen = here >= 0 && tops[here] > -8 && tops[here] < innerHeight; // the last ones do not reach the top
  const next = seen ? here + by : by > 0 ? tops.findIndex((top) => top > 8) : tops.findLastIndex((top) => top < -8);
  if (!sections[next]) return;
  sections[next].scrollIntoView({ behavior: "instant" });
  sections[next].tabIndex = -1;
  sections[next].focus({ preventScroll: true });
}

addEventListener("DOMContentLoaded", () => {
  const label = document.getElementById("find");
  const [input, output] = [label.querySelector("input"), label.querySelector("output")];
  label.hidden = false;
  input.addEventListener("input", () => find(input.value, output));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === input) {
      if (event.key === "Escape") { input.value = ""; find("", output); }
    } else if (event.key === "/") {
      event.preventDefault();
      input.focus();
    } else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  });
});
