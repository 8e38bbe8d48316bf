"""`python -m study compress`, `decompress` and `info`: one file, or the files of a folder."""

import sys
from pathlib import Path

from study.codec import file_format
from study.ground import atomic, images
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
            sub.add_argument("--bpp", type=float, help="as many passes as fit so many bits a pixel, header and all")
            sub.add_argument("--psnr", type=float, help="as few passes as reach so many dB")


def compress(options):
    """write a picture, or those of a folder, as small files"""
    from study.codec import compression, weights

    model = weights.load(options.model or weights.DEFAULT)

    def work(source, target):
        picture, notes = images.read_picture(source, file_format.check_size)
        done = compression.compress(model, picture, options.iterations, options.bpp, options.psnr)
        atomic.write(target, done.file)
        height, width, _ = picture.shape
        size = f"{width}x{height}, {done.passes} passes, {len(done.file):,} bytes"
        return "; ".join([f"{size}, {done.bpp:.3f} bpp, {done.psnr:.2f} dB", *notes])

    _each(options, images.image_files, lambda name: name + SUFFIX, work)


def decompress(options):
    """write the picture in a file, or those in a folder's files, as PNG, TIFF, BMP, PPM or lossless WebP"""
    from study.codec import compression, weights

    models = {}

    def work(source, target):
        file = source.read_bytes()
        header, passes = file_format.read(file)
        name = options.model or weights.find(header.model)
        if name not in models:
            models[name] = weights.load(name)
        images.write_picture(target, compression.decompress(models[name], file, options.iterations))
        return f"{header.width}x{header.height}, {options.iterations or len(passes)} of {header.passes} passes"

    _each(options, _compressed_files, lambda name: name.removesuffix(SUFFIX) + ".png", work)


def info(options):
    """say what is in a compressed file"""
    file = options.input.read_bytes()
    try:
        header, passes = file_format.read(file)
    except StudyError as error:
        raise StudyError(f"{options.input}: {error}") from error
    size = f"{header.width}x{header.height}, model {header.model.hex()}"
    print(f"{options.input}: {size}, {len(passes)} of {header.passes} passes")
    for number, part in enumerate(passes, 1):
        kind = "raw" if part.raw else "coded"
        rate = 8 * part.end / (header.width * header.height)
        print(f"pass {number:2}: {len(part.body):,} bytes, {kind}; up to here {part.end:,} bytes, {rate:.3f} bpp")


COMMANDS = (compress, decompress, info)


def _each(options, find, rename, work):
    """Works through a file or a folder's files, says what became of each, and fails if one failed."""
    from tqdm import tqdm  # reads TQDM_DISABLE once, which other commands set

    failed = 0
    pairs = _pairs(options.input, options.output, find, rename)
    for source, target in tqdm(pairs, unit="file", disable=None):
        try:
            tqdm.write(f"{target}: {work(source, target)}")
        except (StudyError, OSError) as error:
            tqdm.write(f"study: {source}: {error}", file=sys.stderr)
            failed += 1
    if failed:
        sys.exit(2)


def _pairs(source, target, find, rename):
    """Each file and where its result goes; the folders below a folder are kept."""
    if source.is_dir():
        if not target.is_dir():
            raise StudyError(f"{source} is a folder, and {target} is none; make it first.")
        return [(path, target / path.relative_to(source).parent / rename(path.name)) for path in find(source)]
    if not source.is_file():
        raise StudyError(f"There is no file {source}; name one that is there.")
    if target.is_dir():
        target /= rename(source.name)
    if not target.parent.is_dir():
        raise StudyError(f"There is no folder {target.parent} for {target.name}; make it first.")
    return [(source, target)]


def _compressed_files(folder):
    found = sorted(folder.rglob(f"*{SUFFIX}"))
    if not found:
        raise StudyError(f"{folder} holds no file that ends in {SUFFIX}.")
    return found
