"use strict";
const D = JSON.parse(document.getElementById("data").textContent), main = document.getElementById("main");
const tip = document.getElementById("tip");
const esc = (s) => String(s).replace(/[&<>"]/g, (c) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})[c]);
const figure = (v) => v === null || v === undefined ? "–" : Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("en") : v.toPrecision(3);
const num = (v) => v === null || v === undefined || Math.abs(v) >= 1000 ? figure(v) : Number(v.toPrecision(3)).toString();
const add = (parent, html) => {
  const t = document.createElement("template");
  t.innerHTML = html.trim();
  const e = t.content.firstElementChild;
  parent.append(e);
  return e;
};
const SETTINGS = D.about.settings, METRICS = D.about.metrics, ABOUT = Object.fromEntries(METRICS.map((m) => [m.name, m]));
const named = (m, k) => {
  const a = ABOUT[m];
  return !a ? m.replace(/_/g, " ") : a.label + (a.lower_is_better ? " (lower is better)" : "") + (a.by_k && k ? ", top " + k : "");
};
