// Packs a picture of a page into a PNG with a palette of at most 256 colours: a page has few, and its text stays sharp.

import { deflateSync, inflateSync, crc32 } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS = 256;

interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue of each, one after another. */
  readonly rgb: Uint8Array;
}

/** `png`: eight bits a channel, not interlaced, as browsers write it. */
export function packPicture(png: Uint8Array): Buffer {
  const pixels = unpack(Buffer.from(png));
  const palette = paletteOf(pixels);
  return packed(pixels, palette);
}

function unpack(png: Buffer): Pixels {
  const parts: Buffer[] = [];
  let [width, height, channels] = [0, 0, 0];
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = png.readUInt32BE(at);
    const type = png.toString("latin1", at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + length);
    if (type === "IHDR")
      [width, height, channels] = [body.readUInt32BE(0), body.readUInt32BE(4), body[9] === 6 ? 4 : 3];
    if (type === "IDAT") parts.push(body);
    at += length + 12;
  }
  const lines = inflateSync(Buffer.concat(parts));
  return { width, height, rgb: unfiltered(lines, { width, height, channels }) };
}

/** Each line names how its bytes differ from those to the left of them and above. */
function unfiltered(
  lines: Uint8Array,
  { width, height, channels }: { width: number; height: number; channels: number },
): Uint8Array {
  const stride = width * channels;
  const bytes = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = lines[y * (stride + 1)] ?? 0;
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x >= channels ? (bytes[at - channels] ?? 0) : 0;
      const up = y > 0 ? (bytes[at - stride] ?? 0) : 0;
      const corner = x >= channels && y > 0 ? (bytes[at - stride - channels] ?? 0) : 0;
      bytes[at] = (lines[y * (stride + 1) + 1 + x] ?? 0) + predicted(filter, [left, up, corner]);
    }
  }
  if (channels === 3) return bytes;
  return bytes.filter((_, at) => at % 4 !== 3);
}

function predicted(filter: number, [left, up, corner]: readonly [number, number, number]): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  if (filter !== 4) return 0;
  const guess = left + up - corner;
  const [byLeft, byUp, byCorner] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (byLeft <= byUp && byLeft <= byCorner) return left;
  return byUp <= byCorner ? up : corner;
}

/**
 * Half of it the most frequent colours, then those that these draw worst: a small sign may have a colour of its own. What is
 * in neither is drawn as the nearest: shades at the edges of letters.
 */
function paletteOf({ rgb }: Pixels): number[] {
  const counts = new Map<number, number>();
  for (let at = 0; at < rgb.length; at += 3) {
    const colour = colourAt(rgb, at);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const palette = sorted.slice(0, COLOURS / 2).map(([colour]) => colour);
  const rest = sorted.slice(COLOURS / 2).map(([colour, count]) => {
    const away = Math.min(...palette.map((other) => distance(colour, other)));
    return { colour, count, away };
  });
  while (palette.length < COLOURS && rest.length > 0) {
    const worst = rest.reduce((best, one) => (one.away * one.count > best.away * best.count ? one : best));
    palette.push(worst.colour);
    for (const one of rest) one.away = Math.min(one.away, distance(one.colour, worst.colour));
    if (worst.away === 0) break;
  }
  return palette;
}

function distance(one: number, other: number): number {
  return [16, 8, 0].reduce((sum, bits) => sum + (((one >> bits) & 255) - ((other >> bits) & 255)) ** 2, 0);
}

function colourAt(rgb: Uint8Array, at: number): number {
  return ((rgb[at] ?? 0) << 16) | ((rgb[at + 1] ?? 0) << 8) | (rgb[at + 2] ?? 0);
}

function packed({ width, height, rgb }: Pixels, palette: readonly number[]): Buffer {
  const known = new Map(palette.map((colour, index) => [colour, index]));
  const lines = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const colour = colourAt(rgb, 3 * (y * width + x));
      let index = known.get(colour);
      if (index === undefined) known.set(colour, (index = nearest(colour, palette)));
      lines[y * (width + 1) + 1 + x] = index;
    }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  const chunks = [
    chunk("IHDR", head),
    chunk("PLTE", colours),
    chunk("IDAT", deflateSync(lines, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ];
  return Buffer.concat([SIGNATURE, ...chunks]);
}

function nearest(colour: number, palette: readonly number[]): number {
  const away = palette.map((other) => distance(colour, other));
  return away.indexOf(Math.min(...away));
}

function chunk(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(body.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}
