// Writes test/msgpack_vectors.h: packets as the official parser encodes them,
// in Node.js and in a browser, and what they mean.
//
//   npm install --no-save socket.io-msgpack-parser@3.0.2
//   node test/msgpack_vectors.mjs >test/msgpack_vectors.h

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const parser = require("socket.io-msgpack-parser");
const encodeInBrowser = require("notepack.io/browser/encode.js");

const isBinary = (v) => ArrayBuffer.isView(v) || v instanceof ArrayBuffer;

// The JSON of `data` with placeholders, and what they stand for.
function translate(data) {
  const binaries = [];
  const walk = (v) => {
    if (isBinary(v)) {
      const bytes = ArrayBuffer.isView(v) ? v.buffer : v;
      binaries.push(Buffer.from(Buffer.isBuffer(v) ? v : bytes).toString("hex"));
      return { _placeholder: true, num: binaries.length - 1 };
    }
    if (Array.isArray(v)) return v.map(walk);
    if (v !== null && typeof v === "object" && !(v instanceof Date))
      return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, walk(x)]));
    return v;
  };
  return { json: JSON.stringify(walk(data)), binaries };
}

const buf = (...bytes) => Buffer.from(bytes);
const ab = (...bytes) => Uint8Array.from(bytes).buffer;
const event = (...data) => ({ type: 2, data, nsp: "/" });
const fill = (count, value) => new Array(count).fill(value);

// Label, packet, flags: `b` for a browser, `x` where our encoder has to give the
// same bytes; the text, where it is not that of JSON.stringify: integers keep
// their digits.
const rows = [
  ["connect of a client", { type: 0, nsp: "/", data: undefined }, ""],
  ["connect with auth", { type: 0, data: { token: "abc", n: 1 }, nsp: "/" }, "x"],
  ["connect to a namespace", { type: 0, nsp: "/admin", data: {} }, ""],
  ["connect of the server", { type: 0, data: { sid: "Ab-_0123456789abcdef" }, nsp: "/foo" }, "x"],
  ["connect, without recovery", { type: 0, data: { sid: "s", pid: undefined }, nsp: "/" }, ""],
  ["disconnect of a client", { type: 1, nsp: "/", options: { compress: true } }, ""],
  ["disconnect of the server", { type: 1, nsp: "/foo" }, "x"],
  ["connect error", { type: 4, data: { message: "Invalid namespace" }, nsp: "/foo" }, "x"],
  ["connect error, a string", { type: 4, data: "no", nsp: "/foo" }, "x"],
  ["event of a client", { type: 2, data: ["hello", 1, buf(1, 2)], options: { compress: true }, id: 3, nsp: "/" }, ""],
  ["event of a browser", { type: 2, data: ["hello", ab(1, 2), { a: ab() }], options: { compress: true }, nsp: "/" }, "b"],
  ["event, reference", event("hello", 1, buf(1, 2)), "x"],
  ["event without arguments", event("a"), "x"],
  ["event with id", { type: 2, data: ["a", 1], id: 0, nsp: "/" }, "x"],
  ["event with a long id", { type: 2, data: ["a", 1], id: 9007199254740991, nsp: "/n" }, "x"],
  ["ack", { id: 1, type: 3, data: [], nsp: "/" }, ""],
  ["ack with arguments", { type: 3, data: [null, { ok: true }, buf(255)], id: 300, nsp: "/foo" }, "x"],
  ["ack of nothing", { id: 12, type: 3, data: [undefined], nsp: "/" }, ""],
  ["numeric name", event(42, "x"), ""],
  ["reals in names", event(1.5), ""],
  ["words", event("w", null, true, false, undefined), ""],
  ["plain words", event("w", null, true, false), "x"],
  ["undefined members", event("u", { a: undefined, b: 1, c: undefined }, [undefined]), ""],
  ["small integers", event("i", 0, 1, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296), "x"],
  ["safe integers", event("i", 9007199254740991, -9007199254740991), "x"],
  ["negative integers", event("i", -1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649), "x"],
  ["beyond safe integers", event("i", 9007199254740992, 18446744073709549568, -9223372036854775808), "x",
    '["i",9007199254740992,18446744073709549568,-9223372036854775808]'],
  ["reals", event("r", 0.1, -1.5, 1e-7, 123456.789, 5e-324, 2.2250738585072014e-308, 0.000001), "x"],
  ["not finite", event("r", NaN, Infinity, -Infinity, -0), ""],
  ["dates", event("d", new Date(0), new Date(1700000000123), new Date(-1), new Date(8.64e15), new Date(-62198755200000)), ""],
  ["strings", event("s", "", "a\"b\\c/d", "\u0000\u0001\b\t\n\f\r\u001f\u007f", "äöü€😀", "x".repeat(31), "y".repeat(32), "z".repeat(255), "ä".repeat(128)), "x"],
  ["half a surrogate pair", event("s", "a\ud800b".repeat(12)), ""],
  ["browser's strings", event("s", "äöü€😀", "q".repeat(300)), "bx"],
  ["nested", event("n", [[], {}, [[{ a: [{ b: null }] }]]], { "": { "ключ": [1, 2, 3] } }), "x"],
  ["fifteen and sixteen", event("c", fill(15, 0), fill(16, 0), fill(17, [])), "x"],
  ["objects of fifteen and sixteen", event("c", ...[15, 16].map((n) => Object.fromEntries(fill(n, 0).map((_, i) => ["k" + i, i])))), "x"],
  ["integer-like keys", event("k", { 1: "a", 0: "b", x: "c" }), "x"],
  ["binary everywhere", event("b", buf(), [buf(0)], { x: buf(1, 2, 3), y: { z: buf(255, 0) } }), "x"],
  ["binary of 255 and 256 bytes", event("b", Buffer.alloc(255, 1), Buffer.alloc(256, 2)), "x"],
  ["array buffers of Node", event("b", ab(9), Uint8Array.from([1, 2, 3]), ab(), new Uint8Array(256)), ""],
  ["array buffers of a browser", event("b", ab(9, 8, 7), ab(), new Uint8Array(256).buffer), "bx"],
  ["looks like a placeholder", event("p", { _placeholder: true, num: 0 }), "x"],
  ["false placeholder, and binary", event("p", { _placeholder: false, num: 0 }, buf(7)), "x"],
];

console.log(`/* Made by test/msgpack_vectors.mjs. */

// clang-format off
const vector mp_vectors[] = {`);
for (const [label, packet, flags, digits] of rows) {
  const bytes = flags.includes("b")
    ? Buffer.from(encodeInBrowser(packet))
    : new parser.Encoder().encode(packet)[0];
  const { json, binaries } = translate(packet.data);
  // What comes back is asked of the official decoder, as half a pair does not.
  const sent = JSON.stringify(packet.data ?? null);
  const lossy = /\\ud8/.test(sent);
  const back = new parser.Decoder();
  let text = digits ?? json ?? "";
  back.on("decoded", (p) => {
    if (lossy) text = translate(p.data).json;
  });
  back.add(bytes);
  const id = packet.id === undefined ? "false, 0" : `true, UINT64_C(${packet.id})`;
  const hex = bytes.toString("hex").match(/.{1,64}/g).map((s) => `\n     "${s}"`).join("");
  console.log(`    {${JSON.stringify(label)},${hex},
     ${packet.type}, ${JSON.stringify(packet.nsp)}, ${id}, ${flags.includes("x")},
     ${JSON.stringify(text)},
     ${JSON.stringify(binaries.join(","))}, ${binaries.length}},`);
}
console.log(`};
// clang-format on`);
