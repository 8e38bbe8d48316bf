"""A decoder of the bits of a file, written from study/codec/FORMAT.md alone, in plain Python: slow, without `study`."""

import zlib

PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))


def read_bits(file, weights):
    """The bits of each pass: a list of dictionaries, from (row, column, channel) to -1 or +1.

    `weights` holds current, earlier, own, bias and table by name.
    """
    assert file[:3] == b"Rc\x01" and file[11] == zlib.crc32(file[:11]) & 255
    width, height = (int.from_bytes(file[i : i + 2], "little") for i in (6, 8))
    rows, columns = -(-height // 16), -(-width // 16)
    position, crc, passes = 12, zlib.crc32(file[:12]), []
    while position < len(file):
        length, shift = 0, 0
        while True:
            byte = file[position]
            position += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        size = length or rows * columns * 4
        body = file[position : position + size]
        position += size
        bits = _coded(body, rows, columns, weights, passes) if length else _raw(body, rows, columns)
        crc = zlib.crc32(_as_bytes(bits, rows, columns), crc)
        check = crc.to_bytes(4, "little")[: 4 if rows * columns * 4 > 255 else 1]
        assert file[position : position + len(check)] == check
        position += len(check)
        passes.append(bits)
    return passes


def _raw(body, rows, columns):
    places = [(y, x, k) for y in range(rows) for x in range(columns) for k in range(32)]
    return {place: 1 if body[i // 8] >> (7 - i % 8) & 1 else -1 for i, place in enumerate(places)}


def _as_bytes(bits, rows, columns):
    text = "".join("1" if bits[y, x, k] > 0 else "0" for y in range(rows) for x in range(columns) for k in range(32))
    return int(text, 2).to_bytes(len(text) // 8)


def _coded(body, rows, columns, weights, before):
    t, table = len(before), weights["table"]
    current, earlier, own, bias = (weights[name][t].tolist() for name in ("current", "earlier", "own", "bias"))
    decode, bits, half = _range_decoder(body), {}, len(table) // 2
    for k in range(32):
        for phase, (first_row, first_column) in enumerate(PHASES):
            for row in range(first_row, rows, 2):
                for column in range(first_column, columns, 2):
                    total = bias[phase][k]
                    for y in range(3):
                        for x in range(3):
                            near = row + y - 1, column + x - 1
                            total += own[phase][y][x][k] * bits.get((*near, k), 0)
                            total += sum(current[y][x][j][k] * bits.get((*near, j), 0) for j in range(k))
                            for back in range(min(t, 2)):
                                there = before[t - 1 - back]
                                total += sum(earlier[back][y][x][j][k] * there.get((*near, j), 0) for j in range(32))
                    i = min(max(total // 8, -half), half)
                    bits[row, column, k] = decode(int(table[i + half]) / 2**16)
    return bits


def _range_decoder(body):
    words = iter([int.from_bytes(body[i : i + 4].ljust(4, b"\0")) for i in range(0, len(body), 4)])
    lower, width = 0, 2**64 - 1
    point = next(words, 0) << 32 | next(words, 0)

    def decode(p):
        nonlocal lower, width, point
        c, scale = int((1 - p) * (2**24 - 2)) + 1, width >> 24
        low = (point - lower) % 2**64 // scale < c
        lower = (lower + (0 if low else scale * c)) % 2**64
        width = scale * (c if low else 2**24 - c)
        if width < 2**32:
            lower, width = (lower << 32) % 2**64, width << 32
            point = (point << 32) % 2**64 | next(words, 0)
        return -1 if low else 1

    return decode
