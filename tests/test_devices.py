"""Two devices in one run make the steps that one makes: virtual ones of the CPU, in a process of their own."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import pandas as pd
import pytest

from study import devices, runs, training

TRAINED = """
import json, os, sys
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    cpus = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from dataclasses import replace
from study import data, runs, training

if sys.argv[2] == "off":
    keras.random.uniform = lambda shape, *limits, dtype=None, seed=None: keras.ops.zeros(shape, dtype)
few = data.load("photographs")
few = data.DataSet(few.name, few.train[:64], few.validation[:9], few.source)
training.data.load = lambda name: few
losses = []
class Losses(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        losses.append(float(logs["loss"]))
fit = keras.Model.fit
keras.Model.fit = lambda model, *a, callbacks, **options: fit(model, *a, callbacks=[*callbacks, Losses()], **options)
run = replace(runs.plan("smoke", "batch_size")[0], epochs=4, train_size=64, width=1 / 16, devices=int(sys.argv[1]))
training.train(run)
print(json.dumps({"losses": losses, "folder": str(run.folder)} | runs.read_manifest(run)))
"""


def trained(backend, count, noise, output):
    """A run's manifest, its folder, and the mean of its loss so far in the epoch, after each step."""
    environment = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"} if backend == "jax" else {}
    environment |= {"KERAS_BACKEND": backend, "STUDY_OUTPUT": str(output), "TQDM_DISABLE": "1"}
    command = [sys.executable, "-c", TRAINED, str(count), noise]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


# TensorFlow's replicas draw the same noise, each for its half of the batch, where one device draws other noise for the
# second half: so noise is turned off there, and bits are signs. JAX shares out one array of noise, the same as on one.
@pytest.mark.parametrize(("backend", "noise"), [("tensorflow", "off"), ("jax", "on")])
def test_two_devices_make_the_steps_of_one(backend, noise, tmp_path):
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed: pip install -c constraints.txt -e '.[{backend}]'")
    one, two = (trained(backend, count, noise, tmp_path) for count in (1, 2))
    assert len(two["losses"]) == 4 * 64 // 8 and len(set(one["losses"])) > 20
    assert two["losses"] == pytest.approx(one["losses"], abs=1e-5)
    assert (two["global_batch"], two["replica_batch"]) == (8, 4)
    assert (one["global_batch"], one["replica_batch"]) == (8, 8)
    assert one["run"] != two["run"]
    here, there = (pd.read_csv(Path(made["folder"]) / "history.csv") for made in (one, two))
    pd.testing.assert_frame_equal(there, here, rtol=1e-3)


def test_batches_that_cannot_be_shared_out_are_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    run = replace(runs.plan("smoke", "batch_size")[0], devices=3)
    with pytest.raises(ValueError, match="batch_size=8 is not shared out evenly to devices=3; choose a multiple"):
        training.train(run)
    assert not list(tmp_path.iterdir())


def test_more_devices_than_there_are_are_refused():
    with pytest.raises(ValueError, match="devices=64"), devices.spread(64):
        pass


def test_one_device_is_trained_as_ever():
    assert type(devices.adam(1, 0.01)) is keras.optimizers.Adam
    assert devices.mean_over(1, sum) is sum and devices.on_one(1, keras) is keras
