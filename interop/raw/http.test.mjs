// HTTP/1.1 as the server reads it: what is refused, what is accepted, and how
// requests share a connection.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  Polling, QUIET, Wire, encodeRequest, exchange, request, settle,
} from '../support/raw.mjs';
import { isOfficial, oursOnly, startServer } from '../support/server.mjs';

const server = await startServer('eio4', QUIET);
after(server.stop);

const HOST = `Host: 127.0.0.1:${server.port}\r\n`;
const SECOND = `GET /hello HTTP/1.1\r\n${HOST}\r\n`;

const post = (fields, body = '') => `POST /echo HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
const get = (fields) => `GET /hello HTTP/1.1\r\n${HOST}${fields}\r\n`;
const chunked = (body) => post('Transfer-Encoding: chunked\r\n', body);

// [label, bytes, status, whether the official server is as strict].  Each is
// followed by a good request, which must never be answered.
const REFUSED = [
  ['Content-Length beside Transfer-Encoding', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400, true],
  ['Transfer-Encoding beside Content-Length', post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'), 400, true],
  ['two Content-Lengths', post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello'), 400, true],
  ['two equal Content-Lengths', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'), 400, true],
  ['a list in Content-Length', post('Content-Length: 5, 5\r\n', 'hello'), 400, true],
  ['a negative Content-Length', post('Content-Length: -1\r\n'), 400, true],
  ['a signed Content-Length', post('Content-Length: +5\r\n', 'hello'), 400, true],
  ['a hexadecimal Content-Length', post('Content-Length: 0x5\r\n', 'hello'), 400, true],
  ['an empty Content-Length', post('Content-Length:\r\n'), 400, true],
  ['a Content-Length beyond 64 bits', post('Content-Length: 99999999999999999999\r\n'), 400, true],
  ['chunked not last', post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n'), 400, true],
  ['chunked twice', post('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n'), 400, false],
  ['two lines of Transfer-Encoding', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400, false],
  ['a coding other than chunked', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), 501, false],
  ['Transfer-Encoding in HTTP/1.0', `POST /echo HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400, false],
  ['no Host', 'GET /hello HTTP/1.1\r\n\r\n', 400, true],
  ['two Hosts', get(HOST), 400, false],
  ['two different Hosts', get('Host: b\r\n'), 400, false],
  ['a blank in Host', 'GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n', 400, false],
  ['a folded line', get('A: b\r\n c\r\n'), 400, false],
  ['a folded first line', 'GET /hello HTTP/1.1\r\n A: b\r\n' + HOST + '\r\n', 400, true],
  ['a space before the colon', get('A : b\r\n'), 400, true],
  ['a line without a colon', get('A\r\n'), 400, true],
  ['an empty name', get(': b\r\n'), 400, true],
  ['a bad byte in a name', get('A(b): c\r\n'), 400, true],
  ['NUL in a value', get('A: b\0c\r\n'), 400, true],
  ['CR in a value', get('A: b\rc\r\n'), 400, true],
  ['DEL in a value', get('A: b\x7f\r\n'), 400, false],
  ['bare LF line ends', `GET /hello HTTP/1.1\nHost: a\n\n`, 400, true],
  ['one bare LF', `GET /hello HTTP/1.1\r\nHost: a\nA: b\r\n\r\n`, 400, true],
  ['two spaces in the request line', `GET  /hello HTTP/1.1\r\n${HOST}\r\n`, 400, false],
  ['a tab in the request line', `GET\t/hello HTTP/1.1\r\n${HOST}\r\n`, 400, true],
  ['a space behind the version', `GET /hello HTTP/1.1 \r\n${HOST}\r\n`, 400, true],
  ['no version', `GET /hello\r\n${HOST}\r\n`, 400, false],
  ['a lower-case protocol', `GET /hello http/1.1\r\n${HOST}\r\n`, 400, true],
  ['a bad method', `G(T /hello HTTP/1.1\r\n${HOST}\r\n`, 400, true],
  ['an empty target', `GET  HTTP/1.1\r\n${HOST}\r\n`, 400, true],
  ['a control byte in the target', `GET /hel\x01lo HTTP/1.1\r\n${HOST}\r\n`, 400, false],
  ['a fragment in the target', `GET /hello#x HTTP/1.1\r\n${HOST}\r\n`, 400, false],
  ['a target without a slash', `GET hello HTTP/1.1\r\n${HOST}\r\n`, 400, false],
  ['HTTP/2.0', `GET /hello HTTP/2.0\r\n${HOST}\r\n`, 505, false],
  ['HTTP/1.2', `GET /hello HTTP/1.2\r\n${HOST}\r\n`, 505, false],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505, false],
  ['CONNECT', `CONNECT a:80 HTTP/1.1\r\n${HOST}\r\n`, 400, false],
  ['an unknown expectation', get('Expect: something\r\n'), 417, false],
  ['a chunk size that is no number', chunked('x\r\nhello\r\n0\r\n\r\n'), 400, true],
  ['an empty chunk size', chunked('\r\n0\r\n\r\n'), 400, true],
  ['a negative chunk size', chunked('-5\r\nhello\r\n0\r\n\r\n'), 400, true],
  ['a chunk size with 0x', chunked('0x5\r\nhello\r\n0\r\n\r\n'), 400, true],
  ['a chunk size beyond 64 bits', chunked('10000000000000005\r\nhello\r\n0\r\n\r\n'), 400, true],
  ['a blank before the chunk size', chunked(' 5\r\nhello\r\n0\r\n\r\n'), 400, true],
  ['more data than the chunk size', chunked('5\r\nhelloX\r\n0\r\n\r\n'), 400, true],
  ['a chunk that ends in LF', chunked('5\r\nhello\n0\r\n\r\n'), 400, true],
  ['a chunk size that ends in LF', chunked('5\nhello\r\n0\r\n\r\n'), 400, true],
  ['a CR in an extension', chunked('5;a\rb\r\nhello\r\n0\r\n\r\n'), 400, true],
  ['a malformed trailer', chunked('5\r\nhello\r\n0\r\nA B\r\n\r\n'), 400, true],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + '\0'.repeat(60), 400, true],
];

