#!/bin/bash
# timeout(1) on the job's clock: `sleep` is the pocket's here.
signal=TERM last= keep=
while [ $# -gt 0 ]; do
    case $1 in
        -s | --signal) signal=$2; shift ;;
        --signal=*) signal=${1#*=} ;;
        -s*) signal=${1#-s} ;;
        -k | --kill-after) last=$2; shift ;;
        --kill-after=*) last=${1#*=} ;;
        -k*) last=${1#-k} ;;
        --preserve-status) keep=1 ;;
        --foreground | -v | --verbose) ;;
        --) shift; break ;;
        -*) echo "timeout: invalid option -- '$1'" >&2; exit 125 ;;
        *) break ;;
    esac
    shift
done
[ $# -gt 1 ] || { echo "timeout: missing operand" >&2; exit 125; }
limit=$1; shift
"$@" <&0 &
child=$!
for name in HUP INT QUIT USR1 USR2 TERM CONT; do trap "kill -$name $child 2>/dev/null" "$name"; done
fired=${0%/*}/fired.$$
(
    trap 'kill $sleeper; exit' TERM
    sleep "$limit" & sleeper=$!
    wait $sleeper || exit
    echo yes >"$fired"
    kill -"$signal" $child 2>/dev/null
    [ -z "$last" ] && exit
    sleep "$last" & sleeper=$!
    wait $sleeper && kill -KILL $child 2>/dev/null
) &
watcher=$!
while wait $child; code=$?; kill -0 $child 2>/dev/null; do :; done
kill $watcher 2>/dev/null
wait $watcher
[ -s "$fired" ] && [ -z "$keep" ] && [ $code -ne 137 ] && code=124
rm -f "$fired"
exit $code
