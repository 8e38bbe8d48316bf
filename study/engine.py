"""Keras as the study uses it, whatever a person's `keras.json` and variables say for other projects.

Every module takes Keras from here. Its backend alone is chosen from outside, by KERAS_BACKEND.
"""

import logging
import os
import tempfile
from contextlib import contextmanager

from study.ground.errors import StudyError, one_line

BACKENDS = ("tensorflow", "jax", "torch")

_backend = os.environ.get("KERAS_BACKEND") or BACKENDS[0]  # whatever keras.json says
if _backend not in BACKENDS:
    raise StudyError(f"KERAS_BACKEND={_backend!r} is no backend of the study; choose one of {', '.join(BACKENDS)}.")
os.environ["KERAS_BACKEND"] = _backend
for _name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):  # TensorFlow ends the process at a negative one
    if (_threads := os.environ.get(_name)) and not _threads.isdecimal():
        raise StudyError(f"{_name}={_threads!r} is no number of threads; set one, or unset it.")
for _name in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED"):  # they would cut trainings short
    os.environ.pop(_name, None)


@contextmanager
def _quiet():
    """Without what TensorFlow says of itself: on starting ten lines about CUDA, unless it fails, and later warnings.

    The lines come from its libraries, which write to the process's file of errors and know no setting that stops them.
    Whoever sets TF_CPP_MIN_LOG_LEVEL, to any level, sees all of it.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ or _backend != "tensorflow":
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # for what they say later
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


try:
    with _quiet():
        import keras
        from keras import ops

        ops.zeros(())  # looks for devices, which is where the words about CUDA come from
except ValueError as error:  # the one way in which it refuses its settings
    raise StudyError(
        f"Keras does not start: {one_line(error)} It reads keras.json in the folder KERAS_HOME, or in "
        "~/.keras; correct the value there, or remove that file."
    ) from error
except ModuleNotFoundError as error:
    raise StudyError(
        f"KERAS_BACKEND={_backend} needs {error.name}, which is not installed; install it, or unset KERAS_BACKEND."
    ) from error

keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
keras.config.set_max_epochs(None)
keras.config.set_max_steps_per_epoch(None)

__all__ = ["keras", "ops"]