for (const [label, bytes, status, strict] of REFUSED) {
  const skip = !strict && oursOnly('is not as strict');
  test(`RT08 refused: ${label}`, { skip }, async () => {
    const wire = await Wire.open(server);
    wire.write(Buffer.from(bytes + SECOND, 'latin1'));
    const response = await wire.response();
    assert.equal(response.status, status);
    assert.equal(response.header('connection'), 'close');
    await wire.endedSilently();
    await settle(server);
  });
}

// [label, bytes, body of the answer from /echo or /hello]
const ACCEPTED = [
  ['empty lines in front', '\r\n\r\n' + SECOND, 'hello'],
  ['names in any case', `GET /hello HTTP/1.1\r\nhOST: a\r\n\r\n`, 'hello'],
  ['no blank behind the colon, many behind the value', `GET /hello HTTP/1.1\r\nHost:a\r\nA:b \t \r\n\r\n`, 'hello'],
  ['an empty value', get('A:\r\nB: \r\n'), 'hello'],
  ['bytes from 0x80 in a value', get('A: \xe9\xff\r\n'), 'hello'],
  ['Host with an IPv6 address', `GET /hello HTTP/1.1\r\nHost: [::1]:80\r\n\r\n`, 'hello'],
  ['a body of a GET', get('Content-Length: 3\r\n') + 'abc', 'hello'],
  ['Content-Length with leading zeros', post('Content-Length: 005\r\n', 'hello'), 'hello'],
  ['a length of 0', post('Content-Length: 0\r\n'), ''],
  ['a POST without a length', post(''), ''],
  ['one chunk', chunked('5\r\nhello\r\n0\r\n\r\n'), 'hello'],
  ['several chunks', chunked('1\r\nh\r\n2\r\nel\r\n2\r\nlo\r\n0\r\n\r\n'), 'hello'],
  ['no chunk but the last', chunked('0\r\n\r\n'), ''],
  ['a size with leading zeros and letters in either case', chunked('00a\r\n0123456789\r\n0B\r\nabcdefghijk\r\n000\r\n\r\n'), '0123456789abcdefghijk'],
  ['chunk extensions', chunked('5;a=b;c\r\nhello\r\n0;x\r\n\r\n'), 'hello'],
  ['trailer fields', chunked('5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n'), 'hello'],
  ['chunked in any case', post('transfer-encoding: Chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'), 'hello'],
];

for (const [label, bytes, expected] of ACCEPTED) {
  test(`RT08 accepted: ${label}`, async () => {
    const wire = await Wire.open(server);
    wire.write(Buffer.from(bytes + SECOND, 'latin1'));
    const response = await wire.response();
    assert.equal(response.status, 200);
    const isJson = response.header('content-type').startsWith('application/json');
    assert.equal(isJson ? JSON.parse(response.text).body : response.text, expected);
    assert.equal((await wire.response()).text, 'hello', 'the request behind it');
    wire.destroy();
  });
}

