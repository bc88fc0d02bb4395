// report_hits.js -- the table of treatments: searched, filtered, sorted, its columns chosen, saved as CSV; only the rows in sight are
// drawn.
const FIGURES = { // of compounds.csv: label, help, whether it is shown at first
  activity_map: ["mAP", "Mean average precision: finds its own wells before its plate's controls; 1 is best", true],
  activity_normalized: ["Norm. mAP", "mAP on a scale where 0 is chance and 1 is best", true],
  activity_p: ["p", "p-value of the mAP", false],
  activity_q: ["q", "p-value of the mAP, corrected for the number of treatments; below 0.05: active", true],
  consistency_map: ["Mechanism mAP", "Finds compounds of its mechanism before others", false],
  consistency_normalized: ["Norm. mechanism mAP", "Mechanism mAP on a scale where 0 is chance and 1 is best", false],
  consistency_p: ["Mechanism p", "p-value of the mechanism mAP", false],
  consistency_q: ["Mechanism q", "the same, corrected", false]};
const Hits = {form: FORM, columns: [], rows: new Int32Array(0), sort: "activity_map", down: true, shown: new Set(), at: 0,
  inside: null}; // inside: the treatments of an area of the map, or null

function hit_columns() {
  const c = [], compare = new Intl.Collator("en", {numeric: true}).compare;
  const text = (id, label, help, list, first, width) => c.push({id, label, help, first, width, text: (t) => list[t], key: () => {
    const order = Int32Array.from(list.keys()).sort((a, b) => compare(list[a], list[b])), rank = new Float64Array(T.n);
    order.forEach((t, i) => { rank[t] = list[t] === "" ? NaN : i && list[t] === list[order[i - 1]] ? rank[order[i - 1]] : i; });
    return rank;
  }});
  const real = (id, label, help, get, first, bar) => c.push({id, label, help, first, bar, number: get,
    width: label.length > 8 ? "98px" : "78px", text: (t) =>
    num(get(t)),
    key: () => Float64Array.from({length: T.n}, (_, t) => none(get(t)) ? NaN : get(t))});
  text("name", "Treatment", "Name; the identifier where there is none", T.name, true, "minmax(130px,1.5fr)");
  if (NAME) text("id", "Identifier", "Compound, and the columns of screen.treatment", T.id, false, "minmax(120px,1fr)");
  real("wells", "Wells", "Wells that are evaluated (held out of training, where there was one)", (t) => T.evaluated[t], true);
  const names = [...new Set(Object.values(T.figures).flatMap((f) => Object.keys(f)))];
  for (const f of names) {
    const [label, help, first] = FIGURES[f] || [f.replace(/_/g, " ").replace("activity ", ""), f, false];
    real(f, label, help, (t) => value(Hits.form, f, t), first, f.endsWith("_map") || f.includes("normalized"));
  }
  const alike = "Mean cosine between its wells of different ";
  if (D.treatments.batches.some((v) => v !== null)) real("batches", "Batches", alike + "batches: 1 is the same again", (t) =>
    D.treatments.batches[t], !AGREE);
  if (D.treatments.sources.some((v) => v !== null)) real("sources", "Sources", alike + "sources", (t) => D.treatments.sources[t], !AGREE);
  if (AGREE) {
    text("agree", AGREE.by === "source" ? "Sources agree" : "Batches agree",
      "Of how many its wells are more like its wells of the others " +
      "than 95 % of controls posed as treatments are", T.id.map((_, t) => AGREE.judged[t] ? AGREE.agree[t] + " of " +
        AGREE.judged[t] : ""), true,
    "minmax(130px,.5fr)");
  }
  if (D.treatments.predicted) {
    real("predicted", "Predicted", "Cosine of the profile predicted from its structure and the observed one",
      (t) => D.treatments.predicted[t] && D.treatments.predicted[t][0], false);
  }
  if (MECHANISM) text("mechanism", "Mechanism", M.mechanism_column, T.mechanism, true, "minmax(120px,1.2fr)");
  const near = D.treatments.nearest.map((n) => n.length ? T.name[n[0]] + " " + num(n[1]) : "");
  text("nearest", "Most similar", "The treatment with the nearest consensus profile, and the cosine", near, true, "minmax(130px,1.2fr)");
  text("flags", "Flags", "single well; one position: on all its plates; one batch; flagged: wells whose images failed quality control",
    T.flags, true,
    "minmax(90px,.7fr)");
  for (const col of c) { const key = col.key; let kept, of; col.key = () => of === Hits.form && kept ? kept : (of = Hits.form,
    kept = key()); }
  return c;
}

