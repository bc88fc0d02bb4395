"use strict";
const D = JSON.parse(document.getElementById("data").textContent), main = document.getElementById("main"), tip = document.getElementById("tip");
const esc = (s) => String(s).replace(/[&<>"]/g, (c) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})[c]);
const num = (v) => v === null || v === undefined ? "–" : Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("en") : Number(v.toPrecision(3)).toString();
const figure = (v) => v === null || v === undefined ? "–" : Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("en") : v.toPrecision(3);
const add = (parent, html) => { const t = document.createElement("template"); t.innerHTML = html.trim(); const e = t.content.firstElementChild; parent.append(e); return e; };
const SETTINGS = {all: "All judged wells", seen_sources: "Seen sources (held-out batches)", unseen_source: "Unseen source", unseen_compounds: "Unseen compounds"};
const NAME = {nsb: "Not the same batch", nss: "Not the same source", nsb_by_compound: "Not the same batch, mean over compounds", nss_by_compound: "Not the same source, mean over compounds",
  knn_compound: "5 neighbours name the compound", knn_mechanism: "5 neighbours name the mechanism", knn_source: "5 neighbours name the source (lower is better)", knn_plate: "5 neighbours name the plate (lower is better)",
  counterfactual: "Predicted profile finds its compound", counterfactual_by_compound: "the same, mean over compounds", counterfactual_median_rank: "Median rank of the first hit",
  counterfactual_mean: "Averaged over plates", counterfactual_mean_by_compound: "Averaged over plates, mean over compounds", counterfactual_mean_median_rank: "Averaged over plates: median rank",
  map_activity: "mAP, activity", active_share: "Share of active compounds", map_consistency: "mAP, consistency of mechanisms", consistent_share: "Share of consistent compounds",
  percent_replicating: "Percent replicating (share)", silhouette_label: "Silhouette, compound", silhouette_batch: "Silhouette, batch", connectivity: "Graph connectivity", lisi_label: "LISI, compound", lisi_batch: "LISI, batch",
  nmi: "NMI of clusters", ari: "ARI of clusters"};
const named = (m, k) => (NAME[m] || m.replace(/_/g, " ")) + (k && !m.startsWith("knn") ? ", top " + k : "");
