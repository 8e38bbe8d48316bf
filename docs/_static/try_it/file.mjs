// Bits to a file in the project's own format, byte for byte as `python -m study compress` writes it.
// study/codec/FORMAT.md describes the format, study/codec/context_model.py has the same in Python.

const CHANNELS = 32;
const EARLIER = 2; // passes before a bit's own that its context takes in
const PHASES = [[0, 0], [1, 1], [0, 1], [1, 0]]; // row and column, odd or even
const MATRIX = CHANNELS * CHANNELS;
const PARTS = 2 ** 24; // of the range coder's probabilities
const SPARED = 8; // trailing bytes that may be left out

// The context model of a pass: arrays that lie in context.bin one after another, each with a first axis of passes.
export function readContext(buffer, passes, table) {
  const all = new Int16Array(buffer);
  const sizes = { current: 9 * MATRIX, earlier: EARLIER * 9 * MATRIX, own: 4 * 9 * CHANNELS, bias: 4 * CHANNELS };
  const context = { first: table.map((p) => Math.floor((1 - p / 65536) * (PARTS - 2)) + 1) };
  let start = 0;
  for (const [name, size] of Object.entries(sizes)) {
    context[name] = (pass) => all.subarray(context[name].start + pass * size, context[name].start + (pass + 1) * size);
    context[name].start = start;
    start += passes * size;
  }
  return context;
}

// The code of a pass. Bits are an Int8Array of -1 and +1, cell by cell, 32 each; `earlier` are those of all passes before.
export function encodePass(context, bits, earlier, rows, columns) {
  const pass = earlier.length;
  const sums = new Int32Array(bits.length);
  addNeighbours(sums, bits, context.current(pass), rows, columns);
  for (let back = 1; back <= Math.min(EARLIER, pass); back++) {
    const weights = context.earlier(pass).subarray((back - 1) * 9 * MATRIX, back * 9 * MATRIX);
    addNeighbours(sums, earlier[pass - back], weights, rows, columns);
  }
  addOwn(sums, bits, context.own(pass), context.bias(pass), rows, columns);

  const middle = (context.first.length - 1) / 2;
  const coder = new RangeEncoder();
  for (let k = 0; k < CHANNELS; k++) {
    for (const [row, column] of PHASES) {
      for (let y = row; y < rows; y += 2) {
        for (let x = column; x < columns; x += 2) {
          const i = (y * columns + x) * CHANNELS + k;
          const entry = Math.max(-middle, Math.min(middle, sums[i] >> 3));
          coder.encode(bits[i] > 0, context.first[middle + entry]);
        }
      }
    }
  }
  return coder.bytes();
}

// For each cell calls `visit(cell, neighbour, place)` with those of its 3x3 neighbours that are there, itself included.
function eachNeighbour(rows, columns, visit) {
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      for (let place = 0; place < 9; place++) {
        const [near, far] = [y + Math.floor(place / 3) - 1, x + (place % 3) - 1];
        if (near >= 0 && near < rows && far >= 0 && far < columns) visit(y * columns + x, near * columns + far, place);
      }
    }
  }
}

function addNeighbours(sums, bits, weights, rows, columns) {
  eachNeighbour(rows, columns, (cell, neighbour, place) => {
    for (let j = 0; j < CHANNELS; j++) {
      const bit = bits[neighbour * CHANNELS + j];
      const from = (place * CHANNELS + j) * CHANNELS;
      for (let k = 0; k < CHANNELS; k++) sums[cell * CHANNELS + k] += bit * weights[from + k];
    }
  });
}

function addOwn(sums, bits, weights, bias, rows, columns) {
  const phase = (cell) => {
    const [row, column] = [Math.floor(cell / columns) % 2, (cell % columns) % 2];
    return PHASES.findIndex(([y, x]) => y === row && x === column);
  };
  for (let i = 0; i < sums.length; i++) {
    sums[i] += bias[phase(Math.floor(i / CHANNELS)) * CHANNELS + (i % CHANNELS)];
  }
  eachNeighbour(rows, columns, (cell, neighbour, place) => {
    const from = (phase(cell) * 9 + place) * CHANNELS;
    for (let k = 0; k < CHANNELS; k++) sums[cell * CHANNELS + k] += bits[neighbour * CHANNELS + k] * weights[from + k];
  });
}

