# shellcheck shell=bash
# virtual_nodes.sh -- nodes on this machine, each with a network, a host name and so a shared memory of its own: Open MPI takes them for
# hosts. Source it after tap.sh; root only.
#   nodes_make N            makes N nodes, or returns 1 where this machine does not let us; nodes_end removes them
#   nodes_limit RATE BURST  rate of each node's link, both ways, as tc has it: 10gbit 4m
#   $NODES_RUN              an mpirun over the nodes, one rank on each (NODES_RANKS=R: R on each)
nodes_name=mv$$
nodes_n=0

nodes_make() {
    local k
    { ip netns add ${nodes_name}s && ip -n ${nodes_name}s link add br0 type bridge && ip -n ${nodes_name}s link set br0 up; } 2>/dev/null ||
        return 1
    for ((k = 1; k <= $1; k++)); do
        nodes_n=$k
        ip netns add $nodes_name-$k && ip -n $nodes_name-$k link add net0 type veth peer name port$k netns ${nodes_name}s &&
            ip -n ${nodes_name}s link set port$k master br0 up && ip -n $nodes_name-$k addr add 10.99.0.$k/24 dev net0 &&
            ip -n $nodes_name-$k link set net0 up && ip -n $nodes_name-$k link set lo up || return 1
    done 2>/dev/null
    cat >"$T/node" <<A
#!/bin/bash
# HOST COMMAND...: what ssh would do
host=\$1; shift
exec ip netns exec \$host unshare -u bash -c "hostname \$host; \$*"
A
    cat >"$T/nodes_run" <<R
#!/bin/bash
hosts=
for ((k = 1; k <= $nodes_n; k++)); do hosts=\$hosts,$nodes_name-\$k:\${NODES_RANKS:-1}; done
exec ip netns exec $nodes_name-1 unshare -u bash -c 'hostname $nodes_name-1; exec "\$@"' x mpirun --mca plm_rsh_agent "$T/node" \\
    --mca oob_tcp_if_include 10.99.0.0/24 --mca btl_tcp_if_include 10.99.0.0/24 --host "\${hosts#,}" "\$@"
R
    chmod +x "$T/node" "$T/nodes_run"
    export NODES_RUN=$T/nodes_run
}

nodes_limit() {
    local k
    for ((k = 1; k <= nodes_n; k++)); do
        ip netns exec $nodes_name-$k tc qdisc replace dev net0 root tbf rate "$1" burst "$2" latency 50ms &&
            ip netns exec ${nodes_name}s tc qdisc replace dev port$k root tbf rate "$1" burst "$2" latency 50ms || return 1
    done 2>/dev/null
}

nodes_end() {
    local k
    for ((k = 1; k <= nodes_n; k++)); do ip netns del $nodes_name-$k; done 2>/dev/null
    ip netns del ${nodes_name}s 2>/dev/null
    nodes_n=0
}