test('RT08 a request split in two at every byte', async () => {
  const bytes = Buffer.from(post('A: b\r\nContent-Length: 6\r\n', 'héllo'));
  const wire = await Wire.open(server);
  for (let at = 1; at < bytes.length; at++) {
    await wire.writePieces([bytes.subarray(0, at), bytes.subarray(at)]);
    const { status, text } = await wire.response();
    assert.equal(status, 200);
    assert.equal(JSON.parse(text).body, 'héllo', `split at ${at}`);
  }
  wire.destroy();
});

test('RT08 a chunked request split in two at every byte', async () => {
  const bytes = Buffer.from(chunked('3;x\r\nh\u00e9\r\n1\r\nl\r\n2\r\nlo\r\n0\r\nT: u\r\n\r\n'));
  const wire = await Wire.open(server);
  for (let at = 1; at < bytes.length; at++) {
    await wire.writePieces([bytes.subarray(0, at), bytes.subarray(at)]);
    const { status, text } = await wire.response();
    assert.equal(status, 200);
    assert.equal(JSON.parse(text).body, 'héllo', `split at ${at}`);
  }
  wire.destroy();
});

test('RT08 requests that come byte by byte', async () => {
  const bytes = Buffer.from(chunked('3\r\nh\u00e9\r\n3\r\nllo\r\n0\r\n\r\n') + SECOND);
  const wire = await Wire.open(server);
  await wire.writePieces(Array.from(bytes, (byte) => Buffer.from([byte])));
  assert.equal(JSON.parse((await wire.response()).text).body, 'héllo');
  assert.equal((await wire.response()).text, 'hello');
  wire.destroy();
});

