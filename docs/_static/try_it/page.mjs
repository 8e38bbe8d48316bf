// The page "Try it": takes a photograph, has a worker compress it, shows each pass beside the JPEG of as many bytes.

import { writeFile } from "./file.mjs";

const LONGEST = 768; // pixels on a side; one tile of the codec's, and some 600 MB at most
const MOST_PIXELS = 2 ** 25; // of a photograph, as many as `python -m study compress` takes
const MOST_BYTES = 2 ** 26; // of its file

const element = (id) => document.getElementById(id);
const say = (text) => (element("status").textContent = text);
const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

let job; // the photograph that is being compressed, or was

// Takes a file in place of the photograph before it. What goes wrong is said in one line, unless a newer one is there.
async function open(blob, name) {
  job?.worker?.terminate();
  const mine = { name: name.replace(/\.[^.]*$/, ""), passes: [], jpegs: [], follows: true };
  job = mine;
  element("result").hidden = true;
  say("Reading the photograph …");
  try {
    Object.assign(mine, await readPhotograph(blob));
  } catch (error) {
    if (job === mine) say(error.message);
    return;
  }
  if (job !== mine) return;
  draw("original-picture", mine.image);
  say("Loading the network, 18 MB the first time …");
  mine.worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
  mine.worker.onmessage = ({ data }) => job === mine && receive(data);
  mine.worker.onerror = () => say("The network could not be started; this browser may be too old.");
  mine.worker.postMessage(mine.image);
}

// The pixels of a photograph, on white where it is transparent, no side longer than LONGEST.
async function readPhotograph(blob) {
  if (blob.size > MOST_BYTES) throw new Error(`This file has more than ${MOST_BYTES / 2 ** 20} MiB; choose a smaller one.`);
  const bitmap = await createImageBitmap(blob).catch(() => {
    throw new Error("This file is not a picture that your browser can read; choose a JPEG, PNG or WebP.");
  });
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) {
    throw new Error(`${number(width)}×${number(height)} is more than ${number(MOST_PIXELS)} pixels; choose a smaller picture.`);
  }
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const image = paint(bitmap, Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  bitmap.close();
  const note = scale < 1 ? ` Scaled down from ${width}×${height} to ${image.width}×${image.height} pixels.` : "";
  return { image, note };
}

function paint(bitmap, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

function draw(id, image) {
  const canvas = Object.assign(element(id), { width: image.width, height: image.height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function receive({ model, passes, pass, error }) {
  if (error) return say(`The network stopped: ${error}. If memory ran out, choose a smaller picture.`);
  if (model) {
    Object.assign(job, { model, total: passes, started: Date.now() });
    return say(`Pass 1 of ${passes} …${job.note}`);
  }
  pass.psnr = psnr(pass.image, job.image);
  job.passes.push(pass);
  const done = job.passes.length;
  const seconds = ((Date.now() - job.started) / 1000).toFixed(0);
  say(done < job.total ? `Pass ${done + 1} of ${job.total} …${job.note}` : `All ${done} passes done in ${seconds} seconds.${job.note}`);
  const slider = element("passes");
  slider.max = done;
  if (job.follows) slider.value = done;
  element("result").hidden = false;
  show();
}

function psnr(image, original) {
  let sum = 0;
  for (let i = 0; i < image.data.length; i++) sum += (image.data[i] - original.data[i]) ** 2; // nothing for alpha
  return 10 * Math.log10((255 ** 2 * 3 * image.width * image.height) / sum);
}

// What the slider asks for; the JPEG follows when it is made.
async function show() {
  const shown = job;
  const count = Number(element("passes").value);
  if (shown.count === count) return;
  shown.count = count;
  const pass = shown.passes[count - 1];
  const { width, height } = shown.image;
  const file = writeFile(shown.model, width, height, shown.passes.slice(0, count));
  element("chosen").textContent = `${count} of ${shown.total}`;
  element("passes").setAttribute("aria-valuetext", `${count} of ${shown.total} passes`);
  draw("codec-picture", pass.image);
  fill("codec", file.size, pass.psnr);
  const link = element("download");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(file);
  link.download = `${shown.name}.rnn`;
  link.textContent = `Download the compressed file, ${number(file.size)} bytes`;
  if (!shown.jpegs[count]) for (const column of ["bytes", "bpp", "psnr"]) element(`jpeg-${column}`).textContent = "…";
  const jpeg = (shown.jpegs[count] ??= await jpegOf(shown.image, file.size));
  if (job !== shown || shown.count !== count) return;
  draw("jpeg-picture", jpeg.image);
  fill("jpeg", jpeg.size, jpeg.psnr);
  element("jpeg-name").textContent = jpeg.size > file.size ? "Smallest JPEG" : `JPEG, quality ${jpeg.quality}`;
  element("jpeg-caption").textContent = jpeg.size > file.size ? "The smallest JPEG, which is larger" : "JPEG of as many bytes";
}

function fill(row, bytes, decibels) {
  element(`${row}-bytes`).textContent = number(bytes);
  element(`${row}-bpp`).textContent = number((8 * bytes) / (job.image.width * job.image.height), 3);
  element(`${row}-psnr`).textContent = number(decibels, 2);
}

// The JPEG of the highest quality, 0 to 100, that has no more than `most` bytes, or that of quality 0.
async function jpegOf(image, most) {
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  canvas.getContext("2d").putImageData(image, 0, 0);
  const write = (quality) => new Promise((done) => canvas.toBlob(done, "image/jpeg", quality / 100));
  let [best, quality, above] = [await write(0), 0, 101];
  while (above - quality > 1) {
    const middle = Math.floor((quality + above) / 2);
    const blob = await write(middle);
    if (blob.size <= most) [best, quality] = [blob, middle];
    else above = middle;
  }
  const decoded = paint(await createImageBitmap(best), image.width, image.height);
  return { size: best.size, quality, image: decoded, psnr: psnr(decoded, image) };
}

function start() {
  const input = element("photograph");
  input.addEventListener("change", () => input.files[0] && open(input.files[0], input.files[0].name));
  element("example").addEventListener("click", async () => {
    const example = await fetch(new URL("example.png", import.meta.url));
    open(await example.blob(), "example.png");
  });
  const drop = element("drop");
  for (const [kind, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", over);
      const file = kind === "drop" && event.dataTransfer.files[0];
      if (file) open(file, file.name);
    });
  }
  element("passes").addEventListener("input", () => {
    job.follows = Number(element("passes").value) === job.passes.length;
    show();
  });
  element("actual").addEventListener("change", ({ target }) => element("try-it").classList.toggle("actual", target.checked));
  const frames = [...document.querySelectorAll("#try-it .pictures div")];
  for (const frame of frames) {
    frame.addEventListener("scroll", () => {
      for (const other of frames) [other.scrollLeft, other.scrollTop] = [frame.scrollLeft, frame.scrollTop];
    });
  }
  say("No photograph yet.");
}

start();
