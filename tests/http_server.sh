# shellcheck shell=bash
# http_server.sh -- sourced by tests of images behind URLs. http_server FOLDER [LATENCY_S] starts tests/tools/http_serve.py: URL is its
# address, HTTP_LOG its list of requests. It ends with http_stop, or with the shell. False where it cannot be had; http_why says why.
http_server() {
    http_why="there is no python3"
    export no_proxy='*'
    command -v python3 >/dev/null || return 1
    HTTP_LOG=$T/http.log
    : > "$HTTP_LOG"
    coproc HTTP { exec python3 "$ROOT/tests/tools/http_serve.py" "$1" "$HTTP_LOG" "${2:-0}"; }
    http_pid=$HTTP_PID
    http_why="tests/tools/http_serve.py does not start"
    local port
    read -r -t 20 port <&"${HTTP[0]}" || return 1
    URL=http://127.0.0.1:$port
}
http_stop() { kill "$http_pid" 2>/dev/null; wait "$http_pid" 2>/dev/null; }
