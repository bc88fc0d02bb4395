// page.js -- what the scripts of all pages share: the page's data, numbers as text, elements, pictures with axes, the tip at the pointer.
"use strict";
const D = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main"), tip = document.getElementById("tip");
const esc = (s) => String(s).replace(/[&<>"']/g, (c) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})[c]);
const none = (v) => v === null || v === undefined || Number.isNaN(v);
const whole = (v) => Math.round(v).toLocaleString("en");
const num = (v) => none(v) ? "–" : Math.abs(v) >= 1000 ? whole(v) : Number(v.toPrecision(3)).toString();
const figure = (v) => none(v) ? "–" : Math.abs(v) >= 1000 ? whole(v) : v.toPrecision(3);
const percent = (v) => none(v) ? "–" : Math.round(100 * v) + " %";
const plural = (n, one, many) => whole(n) + " " + (n === 1 ? one : many || one + "s");
function ends(list) { // the least and the largest number
  let lo = Infinity, hi = -Infinity;
  for (const v of list) if (v === v && v !== null) lo = Math.min(lo, v), hi = Math.max(hi, v);
  return [lo, hi];
}
function add(parent, html) {
  const t = document.createElement("template");
  t.innerHTML = html.trim();
  const e = t.content.firstElementChild;
  parent.append(e);
  return e;
}

// ---- metrics ----
const SETTINGS = D.about.settings, METRICS = D.about.metrics, ABOUT = Object.fromEntries(METRICS.map((m) => [m.name, m]));
function named(m, k) {
  const a = ABOUT[m];
  return !a ? m.replace(/_/g, " ") : a.label + (a.lower_is_better ? " (lower is better)" : "") + (a.by_k && k ? ", top " + k : "");
}

// ---- colours: Okabe and Ito's for eight things or fewer, which colour-blind people tell apart; beyond, hues, and a legend to point at
// ----
const COLORS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8a7b00", "#7f7f7f"];
const color = (i, n) => n <= COLORS.length ? COLORS[i] : "hsl(" + Math.round(i * 137.508 % 360) + " 62% " + (45 + 12 * (i % 3)) + "%)";
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// ---- sections, in the order in which they are made; the bar at the top leads to them ----
const bar = document.getElementById("bar");
function section(id, title, sub, inner) {
  const s = add(main, "<section id='" + id + "'><h2>" + title + "</h2>" + (sub ? "<p class=sub>" + sub + "</p>" : "") + (inner || "") +
    "</section>");
  return s;
}
function heading(id, title) { // of several sections
  add(bar, "<a href='#" + id + "'>" + title + "</a>");
  add(main, "<h2 class=part id='" + id + "'>" + title + "</h2>");
}
const legend = (list) => "<div class=legend>" + list.map(([name, c]) => "<span><i style='background:" + c + "'></i>" + esc(name) +
  "</span>").join("") + "</div>";

// ---- pictures ----
const room = (most) => Math.max(280, Math.min(most, main.clientWidth - 60)); // a picture's width, so that texts in it stay readable
function svg(w, h, inner, label) {
  return "<svg viewBox='0 0 " + w + " " + h + "' role=img" + (label ? " aria-label='" + esc(label) + "'" : "") + ">" + inner + "</svg>";
}
function axes(w, h, l, b, x, y, xs, ys, xname, yname) {
  let s = "";
  for (const v of ys) {
    s += "<line x1=" + l + " x2=" + (w - 8) + " y1=" + y(v) + " y2=" + y(v) + " stroke='var(--grid)'/>" +
      "<text x=" + (l - 5) + " y=" + (y(v) + 4) + " text-anchor=end>" + num(v) + "</text>";
  }
  for (const v of xs) s += "<text x=" + x(v) + " y=" + (h - b + 15) + " text-anchor=middle>" + num(v) + "</text>";
  return s + "<text x=" + ((l + w - 8) / 2) + " y=" + (h - 3) + " text-anchor=middle>" + esc(xname) + "</text>" +
    "<text transform='translate(11 " + ((h - b) / 2) + ") rotate(-90)' text-anchor=middle>" + esc(yname) + "</text>";
}
function show(e, s) {
  tip.textContent = s;
  tip.style.display = "block";
  (document.querySelector("dialog[open]") || document.body).append(tip); // a dialog covers the rest of the page
  const r = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(e.clientX + 12, innerWidth - r.width - 6)) + "px";
  tip.style.top = (e.clientY + 14 + r.height > innerHeight ? e.clientY - r.height - 8 : e.clientY + 14) + "px";
}
const hide = () => { tip.style.display = "none"; };
function tips(box) {
  box.querySelectorAll("[data-tip]").forEach((c) => {
    c.onmousemove = (e) => show(e, c.dataset.tip);
    c.onmouseleave = hide;
  });
}

// ---- light and dark: as the machine has it, or as chosen ----
const redrawn = []; // functions that draw on a canvas, whose colours do not follow by themselves
const redraw = () => redrawn.forEach((f) => f());
(function () {
  const b = document.getElementById("theme"), root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  b.onclick = () => {
    root.dataset.theme = (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark";
    redraw();
  };
  dark.addEventListener("change", redraw);
  let chosen; // paper is white
  addEventListener("beforeprint", () => { chosen = root.dataset.theme; root.dataset.theme = "light"; redraw(); });
  addEventListener("afterprint", () => { if (chosen) root.dataset.theme = chosen; else delete root.dataset.theme; redraw(); });
  let wait;
  addEventListener("resize", () => { clearTimeout(wait); wait = setTimeout(redraw, 120); });
})();
