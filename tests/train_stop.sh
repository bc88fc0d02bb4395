# shellcheck shell=bash
# train_stop.sh -- for tests of micon-train: a run that is stopped in the middle. After tap.sh; wants TRAIN, S (the configuration and
# settings) and C (steps and checkpoints).
# stopped NAME LINES SIGNAL WHO: a run that is sent SIGNAL once LINES steps are logged; WHO: rank or mpirun. Its exit status to $T/rc.
stopped() {
    local log=work/models/$1/log.jsonl pid i
    "$MPIRUN" --oversubscribe -n 2 "$TRAIN" $S $C --set train.run="$1" >"$T/out" 2>"$T/err" </dev/null &
    pid=$!
    for i in $(seq 600); do
        [ -e "$log" ] && [ "$(wc -l <"$log")" -ge "$2" ] && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.05
    done
    if [ "$4" = rank ]; then kill "-$3" "$(pgrep -P $pid | tail -n 1)"; else kill "-$3" $pid; fi
    wait $pid
    echo $? >"$T/rc"
}
