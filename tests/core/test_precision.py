"""16-bit formats: what stays in float32, and what `auto` means on a machine."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from study import training
from study.experiments import runs
from study.model import build_codec

MIXED = ("mixed_bfloat16", "mixed_float16")


@pytest.mark.parametrize("policy", MIXED)
def test_a_codec_in_16_bits_keeps_weights_and_images_in_32_and_decodes_what_it_encoded(policy):
    keras.utils.set_random_seed(0)
    codec = build_codec(width=1 / 16, iterations=3, policy=policy)
    assert {weight.dtype for weight in codec.trainable_weights} == {"float32"}
    images = np.random.default_rng(0).random((2, 32, 48, 3), np.float32)
    reconstructions = np.asarray(codec(images))
    assert reconstructions.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(codec.decode(codec.encode(images))), reconstructions)
    keras.utils.set_random_seed(0)
    exact = build_codec(width=1 / 16, iterations=3)
    np.testing.assert_allclose(np.asarray(exact.decode(codec.encode(images))), reconstructions, atol=0.02)


@pytest.mark.parametrize("policy", MIXED)
def test_a_run_in_16_bits_trains_and_says_so(policy, tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    run = replace(
        runs.plan("smoke", "batch_size")[0], epochs=2, train_size=256, width=1 / 16, loss="l2", precision=policy
    )
    training.train(run)
    manifest = runs.read_manifest(run)
    assert (manifest["policy"], manifest["precision"], manifest["epochs_done"]) == (policy, policy, 2)
    assert manifest["output_spread"] > 0


@pytest.mark.parametrize(
    "device, capability, flags, expected",
    [
        ("CPU:0", None, set(), "float32"),
        ("CPU:0", None, {"avx512_bf16"}, "mixed_bfloat16"),
        ("GPU:0", 7.5, set(), "mixed_float16"),  # T4
        ("cuda:0", 8.0, set(), "mixed_bfloat16"),  # A100
    ],
)
def test_auto_is_the_format_that_the_device_has_units_for(device, capability, flags, expected, monkeypatch):
    monkeypatch.setattr(precision, "device", lambda: device)
    monkeypatch.setattr(precision, "_compute_capability", lambda: capability)
    monkeypatch.setattr(precision, "_cpu_flags", lambda: flags)
    assert training.policy("auto") == expected
    assert training.policy("float32") == "float32"


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision='half' is not known; choose one of float32, mixed_bfloat16"):
        training.policy("half")
