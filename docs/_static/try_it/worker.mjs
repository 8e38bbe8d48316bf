// The codec at work, beside the page so that it stays awake: takes one picture, answers with one message a pass.

import * as ort from "./ort.wasm.bundle.min.mjs";
import { encodePass, packBits, readContext } from "./file.mjs";

const CELL = 16; // pixels on a side

ort.env.wasm.numThreads = 1; // more need headers that a plain server of files does not send
ort.env.wasm.wasmPaths = { wasm: new URL("ort-wasm-simd-threaded.wasm", import.meta.url).href };

async function fetched(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} could not be loaded (${answer.status})`);
  return answer;
}

async function load() {
  const codec = await (await fetched("codec.json")).json();
  const context = readContext(await (await fetched("context.bin")).arrayBuffer(), codec.passes, codec.table);
  const graph = new Uint8Array(await (await fetched("codec.onnx")).arrayBuffer());
  return { codec, context, session: await ort.InferenceSession.create(graph) };
}

// RGBA in 8 bits to a tensor (1, h, w, 3) in [-0.5, 0.5], whose last row and column are repeated up to whole cells.
function toTensor({ data, width, height }) {
  const [rows, columns] = [height, width].map((side) => Math.ceil(side / CELL) * CELL);
  const values = new Float32Array(rows * columns * 3);
  for (let y = 0, i = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const pixel = (Math.min(y, height - 1) * width + Math.min(x, width - 1)) * 4;
      for (let c = 0; c < 3; c++) values[i++] = Math.fround(data[pixel + c] / 255) - 0.5;
    }
  }
  return new ort.Tensor("float32", values, [1, rows, columns, 3]);
}

function toImage(tensor, width, height) {
  const image = new ImageData(width, height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0, from = y * tensor.dims[2] * 3; x < width; x++) {
      for (let c = 0; c < 3; c++) image.data[i++] = Math.fround(tensor.data[from++] + 0.5) * 255; // rounds, from 0 to 255
      image.data[i++] = 255;
    }
  }
  return image;
}

const zeros = (...shape) => new ort.Tensor("float32", new Float32Array(shape.reduce((a, b) => a * b)), shape);

async function run(image) {
  const { codec, context, session } = await load();
  const { width, height } = image;
  const picture = toTensor(image);
  const [, rows, columns] = picture.dims;
  postMessage({ model: codec.model, passes: codec.passes });
  let after = { shown: zeros(1, rows, columns, 3) };
  for (const [name, channels, stride] of codec.states) after[name] = zeros(1, channels, rows / stride, columns / stride);
  const earlier = [];
  while (earlier.length < codec.passes) {
    const before = Object.entries(after).filter(([name]) => name !== "bits");
    const feeds = Object.fromEntries(before.map(([name, tensor]) => [`${name}_before`, tensor]));
    after = await session.run({ picture, ...feeds });
    const bits = Int8Array.from(after.bits.data);
    const code = encodePass(context, bits, earlier, rows / CELL, columns / CELL);
    earlier.push(bits);
    postMessage({ pass: { code, raw: packBits(bits), image: toImage(after.shown, width, height) } });
  }
}

onmessage = ({ data }) => run(data).catch((error) => postMessage({ error: error.message }));
