#!/bin/sh
# Follow a log file into a room: examples/tail_to_room.sh FILE HOST PORT [HANDLE]
#
# Each new line becomes a message, as it stands. Ends with Ctrl-C, or when the server closes.
set -eu
file=$1 host=$2 port=$3 handle=${4:-logbot}
tail -n 0 -F "$file" 2>/dev/null | triochat client "$host" "$port" --handle "$handle" >/dev/null
