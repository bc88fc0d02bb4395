// report_data.js -- the report's data as the other scripts use them: packed columns as arrays, wells by treatment, what is odd about each.
const M = D.metrics;
const find = (p, m, s, k) => M.metrics.find((x) => x.profiles === p && x.metric === m && x.setting === s && (x.k || 0) === (k || 0));
const KINDS = ["uncorrected", "corrected"].filter((p) => M.metrics.some((m) => m.profiles === p));
const WITH = {uncorrected: "without correction", corrected: "with correction"};

function whole_numbers(p, n) { // Uint8Array, Uint16Array or Uint32Array
  const type = {u8: Uint8Array, u16: Uint16Array, u32: Uint32Array}, key = Object.keys(p).find((k) => type[k]), s = atob(p[key]);
  const b = new Uint8Array(s.length);
  for (let i = 0; i < s.length; i++) b[i] = s.charCodeAt(i);
  return s.length ? new type[key](b.buffer) : new type[key](n);
}
function codes(p, n) { // -1: missing
  const v = whole_numbers(p, n), out = new Int32Array(n), missing = 2 ** (8 * v.BYTES_PER_ELEMENT) - 1;
  for (let i = 0; i < n; i++) out[i] = v[i] === missing ? -1 : v[i];
  return out;
}
function reals(p, n) { // NaN: missing
  const v = whole_numbers(p, n), out = new Float64Array(n), step = (p.hi - p.lo) / 65534;
  for (let i = 0; i < n; i++) out[i] = v[i] === 65535 ? NaN : p.lo + step * v[i];
  return out;
}

// ---- wells ----
const W = {n: D.wells.n, kind: codes(D.wells.kind, D.wells.n), treatment: codes(D.wells.treatment, D.wells.n), text: {}};
const TREATED = 0, CONTROL = 1, EMPTY = 2, EVALUATED = 3;
for (const [name, t] of Object.entries(D.wells.text)) W.text[name] = {names: t.names, code: codes(t.code, W.n)};
const said = (field, i) => { const t = W.text[field]; return !t || t.code[i] < 0 ? "" : t.names[t.code[i]]; };
const FLAGGED = D.quality.QC_Flagged ? reals(D.quality.QC_Flagged, W.n) : new Float64Array(W.n);
const NAME = ["Name", "pert_iname", "name", "compound_name", "Compound_Name", "drug_name"].find((f) => W.text[f]);
const MECHANISM = M.mechanism_column && M.mechanism_column.replace(/^Metadata_/, "");
const PLACE = (() => { // row and column of each of the wells' names, from 0
  const t = W.text.Well;
  return (t ? t.names : []).map((s) => {
    const m = /^([A-Z]+)(\d+)$/.exec(s);
    return m ? [[...m[1]].reduce((r, c) => r * 26 + c.charCodeAt(0) - 64, 0) - 1, +m[2] - 1] : null;
  });
})();
const place = (i) => W.text.Well && W.text.Well.code[i] >= 0 ? PLACE[W.text.Well.code[i]] : null;

// ---- treatments ----
const T = {n: D.treatments.names.length, id: D.treatments.names, figures: D.treatments.figures, compound: null};
T.compound = codes(D.treatments.compound, T.n);
(function () {
  const count = new Int32Array(T.n + 1);
  for (let i = 0; i < W.n; i++) if (W.treatment[i] >= 0) count[W.treatment[i] + 1]++;
  for (let t = 0; t < T.n; t++) count[t + 1] += count[t];
  const at = count.slice(), list = new Int32Array(count[T.n]);
  for (let i = 0; i < W.n; i++) if (W.treatment[i] >= 0) list[at[W.treatment[i]]++] = i;
  T.wells = (t) => list.subarray(count[t], count[t + 1]);
  const distinct = (field, wells) => W.text[field] ? new Set(Array.from(wells, (i) => W.text[field].code[i])).size : 1;
  T.evaluated = new Int32Array(T.n), T.flags = new Array(T.n);
  for (let t = 0; t < T.n; t++) {
    const wells = T.wells(t), used = wells.filter((i) => W.kind[i] === EVALUATED), flags = [];
    const flagged = used.reduce((n, i) => n + (FLAGGED[i] > 0), 0);
    T.evaluated[t] = used.length;
    if (used.length === 0) flags.push("not evaluated");
    if (used.length === 1) flags.push("single well");
    if (used.length > 1 && distinct("Well", used) === 1) flags.push("one position");
    if (used.length > 1 && W.text.Batch && W.text.Batch.names.length > 1 && distinct("Batch", used) === 1) flags.push("one batch");
    if (flagged) flags.push(flagged + " flagged");
    T.flags[t] = flags.join(", ");
  }
})();
T.name = T.id.map((id, t) => {
  const wells = T.wells(t), name = NAME && wells.length ? said(NAME, wells[0]) : "";
  const shown = (s) => s.replace(/[\u202a-\u202e\u2066-\u2069]/g, ""); // marks of direction would turn what stands beside the name
  return shown(name ? name + (id.includes("|") ? " " + id.slice(id.indexOf("|") + 1).replace(/\|/g, " ") : "") : id);
});
T.mechanism = T.id.map((id, t) => MECHANISM && T.wells(t).length ? said(MECHANISM, T.wells(t)[0]) : "");
// The form of the profiles that the store delivers, and that nearest treatments and similarities are of.
const FORM = KINDS[KINDS.length - 1];
const value = (form, name, t) => T.figures[form] && T.figures[form][name] ? T.figures[form][name][t] : null;
const by_treatment = (list) => Float64Array.from({length: W.n}, (_, i) => W.treatment[i] < 0 || list[W.treatment[i]] === null ? NaN :
  list[W.treatment[i]]); // its treatment's figure for each well
// A quality column in words: QC_Focus_DNA: "focus, DNA".
const QUALITY = {Flagged: "all images flagged", Flag: "flags", Sites: "sites", Tiles: "tiles", SD: "spread of intensity", Mean: "mean " +
  "intensity", Zeros: "share of black pixels", Saturated: "share of saturated pixels", Focus: "focus", Count: "count"};
function quality_name(column) {
  const [word, ...rest] = column.replace(/^QC_/, "").split("_");
  return (QUALITY[word] || word) + (rest.length ? ", " + rest.join(" ") : "");
}

// Which sources (batches, where there is one source) agree about a treatment: those whose wells are more like its wells elsewhere than
// those
// of 95 % of controls posed as treatments.
const AGREE = (() => {
  const a = D.treatments.agreement;
  if (!a || none(a.limit)) return null;
  const n = a.names.length, v = reals(a.v, T.n * n), judged = new Int32Array(T.n), agree = new Int32Array(T.n);
  for (let i = 0; i < v.length; i++) if (v[i] === v[i]) judged[Math.floor(i / n)]++, agree[Math.floor(i / n)] += v[i] > a.limit;
  return {...a, judged, agree, of: (t, k) => v[t * n + k]};
})();
// Quantiles 0.05, 0.5 and 0.95 of each treatment's mAP in shuffled rankings; null where they are not known.
const SHUFFLED = Object.fromEntries(Object.entries(D.treatments.null).map(([form, q]) => [form, q.map((p) => reals(p, T.n))]));
