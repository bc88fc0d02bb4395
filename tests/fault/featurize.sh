#!/usr/bin/env bash
# featurize.sh -- every fault point of micon-featurize on every rank: exit 1, the rank named, no file, no hang, and the next run works.
# run: long limit=400
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
F=$DEBUG_BIN/micon-featurize
{
    echo 'Metadata_JCP2022,SMILES'
    echo 'DMSO,CS(C)=O'
    for i in $(seq 100); do echo "c$i,$(printf 'C%.0s' $(seq $((i % 30 + 1))))O"; done
} >compound.csv
printf 'Metadata_JCP2022,v\nDMSO,0\na,1\nb,2\n' >v.csv
printf 'screen:\n  name: t\n  compound: compound.csv\n  control: DMSO\n' >screen.yaml

walk() { # LABEL options...
    local label=$1 rank n rc bad=0 hits=0
    shift
    exits "$label: undisturbed" 0 mpi 2 "$F" screen.yaml "$@" --set screen.work=calm
    for rank in 0 1; do
        for n in $(seq 60); do
            rm -rf work
            MICON_FAULT=$n:$rank timeout 30 "$MPIRUN" --oversubscribe -n 2 "$F" screen.yaml "$@" --set screen.work=work >out 2>&1 </dev/null
            rc=$?
            [ $rc = 0 ] && break
            hits=$((hits + 1))
            [ $rc = 1 ] || { bad=$((bad + 1)); echo "#   fault $n on rank $rank: exit $rc"; tail -n 3 out | sed 's/^/#   | /'; }
            grep -q "error: rank $rank: .*fault" out || { bad=$((bad + 1)); echo "#   fault $n on rank $rank:"; tail -n 3 out |
                sed 's/^/#   | /'; }
            # A fault while the file stands already (its record) leaves the file; nothing else may be left.
            ls work/*.part* >/dev/null 2>&1 && { bad=$((bad + 1)); echo "#   fault $n on rank $rank: a part file is left"; }
            [ ! -e work/compounds.h5 ] || cmp -s work/compounds.h5 calm/compounds.h5 ||
                { bad=$((bad + 1)); echo "#   fault $n on rank $rank: a wrong file"; }
        done
        [ "$n" -lt 60 ]; _tap $? "$label: the loop over faults on rank $rank ends ($n)"
    done
    [ $bad = 0 ]; _tap $? "$label: each of $hits faults ends as it should"
    [ $hits -gt 4 ]; _tap $? "$label: there were faults"
    exits "$label: the next run works" 0 mpi 2 "$F" screen.yaml "$@" --set screen.work=work
    ok "$label: ... with the same bytes" cmp work/compounds.h5 calm/compounds.h5
    rm -rf calm
}
walk fingerprints
walk vectors --set featurize.vectors=v.csv
tap_done