// The range coder of the library `constriction`: the code is a number in [lower, lower + range), whose first words are
// `words` and whose last two are in `lower`.
class RangeEncoder {
  words = [];
  lower = 0n;
  range = 2n ** 64n - 1n;

  // A bit, of whose 2^24 parts the first `first` stand for a zero.
  encode(bit, first) {
    const scale = this.range >> 24n;
    const part = scale * BigInt(first);
    if (bit) this.lower += part;
    this.range = bit ? scale * BigInt(PARTS - first) : part;
    if (this.lower >= 2n ** 64n) this.carry();
    if (this.range < 2n ** 32n) {
      this.words.push(Number(this.lower >> 32n));
      this.lower = BigInt.asUintN(64, this.lower << 32n);
      this.range <<= 32n;
    }
  }

  carry() {
    this.lower = BigInt.asUintN(64, this.lower);
    let i = this.words.length - 1;
    while (this.words[i] === 2 ** 32 - 1) this.words[i--] = 0;
    this.words[i]++;
  }

  // The fewest bytes that decode to the same bits, as `_shortest` in context_model.py finds them: a decoder reads zeros
  // past the end, so trailing bytes go as long as what is left, or the next larger number, is in the range.
  bytes() {
    const written = this.words.map((word) => word.toString(16).padStart(8, "0")).join("");
    const lower = (BigInt(`0x0${written}`) << 64n) + this.lower;
    const word = (lower + 2n ** 32n - 1n) >> 32n;
    const upper = (lower + this.range) >> 32n;
    const [code, length] = upper === word ? [word << 32n, this.words.length * 4 + 8] : [word, this.words.length * 4 + 4];
    const after = BigInt(8 * (this.words.length * 4 + 8 - length)); // bits of `lower` that the code lacks
    for (let cut = Math.min(SPARED, length); cut > 0; cut--) {
      const left = code >> BigInt(8 * cut);
      const unit = BigInt(8 * cut) + after;
      for (const number of [left, left + 1n]) {
        const value = number << unit;
        const fits = number < 1n << BigInt(8 * (length - cut));
        if (fits && lower <= value && value < lower + this.range) return toBytes(number, length - cut);
      }
    }
    return toBytes(code, length);
  }
}

function toBytes(number, length) {
  const digits = length ? number.toString(16).padStart(2 * length, "0") : "";
  return Uint8Array.from({ length }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

// The bits as they stand in a file when they are not coded: +1 as a one, highest bit of a byte first.
export function packBits(bits) {
  const packed = new Uint8Array(bits.length / 8);
  bits.forEach((bit, i) => {
    if (bit > 0) packed[i >> 3] |= 128 >> (i & 7);
  });
  return packed;
}

// A file of passes, each with its `code` and its bits as `raw`, both bytes. `model` is the codec's id, three bytes.
export function writeFile(model, width, height, passes) {
  const fields = [82, 99, 1, ...model, width & 255, width >> 8, height & 255, height >> 8, passes.length];
  const header = Uint8Array.from([...fields, crc32(fields) & 255]);
  const parts = [header];
  let crc = crc32(header);
  for (const pass of passes) {
    const { raw } = pass;
    const code = pass.code.length ? pass.code : Uint8Array.of(0); // a length of 0 means raw
    crc = crc32(raw, crc);
    parts.push(...(code.length < raw.length ? [leb128(code.length), code] : [Uint8Array.of(0), raw]));
    const check = [crc & 255, (crc >>> 8) & 255, (crc >>> 16) & 255, crc >>> 24];
    parts.push(Uint8Array.from(raw.length < 256 ? check.slice(0, 1) : check));
  }
  return new Blob(parts, { type: "application/octet-stream" });
}

function leb128(number) {
  const digits = [];
  for (; number >= 128; number >>= 7) digits.push((number & 127) | 128);
  return Uint8Array.from([...digits, number]);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let i = 0; i < 8; i++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

function crc32(bytes, crc = 0) {
  crc = ~crc;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}
