// Frames, signatures, connection files and offsets: what is accepted, what is dropped.

import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseConnection, readConnection } from "../../../kernel/protocol/connection.ts";
import { toCodePoints, toUnits } from "../../../kernel/protocol/offsets.ts";
import { type Message, Wire } from "../../../kernel/protocol/wire.ts";

const wire = new Wire("secret");
/** Another one with the same key: none takes what it has sent itself. */
const reader = new Wire("secret");
const message = (content: Record<string, unknown> = { code: "1 + 1 é😀" }): Message => ({
  identities: [Buffer.from([0, 1, 2]), Buffer.from("client")],
  header: wire.header("execute_request"),
  parent: {},
  metadata: { cellId: "a" },
  content,
  buffers: [Buffer.from([9, 8, 7])],
});

describe("the wire", () => {
  test("a message comes back as it went", () => {
    const sent = message();
    expect(reader.decode(wire.encode(sent))).toEqual(sent);
  });

  test("the signature is HMAC-SHA256 of the four parts, in hex", () => {
    const frames = wire.encode(message());
    const at = frames.findIndex((frame) => frame.toString() === "<IDS|MSG>");
    const hmac = createHmac("sha256", "secret");
    for (const part of frames.slice(at + 2, at + 6)) hmac.update(part);
    expect(frames[at + 1]!.toString()).toBe(hmac.digest("hex"));
  });

  test("another key, a changed byte, a missing frame: dropped", () => {
    const frames = wire.encode(message());
    expect(new Wire("other").decode(frames)).toBeUndefined();
    for (let part = 3; part < 8; part++) {
      const changed = frames.map((frame) => Buffer.from(frame));
      const frame = changed[part]!;
      frame[frame.length - 1]! ^= 1;
      expect(reader.decode(changed)).toBeUndefined();
    }
    for (let length = 0; length < frames.length - 1; length++)
      expect(reader.decode(frames.slice(0, length))).toBeUndefined();
    expect(reader.decode(frames.map((f, i) => (i === 3 ? Buffer.alloc(0) : f)))).toBeUndefined();
  });

  test("an empty key signs nothing and checks that nothing is signed", () => {
    const open = new Wire("");
    expect(open.decode(new Wire("").encode(message()))).toBeDefined();
    expect(open.decode(wire.encode(message()))).toBeUndefined();
  });

  test("signed parts that are no message: dropped", () => {
    const sign = (parts: string[]): Buffer[] => {
      const hmac = createHmac("sha256", "secret");
      for (const part of parts) hmac.update(part);
      return ["<IDS|MSG>", hmac.digest("hex"), ...parts].map((part) => Buffer.from(part));
    };
    const header = JSON.stringify(wire.header("kernel_info_request"));
    expect(reader.decode(sign([header, "{}", "{}", "[]"]))).toBeUndefined();
    expect(reader.decode(sign([header, "{}", "{}", "nonsense"]))).toBeUndefined();
    expect(reader.decode(sign(["{}", "{}", "{}", "{}"]))).toBeUndefined();
    expect(reader.decode(sign(["null", "{}", "{}", "{}"]))).toBeUndefined();
    const odd = { ...JSON.parse(header), session: 5 };
    expect(reader.decode(sign([JSON.stringify(odd), "{}", "{}", "{}"]))).toBeUndefined();
    expect(reader.decode(sign([header, "{}", "{}", "{}"]))).toBeDefined();
  });

  test("the same message again, or one of its own sent back: dropped", () => {
    const frames = wire.encode(message());
    expect(wire.decode(frames)).toBeUndefined();
    expect(reader.decode(frames)).toBeDefined();
    expect(reader.decode(frames)).toBeUndefined();
  });

  test("of a header only what is flat is kept, since it goes back with every answer; a long one is dropped", () => {
    const sent = message();
    const deep = { ...sent, header: { ...sent.header, subshell_id: null, more: { a: [1] }, n: 5 } };
    expect(reader.decode(wire.encode(deep))?.header).toEqual({ ...sent.header, n: 5 });
    const long = { ...sent, header: { ...sent.header, username: "x".repeat(100_000) } };
    expect(reader.decode(wire.encode(long))).toBeUndefined();
  });

  test("half a surrogate pair becomes the replacement mark; text that looks like one stays", () => {
    const content = { a: "\ud83d", b: "\ud83d\ude00", c: "\\ud83d", d: "\\\ud83d" };
    expect(reader.decode(wire.encode(message(content)))?.content).toEqual({
      a: "\ufffd",
      b: "\ud83d\ude00",
      c: "\\ud83d",
      d: "\\\ufffd",
    });
  });

  test("any content survives", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const content = { value: JSON.parse(JSON.stringify(value)) };
        expect(reader.decode(wire.encode(message(content)))?.content).toEqual(content);
      }),
    );
  });
});

describe("the connection file", () => {
  const good = {
    ip: "127.0.0.1",
    transport: "tcp",
    key: "k",
    signature_scheme: "hmac-sha256",
    shell_port: 1,
    control_port: 2,
    iopub_port: 3,
    stdin_port: 4,
    hb_port: 5,
  };

  test("gives an address for each channel", () => {
    expect(parseConnection(good).address("iopub")).toBe("tcp://127.0.0.1:3");
    expect(parseConnection({ ...good, ip: "::1" }).address("hb")).toBe("tcp://[::1]:5");
    expect(parseConnection({ ...good, transport: "ipc", ip: "/tmp/k" }).address("shell")).toBe(
      "ipc:///tmp/k-1",
    );
  });

  test.each([
    [{ ip: "0.0.0.0" }, /loopback/],
    [{ ip: "192.168.1.2" }, /loopback/],
    [{ ip: "127.0.0.1.evil.example" }, /loopback/],
    [{ transport: "udp" }, /"transport" should be/],
    [{ key: 5 }, /"key" should be a string/],
    [{ signature_scheme: "hmac-md5" }, /"signature_scheme"/],
    [{ shell_port: "1" }, /"shell_port" should be a port number, and is "1"/],
    [{ hb_port: 70000 }, /"hb_port"/],
    [{ curve_publickey: "a".repeat(40) }, /"curve_secretkey" should be a CurveZMQ key/],
    [{ curve_publickey: 5, curve_secretkey: "a".repeat(40) }, /"curve_publickey" should be a CurveZMQ key/],
    [
      { curve_publickey: "a".repeat(40), curve_secretkey: "short and secret" },
      /"curve_secretkey".*, and is a string\.$/,
    ],
  ])("refuses %j", (change, message) => {
    expect(() => parseConnection({ ...good, ...change })).toThrow(message);
  });

  test("CurveZMQ's keys come with it, where it has them", () => {
    const curve = { curve_publickey: "a".repeat(40), curve_secretkey: "b".repeat(40) };
    expect(parseConnection(good).curve).toBeUndefined();
    expect(parseConnection({ ...good, ...curve }).curve).toEqual({
      publicKey: "a".repeat(40),
      secretKey: "b".repeat(40),
    });
  });

  test("a file that is not there is named", () => {
    expect(() => readConnection("/no/such/file.json")).toThrow(/\/no\/such\/file\.json cannot be read/);
  });
});

test("a cursor counts code points in Jupyter and units here", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(30), (text, at) => {
      const points = Math.min(at, [...text].length);
      expect(toCodePoints(text, toUnits(text, points))).toBe(points);
    }),
  );
  expect(toUnits("😀x", 1)).toBe(2);
  expect(toUnits("😀x", 99)).toBe(3);
});
