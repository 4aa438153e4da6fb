#!/bin/sh
# A shell script on the bus: every line in is a message out, every message in is a line out.
set -eu
ipcm() { node "$(dirname "$0")/../dist/command/ipcm.js" "$@"; }

info=$(ipcm spawn --keep)
export IPCM_INFO="$info"
trap 'ipcm destroy --force' EXIT

# Leave the name "inbox" suspended, so that it can be written to before anybody reads.
ipcm recv inbox --suspend
echo '{"to":"inbox","content":{"hello":"from a shell"}}' | ipcm connect script
ipcm recv inbox
