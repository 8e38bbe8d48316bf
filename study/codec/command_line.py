"""`python -m study compress`, `decompress` and `info`: one file, or the files of a folder."""

import hashlib
import os
import sys
from pathlib import Path

from study.codec import file_format
from study.ground import atomic, console, images, walk
from study.ground.errors import StudyError

SUFFIX = ".rnn"


def add_commands(commands):
    """Adds the three commands to the parser's."""
    for command in COMMANDS:
        sub = commands.add_parser(command.__name__, help=command.__doc__)
        sub.add_argument("input", type=Path, help="a file" if command is info else "a file or a folder")
        sub.set_defaults(command=command)
        if command is not info:
            sub.add_argument("output", type=Path, help="a file, or a folder that exists")
            sub.add_argument("--model", help="a name, or the path of a file of weights")
            sub.add_argument("--iterations", type=int, help="passes: how many, or the first so many")
        if command is compress:
            sub.add_argument("--bpp", type=float, help="the best that fits so many bits a pixel, header and all")
            sub.add_argument("--psnr", type=float, help="as few passes as reach so many dB")


def compress(options):
    """write a picture, or those of a folder, as small files"""
    pairs, left_out = _pairs(options, images.suffixes(), {SUFFIX}, lambda name: (name, SUFFIX))
    for _, target in pairs:
        if target.suffix.lower() in images.suffixes():
            raise StudyError(f"{target} is a picture's name, and what compress writes is none; end it in {SUFFIX}.")
    from study.codec import compression, weights

    model = weights.load(weights.DEFAULT if options.model is None else options.model)
    wish = options.iterations, options.bpp, options.psnr
    compression.check_wish(model, *wish)

    def work(source, target):
        picture, notes = images.read_picture(source, file_format.check_size)
        done = compression.compress(model, picture, *wish)
        atomic.write(target, done.file)
        if options.bpp and done.bpp > options.bpp:
            notes.append(f"more than {options.bpp:g} bpp, as one pass takes that much")
        if done.better:
            notes.append(f"worse than after {done.better} passes")
        if source.is_file() and len(done.file) > source.stat().st_size:
            notes.append("larger than the file that was read")
        height, width, _ = picture.shape
        size = f"{width}x{height}, {done.passes} passes, {len(done.file):,} bytes"
        return "; ".join([f"{size}, {done.bpp:.3f} bpp, {done.psnr:.2f} dB", *notes])

    _each(options, pairs, left_out, work)


def decompress(options):
    """write the picture in a file, or those in a folder's files, as PNG, TIFF, BMP, PPM or lossless WebP"""
    pairs, left_out = _pairs(options, {SUFFIX}, images.suffixes(), lambda name: (name.removesuffix(SUFFIX), ".png"))
    for _, target in pairs:
        images.check_lossless(target)
    from study.codec import compression, weights

    models = {}

    def work(source, target):
        file = _read(source)
        header, passes = file_format.read(file)
        if header.model not in models:
            models[header.model] = weights.load(weights.find(header.model) if options.model is None else options.model)
        images.write_picture(target, compression.decompress(models[header.model], file, options.iterations))
        return f"{header.width}x{header.height}, {options.iterations or len(passes)} of {header.passes} passes"

    _each(options, pairs, left_out, work)


def info(options):
    """say what is in a compressed file"""
    file = _read(options.input)
    try:
        header, passes = file_format.read(file)
    except StudyError as error:
        raise StudyError(f"{options.input}: {error}") from error
    size = f"{header.width}x{header.height}, model {header.model.hex()}"
    console.say(f"{options.input}: {size}, {len(passes)} of {header.passes} passes")
    for number, part in enumerate(passes, 1):
        kind = "raw" if part.raw else "coded"
        rate = 8 * part.end / (header.width * header.height)
        console.say(f"pass {number:2}: {len(part.body):,} bytes, {kind}; up to here {part.end:,} bytes, {rate:.3f} bpp")


COMMANDS = (compress, decompress, info)


def _each(options, pairs, left_out, work):
    """Works through pairs of files, says what became of each, and fails if one failed or was left out."""
    from tqdm import tqdm  # reads TQDM_DISABLE once, which other commands set

    def say(line, stream):
        with tqdm.external_write_mode(file=stream):
            console.say(line, stream)

    for path, reason in left_out.items():
        say(f"study: {path} is left out: {reason}", sys.stderr)
    done = 0
    for source, target in tqdm(pairs, unit="file", disable=None):
        try:
            _check_target(target, source, options.model)
            said = work(source, target)
        except (StudyError, OSError) as error:
            say(f"study: {'' if str(source) in str(error) else f'{source}: '}{error}", sys.stderr)
        else:
            say(f"{target}: {said}", sys.stdout)
            done += 1
    total = len(pairs) + len(left_out)
    if options.input.is_dir():
        say(f"{done} of {total} files done{f', {total - done} left out' if done < total else ''}", sys.stderr)
    if done < total:
        sys.exit(2)


def _pairs(options, suffixes, expected, rename):
    """Each file and where its result goes, the folders below a folder being kept; and what is left out, with a reason.

    In a folder go files with these suffixes; those with the expected ones stand beside them and need no word. `rename`
    gives a result's name in two parts, of which the first may be cut.
    """
    source, target = options.input, options.output
    if not source.is_dir():
        if not source.is_file() and not source.is_fifo():
            raise StudyError(f"There is no file {source}; name one that is there.")
        if target.is_dir():
            target /= _fitting(target, *rename(source.name))
        if not target.parent.is_dir():
            raise StudyError(f"There is no folder {target.parent} for {target.name}; make it first.")
        _check_target(target, source, options.model)
        return [(source, target)], {}
    if not target.is_dir():
        raise StudyError(f"{source} is a folder, and {target} is none; make it first.")
    files, left_out = walk.files_below(source)
    chosen = [path for path in files if path.suffix.lower() in suffixes]
    if not chosen:
        raise StudyError(f"{source} holds no file that ends in {' '.join(sorted(suffixes))}.")
    for path in files:
        if path.suffix.lower() not in suffixes | expected:
            left_out[path] = "its name does not end like those that are read; named by itself it is tried"
    folders = {path: target / path.relative_to(source).parent for path in chosen}
    return [(path, folder / _fitting(target, *rename(path.name))) for path, folder in folders.items()], left_out


def _check_target(target, source, model):
    """Raises `StudyError` where a result would take the place of what it is made from, by whatever name or link.

    And of a folder, pipe or device, before work is done for nothing.
    """
    if target.exists() and not target.is_file():
        raise StudyError(f"{target} is a folder, pipe or device, and a file would take its place; name another one.")
    for path in (source, Path(model or source)):
        if target.exists() and path.exists() and os.path.samefile(path, target):
            raise StudyError(f"{target} is read itself, as {path}; choose another name for what is written.")


def _fitting(folder, name, suffix):
    """A name and its suffix; where the disk has no room for so long a name, cut and told from others by a number."""
    longest = os.pathconf(folder, "PC_NAME_MAX") - len(suffix)
    letters = os.fsencode(name)
    if len(letters) <= longest:
        return name + suffix
    number = hashlib.sha256(letters).hexdigest()[:8]
    return f"{letters[: longest - 9].decode(errors='ignore')}~{number}{suffix}"


def _read(path):
    """The bytes of a compressed file; of a longer one only so many that it cannot be one."""
    with path.open("rb") as file:
        return file.read(file_format.LARGEST + 1)
