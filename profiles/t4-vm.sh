#!/usr/bin/env bash
# The report's grid on one T4 of Google Cloud, from a machine that has gcloud: makes a VM, and trains on it under systemd.
#
#   profiles/t4-vm.sh create    the VM, with driver and repository; the grid starts by itself, also after each stop
#   profiles/t4-vm.sh start     again, after Google has taken a spot VM away: the grid goes on from its last epochs
#   profiles/t4-vm.sh progress  how far it is
#   profiles/t4-vm.sh fetch     packs the finished runs, copies them here, or into BUCKET if there is one
#   profiles/t4-vm.sh delete    the VM with its disk: fetch first
#
# Settings, from the environment:
#   REPOSITORY  what the VM clones (needed by create)   PRESET  report-float16, or report
#   ZONE        us-central1-a                           NAME    study-t4
#   SPOT        1: cheaper, may be taken away at any time; empty: on demand
#   BUCKET      gs://... for `fetch`
set -euo pipefail

PRESET=${PRESET:-report-float16}
ZONE=${ZONE:-us-central1-a}
NAME=${NAME:-study-t4}
SPOT=${SPOT-1}
BUCKET=${BUCKET:-}
remote() { gcloud compute ssh "$NAME" --zone="$ZONE" --command="$1"; }

create() {
    : "${REPOSITORY:?name the repository that the VM clones: REPOSITORY=... profiles/t4-vm.sh create}"
    startup=$(mktemp)
    trap 'rm -f "$startup"' EXIT
    # Runs as root at every start of the VM. The image brings driver and CUDA; TensorFlow brings its own CUDA libraries.
    cat >"$startup" <<END
#!/bin/bash
set -e
export HOME=/root
if [ ! -d /opt/study ]; then
    until nvidia-smi; do sleep 10; done
    apt-get update && apt-get install --yes git make python3-pip
    pip3 install uv && uv python install 3.12 # Ubuntu 22.04's own is 3.10
    git clone "$REPOSITORY" /opt/study.new && mv /opt/study.new /opt/study
fi
cat >/etc/systemd/system/study.service <<UNIT
[Unit]
After=network-online.target
[Service]
WorkingDirectory=/opt/study
Environment=HOME=/root
ExecStart=/bin/bash -c 'make gpu PYTHON=\$(uv python find 3.12) && make study PRESET=$PRESET PROFILE=local-gpu'
Restart=on-failure
RestartSec=60
UNIT
systemctl daemon-reload
systemctl start --no-block study
END
    gcloud compute instances create "$NAME" --zone="$ZONE" --machine-type=n1-standard-4 \
        --accelerator=type=nvidia-tesla-t4,count=1 --maintenance-policy=TERMINATE \
        --image-project=deeplearning-platform-release --image-family=common-cu128-ubuntu-2204-nvidia-570 \
        --boot-disk-size=100GB --scopes=storage-rw --metadata-from-file=startup-script="$startup" \
        ${SPOT:+--provisioning-model=SPOT --instance-termination-action=STOP}
}

fetch() {
    local archive=$PRESET.tar.gz
    remote "cd /opt/study && sudo .venv/bin/python -m study pack --preset $PRESET /tmp/$archive"
    if [ -n "$BUCKET" ]; then
        remote "gcloud storage cp /tmp/$archive $BUCKET/$archive"
    else
        gcloud compute scp --zone="$ZONE" "$NAME:/tmp/$archive" "$archive"
    fi
}

case ${1:-} in
create) create ;;
start) gcloud compute instances start "$NAME" --zone="$ZONE" ;;
progress) remote "cd /opt/study && sudo .venv/bin/python -m study progress --preset $PRESET" ;;
fetch) fetch ;;
delete) gcloud compute instances delete "$NAME" --zone="$ZONE" ;;
*)
    echo "There is no command '${1:-}'; expected create, start, progress, fetch or delete." >&2
    exit 2
    ;;
esac
