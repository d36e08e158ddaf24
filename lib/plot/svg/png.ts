// A small PNG of up to 255 colours and a clear one: a heat map's cells, a colour bar. Relies on zlib alone; knows no figure.

import { crc32, deflateSync } from "node:zlib";

export type Rgb = readonly [red: number, green: number, blue: number];

/** Clear. */
export const NOTHING = 0;

/** @param cells Row by row: 0 for clear, else a colour's place in `colours` plus one. */
export function pngOf(width: number, height: number, cells: Uint8Array, colours: readonly Rgb[]): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits a place in the palette.
  header.set([8, 3, 0, 0, 0], 8);
  const rows = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y++) rows.set(cells.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("PLTE", Buffer.from([0, 0, 0, ...colours.flat()])),
    chunk("tRNS", Buffer.from([0])),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** An SVG image whose pixels stay squares. */
export function imageOf(png: Buffer, place: { x: number; y: number; width: number; height: number }): string {
  const { x, y, width, height } = place;
  const sides = [x, y, width, height].map((one) => Math.round(one * 100) / 100);
  return `<image x="${sides[0]}" y="${sides[1]}" width="${sides[2]}" height="${sides[3]}" preserveAspectRatio="none" image-rendering="optimizeSpeed" style="image-rendering:pixelated" xlink:href="data:image/png;base64,${png.toString("base64")}"/>`;
}