(function () {
  heading("hits", "Hits");
  const sec = section("hits-table", "Every treatment",
    "A row opens its card: wells, place on the map, most similar treatments. Click a heading to sort; " +
    "arrow keys move, Enter opens.",
      "<div class=controls><input type=search placeholder='name, identifier, mechanism' aria-label='Search treatments'>" +
    "<label>show <select class=filter><option value=all>all</option><option value=active>active (q &lt; 0.05)</option>" +
    "<option value=flagged>with flags</option></select></label><label class=form>profiles <select></select></label>" +
    "<details class=menu><summary>Columns</summary><div></div></details><button class=csv>Save as CSV</button>" +
    "<button class=area hidden>× area of the map</button><span class=count></span></div>" +
    "<div class=grid role=grid tabindex=0 aria-label='Treatments'><div class='row head' role=row></div>" +
    "<div class=space><div class=rows></div></div></div>");
  const $ = (s) => sec.querySelector(s), grid = $(".grid"), head = $(".head"), space = $(".space"), rows = $(".rows"), H = 32;
  const hay = T.id.map((id, t) => (T.name[t] + "\n" + id + "\n" + T.mechanism[t]).toLowerCase());
  Hits.columns = hit_columns();
  const width = main.clientWidth, narrow = width < 480 ? ["name", "activity_map", "activity_q"] : ["name", "wells", "activity_map",
    "activity_q", AGREE ? "agree" : "batches"];
  for (const c of Hits.columns) if (width < 800 ? narrow.includes(c.id) : c.first) Hits.shown.add(c.id);
  for (const f of KINDS) if (T.figures[f]) $(".form select").add(new Option(WITH[f], f, false, f === FORM));
  if (Object.keys(T.figures).length < 2) $(".form").remove();
  const visible = () => Hits.columns.filter((c) => Hits.shown.has(c.id));

  function draw_head() {
    const cols = visible();
    grid.style.setProperty("--columns", cols.map((c) => c.width).join(" "));
    head.innerHTML = cols.map((c) => "<button role=columnheader data-id='" + c.id + "' title='" + esc(c.help) + "'" +
      (c.number ? " class=n" : "") +
      (c.id === Hits.sort ? " aria-sort=" + (Hits.down ? "descending" : "ascending") : "") + ">" + esc(c.label) +
      (c.id === Hits.sort ? Hits.down ? " ▾" : " ▴" : "") + "</button>").join("");
  }
  function draw_rows() {
    const cols = visible(), first = Math.max(0, Math.floor(grid.scrollTop / H) - 5), last = Math.min(Hits.rows.length, first +
      Math.ceil(grid.clientHeight / H) + 12);
    let html = "";
    for (let r = first; r < last; r++) {
      const t = Hits.rows[r];
      html += "<div class='row" + (r === Hits.at ? " at" : "") + "' role=row aria-rowindex=" + (r + 2) + " data-row=" + r + ">";
      for (const c of cols) {
        const s = c.text(t), v = c.bar ? c.number(t) : null;
        html += "<span role=gridcell" + (c.number ? " class=n" : " title='" + esc(s) + "'") +
          (none(v) ? "" : " style='--bar:" + Math.round(100 * Math.max(0, Math.min(1, v))) + "%'") + ">" + esc(s) + "</span>";
      }
      html += "</div>";
    }
    rows.style.transform = "translateY(" + first * H + "px)";
    rows.innerHTML = html;
  }
  function arrange() {
    const want = $("input").value.trim().toLowerCase().split(/\s+/).filter((s) => s), filter = $(".filter").value, list = [];
    const q = T.figures[Hits.form] && T.figures[Hits.form].activity_q || [];
    for (let t = 0; t < T.n; t++) {
      if (filter === "active" && !(q[t] !== null && q[t] < .05) || filter === "flagged" && !T.flags[t]) continue;
      if (Hits.inside && !Hits.inside.has(t)) continue;
      if (want.every((s) => hay[t].includes(s))) list.push(t);
    }
    const key = (Hits.columns.find((c) => c.id === Hits.sort) || Hits.columns[0]).key(), sign = Hits.down ? -1 : 1;
    list.sort((a, b) => {
      const x = key[a], y = key[b], nx = x !== x, ny = y !== y;
      return nx || ny ? nx - ny || a - b : x !== y ? (x < y ? -sign : sign) : a - b; // missing ones are last, either way
    });
    Hits.rows = Int32Array.from(list);
    Hits.at = Math.min(Hits.at, Math.max(0, list.length - 1));
    space.style.height = list.length * H + "px";
    grid.setAttribute("aria-rowcount", list.length + 1);
    $(".count").textContent = list.length === T.n ? plural(T.n, "treatment") : whole(list.length) + " of " + plural(T.n, "treatment");
    draw_head();
    draw_rows();
  }
  Hits.sort_by = (id) => {
    const c = Hits.columns.find((x) => x.id === id);
    Hits.down = Hits.sort === id ? !Hits.down : Boolean(c.number) && !/_[pq]$/.test(id);
    Hits.sort = id, Hits.at = 0, grid.scrollTop = 0;
    arrange();
  };
  Hits.search = (s) => { $("input").value = s; grid.scrollTop = Hits.at = 0; arrange(); };
  Hits.only = (set) => { Hits.inside = set; $(".area").hidden = !set; Hits.search($("input").value); };
  $(".area").onclick = () => Hits.forget();
  Hits.move = (to) => {
    Hits.at = Math.max(0, Math.min(Hits.rows.length - 1, to));
    const top = Hits.at * H, high = grid.clientHeight - head.offsetHeight;
    if (top < grid.scrollTop) grid.scrollTop = top;
    if (top + H > grid.scrollTop + high) grid.scrollTop = top + H - high;
    draw_rows();
  };
  Hits.csv = () => {
    const quote = (s) => { // as in the other tables: no spreadsheet runs a name
      const safe = s !== "" && Number.isFinite(Number(s)) ? s : /^[=+\-@\t\r]|^'['=+\-@\t\r]/.test(s) ? "'" + s : s;
      return /[",\n\r]/.test(safe) ? '"' + safe.replace(/"/g, '""') + '"' : safe;
    };
    const cols = visible(), id = NAME && !Hits.shown.has("id") ? [Hits.columns.find((c) => c.id === "id")] : [];
    const line = (f) => [...id, ...cols].map(f).map(quote).join(",");
    return [line((c) => c.label), ...Array.from(Hits.rows, (t) => line((c) => c.number ? none(c.number(t)) ? "" : String(c.number(t))
      : c.text(t)))].join("\n") + "\n";
  };

  const menu = $(".menu div");
  for (const c of Hits.columns.slice(1)) {
    const box = add(menu, "<label title='" + esc(c.help) + "'><input type=checkbox" + (Hits.shown.has(c.id) ? " checked" : "") + ">" +
      esc(c.label) + "</label>");
    box.firstChild.onchange = (e) => { Hits.shown[e.target.checked ? "add" : "delete"](c.id); draw_head(); draw_rows(); };
  }
  document.addEventListener("click", (e) => { if (!$(".menu").contains(e.target)) $(".menu").open = false; });
  $("input").oninput = () => Hits.search($("input").value);
  $(".filter").onchange = () => Hits.search($("input").value);
  if ($(".form")) $(".form select").onchange = (e) => { Hits.form = e.target.value; arrange(); };
  $(".csv").onclick = () => {
    const a = document.createElement("a");
    a.href = URL.createObjectURL(new Blob([Hits.csv()], {type: "text/csv"}));
    a.download = "hits.csv";
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  };
  head.onclick = (e) => { const b = e.target.closest("button"); if (b) Hits.sort_by(b.dataset.id); };
  rows.onclick = (e) => { const r = e.target.closest("[data-row]"); if (r) { Hits.move(+r.dataset.row); open_card(Hits.rows[Hits.at]); } };
  grid.onscroll = draw_rows;
  grid.onkeydown = (e) => {
    if (e.target !== grid) return;
    const page = Math.max(1, Math.floor(grid.clientHeight / H) - 2);
    const to = {ArrowDown: Hits.at + 1, ArrowUp: Hits.at - 1, PageDown: Hits.at + page, PageUp: Hits.at - page, Home: 0,
      End: Hits.rows.length - 1}[e.key];
    if (to !== undefined) Hits.move(to);
    else if (e.key === "Enter" && Hits.rows.length) open_card(Hits.rows[Hits.at]);
    else return;
    e.preventDefault();
  };
  arrange();
  redrawn.push(draw_rows);
})();
