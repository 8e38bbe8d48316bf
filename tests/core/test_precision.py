"""16-bit formats: what stays in float32, and that a run in them trains."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from study import training
from study.experiments import runs
from study.ground.errors import StudyError
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
def test_a_run_in_16_bits_trains_and_says_so(policy, output):
    run = replace(
        runs.plan("smoke", "batch_size")[0], epochs=2, train_size=256, width=1 / 16, loss="l2", precision=policy
    )
    training.train(run)
    manifest = runs.read_manifest(run)
    assert (manifest["policy"], manifest["precision"], manifest["epochs_done"]) == (policy, policy, 2)
    assert manifest["output_spread"] > 0


def test_an_unknown_format_is_refused(output):
    with pytest.raises(StudyError, match="policy='half' is not known; expected one of float32, mixed_bfloat16"):
        training.compiled_codec(replace(runs.plan("smoke")[0], precision="half"), 10)