test('RT08 pipelined requests are answered in order', async () => {
  const wire = await Wire.open(server);
  const bodies = Array.from({ length: 50 }, (_, i) => `body ${i}`);
  const framings = [
    (body) => post(`Content-Length: ${body.length}\r\n`, body),
    (body) => chunked(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
  ];
  wire.write(bodies.map((body, i) => framings[i % 2](body)).join(''));
  for (const body of bodies) {
    assert.equal(JSON.parse((await wire.response()).text).body, body);
  }
  wire.destroy();
});

test('RT08 a poll in front of pipelined requests holds them back', async () => {
  const session = await Polling.open(server);
  const wire = await Wire.open(server);
  wire.write(Buffer.concat([encodeRequest(server, { target: session.target() }), Buffer.from(SECOND)]));
  await settle(server);
  assert.equal(wire.buffered, 0);
  await session.postOk('4now');
  assert.equal((await wire.response()).text, '4now');
  assert.equal((await wire.response()).text, 'hello');
  wire.destroy();
});

test('RT08 a POST and the poll for its echo, pipelined', async () => {
  const session = await Polling.open(server);
  const wire = await Wire.open(server);
  const bytes = [
    encodeRequest(server, { method: 'POST', target: session.target(), body: '4both' }),
    encodeRequest(server, { target: session.target() }),
  ];
  wire.write(Buffer.concat(bytes));
  assert.equal((await wire.response()).text, 'ok');
  assert.equal((await wire.response()).text, '4both');
  wire.destroy();
});

test('RT08 a good request in front of a bad one is answered', async () => {
  const wire = await Wire.open(server);
  wire.write(SECOND + 'GET /hello HTTP/1.1\r\n\r\n' + SECOND);
  assert.equal((await wire.response()).text, 'hello');
  assert.equal((await wire.response()).status, 400);
  await wire.endedSilently();
});

test('RT08 Connection: close ends the connection behind the answer', async () => {
  for (const value of ['close', 'Close', 'x, close']) {
    const wire = await Wire.open(server);
    wire.write(get(`Connection: ${value}\r\n`) + SECOND);
    const response = await wire.response();
    assert.equal(response.text, 'hello');
    assert.equal(response.header('connection'), 'close');
    await wire.endedSilently();
  }
});

test('RT08 a handshake, a poll and a POST with Connection: close', async () => {
  const session = await Polling.open(server, { headers: { Connection: 'close' } });
  assert.equal(session.handshake.header('connection'), 'close');
  const wire = await session.hold({ headers: { Connection: 'close' } });
  await session.postOk('4x', { headers: { Connection: 'close' } });
  assert.equal((await wire.response()).text, '4x');
  await wire.endedSilently();
});

test('RT08 HTTP/1.0 gets its answer and the end', async () => {
  const wire = await Wire.open(server);
  wire.write('GET /hello HTTP/1.0\r\n\r\n');
  assert.equal((await wire.response()).text, 'hello');
  await wire.endedSilently();
});

test('RT08 HTTP/1.0 never gets chunks', async () => {
  const target = '/engine.io/?EIO=4&transport=';
  for (const transport of ['polling', 'x']) {
    const wire = await Wire.open(server);
    wire.write(`GET ${target}${transport} HTTP/1.0\r\n${HOST}\r\n`);
    const response = await wire.response();
    assert.equal(response.status, transport === 'x' ? 400 : 200);
    assert.equal(response.header('transfer-encoding'), undefined);
    await wire.endedSilently();
  }
});

test('RT08 a whole session over HTTP/1.0', async () => {
  const open = await request(server, { target: '/engine.io/?EIO=4&transport=polling', version: '1.0' });
  const session = new Polling(server, '/engine.io/', JSON.parse(open.text.slice(1)).sid);
  await session.postOk('4old', { version: '1.0' });
  assert.equal((await session.poll({ version: '1.0' })).text, '4old');
});

test('RT08 HEAD: the headers of GET', async () => {
  const wire = await Wire.open(server);
  wire.write(encodeRequest(server, { method: 'HEAD', target: '/hello' }));
  const head = await wire.response({ method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.header('content-length'), '5');
  wire.write(SECOND);
  assert.equal((await wire.response()).text, 'hello');
  wire.destroy();
});

test('RT08 Expect: 100-continue gets 100, then the answer', async () => {
  const session = await Polling.open(server);
  for (const value of ['100-continue', '100-Continue']) {
    const wire = await Wire.open(server);
    wire.write(encodeRequest(server, {
      method: 'POST',
      target: session.target(),
      headers: { Expect: value, 'Content-Length': 6 },
    }));
    const line = (await wire.takeThrough('\r\n\r\n')).toString();
    assert.match(line, /^HTTP\/1\.1 100 [^\r]*\r\n\r\n$/);
    wire.write('4hello');
    const response = await wire.response();
    assert.equal(response.text, 'ok');
    assert.deepEqual(response.interim, []);
    wire.destroy();
    await session.pollText('4hello');
  }
});

test('RT08 Expect with the body at once', async () => {
  const response = await exchange(server, post('Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello'));
  assert.equal(response.status, 200);
  assert.equal(JSON.parse(response.text).body, 'hello');
});

test('RT08 Expect with a chunked body', async () => {
  const wire = await Wire.open(server);
  wire.write(post('Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n'));
  assert.match((await wire.takeThrough('\r\n\r\n')).toString(), /^HTTP\/1\.1 100 /);
  wire.write('5\r\nhello\r\n0\r\n\r\n');
  assert.equal(JSON.parse((await wire.response()).text).body, 'hello');
  wire.destroy();
});

test('RT08 answers have a Date and say how they end', async () => {
  const response = await exchange(server, SECOND);
  assert.match(response.header('date'), /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
  assert.equal(response.header('content-length'), '5');
  assert.equal(response.version, '1.1');
});

test('RT08 a client that ends its half gets its answers first', async () => {
  const wire = await Wire.open(server);
  wire.write(SECOND + post('Content-Length: 2\r\n', 'ab'));
  wire.finish();
  assert.equal((await wire.response()).text, 'hello');
  assert.equal(JSON.parse((await wire.response()).text).body, 'ab');
  await wire.endedSilently();
});

test('RT08 a client that ends in mid-request is let go', async () => {
  for (const bytes of ['', 'GET /hel', post('Content-Length: 5\r\n', 'he'), chunked('5\r\nhe')]) {
    const wire = await Wire.open(server);
    wire.write(bytes);
    wire.finish();
    const rest = (await wire.ended()).toString();
    assert.ok(rest === '' || /^HTTP\/1\.1 400 /.test(rest), rest);
  }
});

test('RT08 clients that reset in mid-request do no harm', async () => {
  for (const bytes of ['', 'GET /hel', post('Content-Length: 5\r\n', 'he'), SECOND.repeat(100)]) {
    const wire = await Wire.open(server);
    wire.write(bytes);
    await settle(server);
    wire.abort();
    await settle(server);
  }
});

test('RT08 an absolute-form target', { skip: oursOnly('does not look into it') }, async () => {
  const authority = `http://127.0.0.1:${server.port}`;
  const hello = await request(server, { target: `${authority}/hello` });
  assert.equal(hello.text, 'hello');
});

test('RT08 OPTIONS *', async () => {
  const response = await request(server, { method: 'OPTIONS', target: '*' });
  assert.ok([200, 204, 404, 501].includes(response.status), String(response.status));
});

test('RT08 the server is still as it was', { skip: isOfficial }, async () => {
  assert.doesNotMatch(server.stderr(), /AddressSanitizer|runtime error/);
  await (await Polling.open(server)).assertEchoes();
});
