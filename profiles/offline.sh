#!/usr/bin/env bash
# A GPU machine without a network, lent for minutes, to and from which only little can be carried at a time.
#
#   profiles/offline.sh prepare             here: the wheels that such a machine lacks and the images, into build/offline
#   profiles/offline.sh train STUDY...      there: what is missing of these studies, WORKERS at a time, for MINUTES; run
#                                           folders stay there, and a run that was cut off goes on from its last epoch
#   profiles/offline.sh tables              there: what is finished, as tables in results/PRESET: small enough to carry
#   profiles/offline.sh bundle STUDY        there: a study's run folders, checkpoints too, in parts in build/offline/parts
#   profiles/offline.sh restore STUDY       anywhere: the parts that were carried there back into run folders
#   profiles/offline.sh ship                there: the files of weights of finished codecs, into study/codec/pretrained
#
# What travels is the repository and build/offline. The machine has Python with JAX, or another engine of Keras, and
# NumPy, pandas, scipy, statsmodels, Pillow, scikit-image, h5py and tqdm. Settings, from the environment:
#   PRESET          codec-full                       KERAS_BACKEND   jax
#   PYTHON          python3                          PYTHON_VERSION  3.12: the other machine's, for `prepare`
#   MINUTES         9, for `train`                   WORKERS         1: runs that share the GPU
#   CIFAR_DIR, PHOTOS_DIR: the images, for `prepare`; PHOTOS_DIR for presets of codecs alone
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PRESET=${PRESET:-codec-full} KERAS_BACKEND=${KERAS_BACKEND:-jax} TQDM_DISABLE=1
PYTHON=${PYTHON:-python3}
CARRIED=build/offline
PART=15M

prepare() {
    : "${CIFAR_DIR:?name the folder of CIFAR}"
    rm -rf $CARRIED && mkdir -p $CARRIED/wheels
    "$PYTHON" -m pip download --quiet --no-deps --only-binary=:all: --python-version "${PYTHON_VERSION:-3.12}" \
        --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
        --constraint constraints.txt --dest $CARRIED/wheels keras namex optree constriction filelock
    tar -czf $CARRIED/cifar.tar.gz -C "$CIFAR_DIR" cifar-10-batches-py cifar-100-python
    [ -z "${PHOTOS_DIR:-}" ] || tar -cf $CARRIED/photos.tar -C "$PHOTOS_DIR" .
    git describe --always --abbrev=40 --dirty=+ >$CARRIED/commit
    du -h $CARRIED/*
}

# Once on a machine: unpacks what was carried there.
unpack() {
    if [ ! -e $CARRIED/ready ]; then
        "$PYTHON" -m pip install --quiet --no-index --no-deps --no-compile --target $CARRIED/site $CARRIED/wheels/*.whl
        mkdir -p $CARRIED/data/photos
        tar -xzf $CARRIED/cifar.tar.gz -C $CARRIED/data
        [ ! -e $CARRIED/photos.tar ] || tar -xf $CARRIED/photos.tar -C $CARRIED/data/photos
        touch $CARRIED/ready
    fi
    export CIFAR_DIR=$PWD/$CARRIED/data PHOTOS_DIR=$PWD/$CARRIED/data/photos PYTHONPATH=$PWD/$CARRIED/site:$PWD
    export STUDY_COMMIT JAX_COMPILATION_CACHE_DIR=$PWD/$CARRIED/compiled # runs that differ by seed share a program
    STUDY_COMMIT=$(cat $CARRIED/commit)
}

MISSING="
import os, sys
from study.experiments import runs, tables
preset = os.environ['PRESET']
for run in tables.missing(preset, runs.plan(preset, *sys.argv[1:])):
    print(run.id)
"
BEGUN="
import os, sys
from study.experiments import runs
for run in runs.plan(os.environ['PRESET'], sys.argv[1]):
    if run.folder.exists():
        print(run.id)
"

train() {
    unpack
    "$PYTHON" -c "$MISSING" "$@" >$CARRIED/missing
    export XLA_PYTHON_CLIENT_MEM_FRACTION=.$((90 / ${WORKERS:-1}))
    # KILL, as a machine that is taken away: a run goes on from its last whole epoch.
    timeout --signal=KILL "${MINUTES:-9}m" \
        xargs --arg-file=$CARRIED/missing --max-procs="${WORKERS:-1}" --max-lines=1 "$PYTHON" -m study train "$PRESET" || [ $? = 137 ]
    "$PYTHON" -m study progress --preset "$PRESET"
}

tables() {
    unpack
    "$PYTHON" -m study tables --preset "$PRESET"
}

ship() {
    unpack
    "$PYTHON" -m study ship --preset "$PRESET"
}

bundle() {
    unpack
    mkdir -p $CARRIED/parts
    rm -f "$CARRIED/parts/$1".tar.*
    "$PYTHON" -c "$BEGUN" "$1" | tar -cf - -C results/runs --files-from=- | split --bytes=$PART --numeric-suffixes - "$CARRIED/parts/$1.tar."
    ls -sh $CARRIED/parts
}

restore() {
    mkdir -p results/runs
    cat "$CARRIED/parts/$1".tar.* | tar -xf - -C results/runs
}

case ${1:-} in
    prepare | train | tables | bundle | restore | ship) "$@" ;;
    *)
        sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
        exit 2
        ;;
esac
