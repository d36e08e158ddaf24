// A figure as a file: what each ending becomes, what is refused, and that a file is written whole or not at all.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Resvg } from "@resvg/resvg-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Figure } from "../../../lib/plot/figure.ts";
import { svgOf } from "../../../lib/plot/svg/document.ts";
import { layoutOf, tokens } from "../../../lib/plot/theme.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lensor-figure-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const figure = () =>
  new Figure(() => ({
    data: [{ type: "bar", x: ["a", "b"], y: [1, 2] }],
    layout: layoutOf({ title: "Two </script> bars", subtitle: "s", height: 300 }),
  }));

test("an SVG file is the figure's own picture, in either theme", async () => {
  await figure().save(join(folder, "a.svg"));
  expect(readFileSync(join(folder, "a.svg"), "utf8")).toBe(await figure().svg());
  await figure().save(join(folder, "b.SVG"), { theme: "dark", width: 400 });
  const dark = readFileSync(join(folder, "b.SVG"), "utf8");
  expect(dark).toContain(`fill="${tokens.dark.text}"`);
  expect(dark).toContain('viewBox="0 0 400 300"');
});

test("a PNG has two pixels for each of the picture's, words in it and clear ground", async () => {
  await figure().save(join(folder, "a.png"));
  const png = readFileSync(join(folder, "a.png"));
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1600, 600]);
  // Eight bits of red, green, blue and clearness.
  expect([...png.subarray(24, 26)]).toEqual([8, 6]);
});

test("a sign that the usual letters lack changes no letter beside it", () => {
  const left = (title: string) => {
    const svg = svgOf({ data: [], layout: layoutOf({ title, subtitle: "", height: 60 }) }, "");
    const image = new Resvg(svg, { fitTo: { mode: "zoom", value: 2 } }).render();
    // The first 200 of 1600 pixels of each row hold the letters before the sign.
    const rows = Array.from({ length: 120 }, (_, y) => image.pixels.subarray(y * 6400, y * 6400 + 800));
    return Buffer.concat(rows);
  };
  const plain = left("Which of the words is it, a or b");
  expect(plain.some((value) => value > 0)).toBe(true);
  expect(left("Which of the words is it, ⏎ or b").equals(plain)).toBe(true);
});

test("a page holds the live figure and the pictures, and nothing in it ends its script early", async () => {
  await figure().save(join(folder, "a.html"));
  const page = readFileSync(join(folder, "a.html"), "utf8");
  expect(page.match(/<\/script>/g)).toHaveLength(3);
  expect(page).toContain("Two \\u003c/script>");
  expect(page.match(/data:image\/svg\+xml;base64,/g)).toHaveLength(2);
  expect(page).not.toMatch(/(src|href)="https?:/);
});

test("another ending, another option and a folder that is not there are told, and leave nothing behind", async () => {
  await expect(figure().save(join(folder, "a.pdf"))).rejects.toThrow(/ends in \.svg, \.png, \.html/);
  await expect(figure().save(join(folder, "png"))).rejects.toThrow(/does not say what to write/);
  await expect(figure().save(undefined as never)).rejects.toThrow(/got undefined/i);
  await expect(figure().save(join(folder, "a.svg"), { size: 3 } as never)).rejects.toThrow(
    /no option "size"/,
  );
  await expect(figure().svg({ theme: "blue" } as never)).rejects.toThrow(/theme is wrong/);
  await expect(figure().svg({ width: 9 })).rejects.toThrow(/number from 200 to 4000/);
  await expect(figure().save(join(folder, "none", "a.svg"))).rejects.toThrow(/cannot be written: ENOENT/);
  expect(readdirSync(folder)).toEqual([]);
});

test("what cannot be drawn leaves the file that was there", async () => {
  const path = join(folder, "a.svg");
  writeFileSync(path, "before");
  const broken = new Figure(() => {
    throw new Error("no data");
  });
  await expect(broken.save(path)).rejects.toThrow("no data");
  expect(readFileSync(path, "utf8")).toBe("before");
  expect(readdirSync(folder)).toEqual(["a.svg"]);
});
