#!/usr/bin/env bash
# scale_curves.sh >docs/scale.svg -- the curves of docs/cluster.md, "How many nodes", from the model
# (build/release/tests/tools/scale_model).
# tests/e2e/pages.sh compares.
set -u
cd "$(dirname "$0")/.." || exit 1
build/release/tests/tools/scale_model curves | LC_ALL=C awk -F, '
    function x(cores) { return left + 200 * log(cores / 32) / log(512) }
    function y(e) { return 190 - 150 * e }
    BEGIN {
        split("#0072b2 #d55e00 #009e73", color, " ")
        split("two ranks a node, sums hidden|two ranks a node, nothing hidden|32 ranks a node, sums hidden", title, "|")
        print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 390\" font-family=\"sans-serif\" font-size=\"11\">"
        print "<rect width=\"760\" height=\"390\" fill=\"white\"/>"
        print "<text x=\"20\" y=\"16\">Efficiency of a training step over all cores; nodes of 32 cores, 10 Gbit/s (by the formula)</text>"
    }
    NR == 1 { next }
    {
        way = $5 "," $6
        if (way != last_way) {
            last_way = way
            left = 40 + 240 * panels++
            n_lines = 0
            printf "<text x=\"%d\" y=\"34\">%s</text>\n", left, title[panels]
            for (e = 0; e <= 10; e += 2)
                printf "<path d=\"M%d %dh200\" stroke=\"%s\"/><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%d %%</text>\n", left, y(e / 10),
                    e == 8 ? "#555" : "#ddd", left - 3, y(e / 10) + 4, 10 * e
            for (c = 32; c <= 16384; c *= 4) printf "<text x=\"%.1f\" y=\"204\" text-anchor=\"middle\">%d</text>\n", x(c), c
            printf "<text x=\"%d\" y=\"219\" text-anchor=\"middle\">cores</text>\n", left + 100
        }
        line = $1 ", " $2 " px, batch " $3
        if (line != last_line || !points) {
            finish()
            last_line = line
            name[++n_lines] = line
            path = ""
            points = 0
            ends = ""
        }
        path = path sprintf("%s%.1f %.1f", points++ ? "L" : "M", x($7), y($8))
        if (points > 1 && ends == "" && $8 < 0.8) ends = exp(log(before_cores) + log($7 / before_cores) * (before - 0.8) / (before - $8))
        before = $8
        before_cores = $7
        way_of_path = panels
        at = n_lines
    }
    function finish() {
        if (!points) return
        printf "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\"%s/>\n", path, color[int((at + 1) / 2)],
            at % 2 ? " stroke-dasharray=\"4 3\"" : ""
        limit[at, way_of_path] = ends == "" ? (before >= 0.8 ? "over " before_cores : "none") : sprintf("%.0f", ends)
    }
    END {
        finish()
        printf "<text x=\"60\" y=\"246\">80 %% ends at so many cores:</text>"
        split("two ranks, hidden|two, nothing hidden|32 ranks, hidden", short, "|")
        for (p = 1; p <= 3; p++) printf "<text x=\"%d\" y=\"246\" text-anchor=\"end\">%s</text>\n", 280 + 140 * p, short[p]
        for (k = 1; k <= 6; k++) {
            top = 246 + 21 * k
            printf "<path d=\"M20 %dh32\" stroke=\"%s\" stroke-width=\"1.6\"%s/><text x=\"60\" y=\"%d\">%s</text>", top - 4,
                color[int((k + 1) / 2)], k % 2 ? " stroke-dasharray=\"4 3\"" : "", top, name[k]
            for (p = 1; p <= 3; p++) printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", 280 + 140 * p, top, limit[k, p]
            print ""
        }
        print "</svg>"
    }'
