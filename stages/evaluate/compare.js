const col = (i) => COLORS[i % COLORS.length];
document.title = D.screen + ": " + D.runs.join(" · ");
add(main, "<h1>" + [D.screen, ...D.runs].map(esc).join(" · ") + "</h1>");
add(main, "<p class=sub>Δ: the difference to " + esc(D.runs[0]) + ", over the compounds that both have; intervals: 95&nbsp;%, " +
  "paired bootstrap over compounds (and over the runs of a method that has several). An interval without 0 is drawn full.</p>");
const groups = {};
for (const f of D.figures) (groups[f.profiles + "|" + f.setting] ||= []).push(f);
const titled = (g) => { const [p, s] = g.split("|");
  return (SETTINGS[s] || s.replace(/_/g, " ")) + ", " + (p === "corrected" ? "with" : "without") + " correction"; };
const name = (f) => named(f.metric, f.k), change = (v) => Math.abs(v) < 1e-6 ? "0" : figure(v);
const interval = (r) => r.v[1] === null ? "" : "<small>" + figure(r.v[1]) + " – " + figure(r.v[2]) + "</small>";
const table = (body) => "<table class=m style='--cols:" + D.runs.length + "'><thead><tr><th></th>" + D.runs.map((r, i) => "<th>" +
  esc(r) + (D.seeds[i] > 1 ? "<small>mean of " + D.seeds[i] + " runs</small>" : "") + "</th>").join("") + "</tr></thead><tbody>" + body +
  "</tbody></table>";
{ // one figure at a time: settings by methods
  const figures = [...new Set(D.figures.map((f) => f.metric + "|" + f.k))].map((k) => D.figures.find((f) => f.metric + "|" + f.k === k));
  const sec = add(main, "<section id=overview><h2>Overview</h2><p class=sub>★ the best of a row, the deeper the colour the nearer to it; " +
    "intervals that overlap may be chance: the differences below tell.</p><div class=controls><label>Figure <select>" +
    figures.map((f, i) => "<option value=" + i + ">" + name(f) + "</option>").join("") + "</select></label></div><div></div></section>");
  const choice = sec.querySelector("select"), row = (f) => {
    const sign = ABOUT[f.metric] && ABOUT[f.metric].lower_is_better ? -1 : 1;
    const values = f.runs.map((r) => none(r.v[0]) ? NaN : sign * r.v[0]), [lo, hi] = ends(values);
    const shade = (v) => v !== v || hi <= lo ? 0 : Math.round(20 * (v - lo) / (hi - lo));
    return "<tr><td>" + titled(f.profiles + "|" + f.setting) + "</td>" + f.runs.map((r, i) => "<td title='" + r.v[0] +
      "' style='background:color-mix(in srgb, var(--accent) " + shade(values[i]) + "%, var(--card))'>" + (values[i] === hi && hi > lo ?
      "★ " : "") + figure(r.v[0]) + interval(r) + "</td>").join("") + "</tr>";
  };
  choice.onchange = () => { const c = figures[choice.value];
    sec.lastElementChild.innerHTML = table(D.figures.filter((f) => f.metric === c.metric && f.k === c.k).map(row).join("")); };
  choice.onchange();
}
for (const [g, list] of Object.entries(groups)) {
  const sec = add(main, "<section><h2>" + titled(g) + "</h2><div class=legend>" +
    D.runs.map((r, i) => "<span><i style='background:" + col(i) + "'></i>" + esc(r) + "</span>").join("") +
    "</div>" + table("") + "<div class=plot></div></section>");
  const delta = (r, i) => !i || r.d[0] === null ? "" :
    "<small>Δ " + (r.d[0] >= 1e-6 ? "+" : "") + change(r.d[0]) +
    (r.d[1] === null ? "" : " (" + change(r.d[1]) + " – " + change(r.d[2]) + ")") + "</small>";
  const cell = (r, i) => "<td title='" + r.v[0] + "'>" + figure(r.v[0]) + interval(r) + delta(r, i) + "</td>";
  for (const f of list)
    sec.querySelector("tbody").appendChild(document.createElement("tr")).innerHTML = "<td>" + name(f) + "</td>" + f.runs.map(cell).join("");
  const all = list.flatMap((f) => f.runs.slice(1).flatMap((r) => r.d)).filter((v) => v !== null);
  const W = 720, row = 14 * (D.runs.length - 1) + 10, L = 330, m = Math.max(.01, ...all.map(Math.abs)) * 1.08;
  const x = (v) => L + (v + m) / (2 * m) * (W - L - 14), H = list.length * row + 30;
  let y = 6, inner = "<line x1=" + x(0) + " x2=" + x(0) + " y1=0 y2=" + (H - 24) + " stroke='var(--soft)'/>";
  for (const f of list) {
    inner += "<text x=" + (L - 10) + " y=" + (y + row / 2) + " text-anchor=end>" + name(f) + "</text>";
    f.runs.slice(1).forEach((r, i) => { if (r.d[0] === null) return; const yy = y + 9 + 14 * i, sure = r.d[1] > 0 || r.d[2] < 0;
      const line = r.d[1] === null ? "" : "<line x1=" + x(r.d[1]) + " x2=" + x(r.d[2]) + " y1=" + yy + " y2=" + yy +
        " stroke='" +
        col(i + 1) + "' stroke-width=3 />";
      inner += "<g opacity=" + (sure ? 1 : .45) + ">" + line + "<circle cx=" + x(r.d[0]) + " cy=" + yy + " r=4 fill='" + col(i + 1) +
        "'/></g>"; });
    y += row;
  }
  for (const v of [-m / 1.08, 0, m / 1.08]) inner += "<text x=" + x(v) + " y=" + (H - 8) + " text-anchor=middle>" + num(v) + "</text>";
  sec.querySelector(".plot").innerHTML = "<svg viewBox='0 0 " + W + " " + H + "' role=img>" + inner + "</svg>";
}
add(main, "<p class=note style='margin-top:14px'>All numbers: compare.csv beside this page.</p>");
