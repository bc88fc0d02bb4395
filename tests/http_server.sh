# shellcheck shell=bash
# http_server.sh -- sourced by tests of images behind URLs. http_server FOLDER [LATENCY_S [CERTIFICATE]] starts tests/tools/http_serve.py:
# URL is its address, HTTP_LOG its list of requests, TLS_URL its https address where there is a certificate (http_certificate FILE makes
# one). It ends with http_stop, or with the shell. False where it cannot be had; http_why says why.
http_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout "$1.key" \
        -out "$1.crt" 2>/dev/null && cat "$1.key" "$1.crt" > "$1"
}
http_server() {
    http_why="there is no python3"
    export no_proxy='*'
    command -v python3 >/dev/null || return 1
    HTTP_LOG=$T/http.log
    : > "$HTTP_LOG"
    coproc HTTP { exec python3 "$ROOT/tests/tools/http_serve.py" "$1" "$HTTP_LOG" "${2:-0}" ${3:+"$3"}; }
    http_pid=$HTTP_PID
    http_why="tests/tools/http_serve.py does not start"
    local port
    read -r -t 20 port <&"${HTTP[0]}" || return 1
    URL=http://127.0.0.1:$port
    [ -z "${3:-}" ] || { read -r -t 20 port <&"${HTTP[0]}" && TLS_URL=https://127.0.0.1:$port; }
}
http_stop() { kill "$http_pid" 2>/dev/null; wait "$http_pid" 2>/dev/null; }
