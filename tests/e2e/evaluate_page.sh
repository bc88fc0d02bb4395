#!/usr/bin/env bash
# run: limit=240
# report.html as Chromium shows it: at 400 and 1280 pixels, light and dark, nothing to scroll sideways, no error, every part drawn, and the
# numbers of its tables are those of metrics.json; --compare's page likewise.
. "$(dirname "$0")/../tap.sh"
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$chromium" ] || ! /usr/bin/python3 -c '' 2>/dev/null; then
    skip "the report in a browser" "no chromium, or no python3, is installed"
    tap_done
fi
cd "$T" || exit 1
exits "a screen" 0 "$ROOT/build/release/tests/tools/evaluate_make" "$T/s" perfect
mkdir -p s/work/models/micon
for i in $(seq 0 20); do echo "{\"step\":$i,\"loss\":$((40 - i)).5}"; done > s/work/models/micon/log.jsonl
run() { mpi 2 "$BIN/micon-evaluate" s/screen.yaml --set evaluate.bootstrap=50 --set evaluate.null_size=1000 "$@"; }
exits "evaluated" 0 run
cp -r s/work/reports/micon s/work/reports/other
exits "side by side" 0 run --compare micon other

# seen PAGE WIDTH DARK: the page in a frame of that width, as it stands once drawn; its copy reports errors and its width to the frame's
# owner.
seen() {
    sed 's#<head>#<head><script>var E = []; addEventListener("error", (e) => E.push(e.message)); console.error = (m) => E.push(m);</script>#
         s#</body>#<script>addEventListener("load", () => { const d = document.documentElement; parent.postMessage({\
             wide: d.scrollWidth - d.clientWidth, at: innerWidth, errors: E, dark: matchMedia("(prefers-color-scheme: dark)").matches,\
             html: document.getElementById("main").outerHTML}, "*"); });</script></body>#' \
        "$1" > probe.html
    cat > frame.html <<EOP
<!doctype html><script>
addEventListener("message", (e) => { const m = e.data;
  document.body.append(Object.assign(document.createElement("pre"), {textContent: "SEEN " + JSON.stringify(m) + " NEES"})); });
</script><body><iframe src="probe.html" width="$2" height="900" style="border:0"></iframe>
EOP
    timeout 100 "$chromium" --headless --no-sandbox --disable-gpu --user-data-dir="$T/profile" --window-size=1400,1000 \
        --virtual-time-budget=20000 \
        --blink-settings=preferredColorScheme="$3" --dump-dom "file://$T/frame.html" 2>err > dom.html
    /usr/bin/python3 -c 'import html, re, sys
m = re.search(r"<pre>SEEN (.*) NEES</pre>", open("dom.html", encoding="utf-8").read(), re.S)
open("seen.json", "w", encoding="utf-8").write(html.unescape(m.group(1)) if m else "{}")'
}
cat > check.py <<'EOP'
import csv, json, re, sys
what, want_width, dark, folder = sys.argv[1:5]
s = json.load(open("seen.json"))
bad = []
if not s: bad.append("nothing was drawn")
else:
    if s["at"] != int(want_width): bad.append("the frame is %s wide" % s["at"])
    if s["wide"] > 0: bad.append("%d pixels to scroll sideways" % s["wide"])
    if s["errors"]: bad.append("errors: %s" % s["errors"])
    if s["dark"] != (dark == "0"): bad.append("the wrong theme")
    heads = re.findall(r"<h2>(.*?)</h2>", s["html"])
    if what == "report":
        for h in ["Retrieval", "Retrieval curves", "Predicted profiles of unseen compounds", "Activity, mechanisms, replicates", "Batches",
                  "All wells", "Activity and its significance", "Similarity of replicates", "Plates in their layout", "Loss by step", "Every treatment"]:
            if h not in heads: bad.append("no part '%s'" % h)
        figures = json.load(open(folder + "/metrics.json"))["metrics"]
        real = {repr(float(m["value"])) for m in figures if m["value"] is not None}
        cells = re.findall(r"<td title=\"([^\"]*)\">([^<]*)", s["html"])
        for title, shown in cells:
            if title == "no value": continue
            if repr(float(title)) not in real: bad.append("%s is no value of metrics.json" % title)
            if abs(float(shown.replace(",", "")) - float(title)) > 0.0051 * abs(float(title)):
                bad.append("%s is shown as %s" % (title, shown))
        wanted = sum(1 for m in figures if m["metric"] in ("nsb", "nss") and m["k"] in (1, 5, 10) and m["value"] is not None)
        if len(cells) < wanted or wanted < 12: bad.append("%d cells, at least %d wanted" % (len(cells), wanted))
    else:
        rows = {repr(float(r["value"])) for r in csv.DictReader(open(folder + "/compare.csv")) if r["value"]}
        cells = re.findall(r"<td title=\"([^\"]*)\">", s["html"])
        if not cells or any(c != "null" and repr(float(c)) not in rows for c in cells): bad.append("a cell is not in compare.csv")
for b in bad: print("#  ", b)
sys.exit(len(bad) > 0)
EOP
page() { # NAME WIDTH DARK
    local file=s/work/reports/micon/report.html folder=s/work/reports/micon
    [ "$1" = report ] || { folder=s/work/reports/compare/micon__other; file=$folder/compare.html; }
    seen "$file" "$2" "$3"
    ok "$1 at $2 pixels, $([ "$3" = 0 ] && echo dark || echo light)" /usr/bin/python3 check.py "$1" "$2" "$3" "$folder"
}
page report 400 1
page report 400 0
page report 1280 1
page compare 400 0
# The check itself must be able to fail.
sed 's#</main>#<div style="width:700px">wide</div></main>#; s#const D = JSON#nothing(); const D = JSON#' s/work/reports/micon/report.html \
    > broken.html
seen broken.html 400 1
/usr/bin/python3 check.py report 400 1 s/work/reports/micon > broken.txt
same "a broken page is noticed" "$?" 1
has "a broken page: its error" broken.txt "nothing is not defined"
tap_done
