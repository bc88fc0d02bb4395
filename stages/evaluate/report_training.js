// report_training.js -- the training's loss, the settings, where the numbers are.
(function () {
  const rows = D.log.filter((r) => typeof r.step === "number" && typeof r.loss === "number");
  if (rows.length > 1) {
    heading("training", "Training");
    const W_ = 640, H = 240, L = 46, B = 32, xs = rows.map((r) => r.step), ys = rows.map((r) => r.loss);
    const ends = (a) => a.reduce(([lo, hi], v) => [Math.min(lo, v), Math.max(hi, v)], [Infinity, -Infinity]), [, x1] = ends(xs), [y0,
      y1] = ends(ys);
    const x = (v) => L + v / (x1 || 1) * (W_ - L - 20), y = (v) => 8 + (1 - (v - y0) / (y1 - y0 || 1)) * (H - B - 12);
    section("loss", "Loss by step", "", "<div class=plot>" + svg(W_, H, axes(W_, H, L, B, x, y, [0, .25, .5, .75, 1].map((t) =>
      Math.round(t * x1)),
      [0, .5, 1].map((t) => y0 + t * (y1 - y0)), "step", "loss") + "<polyline fill=none stroke='var(--accent)' stroke-width=1.5 points='" +
      rows.map((r) => x(r.step).toFixed(1) + "," + y(r.loss).toFixed(1)).join(" ") + "'/>", "Loss by step") + "</div>");
  }
  section("settings", "Settings", "", "<details><summary>All keys that decide these profiles</summary><table class=left><tbody>" +
    Object.entries(M.configuration).map(([k, v]) => "<tr><td>" + esc(k) + "</td><td>" + esc(v) + "</td></tr>").join("") +
      "</tbody></table></details>");
  start_verdict();
  add(main, "<p class=note>All numbers: metrics.json, metrics.csv, compounds.csv, by_compound.csv, wells.csv beside this page.</p>");
})();
