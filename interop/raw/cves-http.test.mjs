// Weaknesses of HTTP/1.1 parsers that were published, above all those by which
// one request hides another: what our server does with the same kind of input.
// The id stands in the name of each test.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Polling, QUIET, Wire } from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const skip = oursOnly('each id tells the release that was mended');
const server = await startServer('eio4', QUIET);
after(server.stop);

const HOST = `Host: ${server.host}:${server.port}\r\n`;
const SECOND = `GET /hello HTTP/1.1\r\n${HOST}\r\n`;
const hostile = (name, run) => test(name, { skip }, run);

const post = (fields, body = '') => `POST /echo HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
const get = (fields) => `GET /hello HTTP/1.1\r\n${HOST}${fields}\r\n`;
const chunked = (body) => post('Transfer-Encoding: chunked\r\n', body);
const END = '0\r\n\r\n';

const SMUGGLING = {
  'CVE-2019-15605 a mangled Transfer-Encoding': ['chunked\x0b', '\x0bchunked', 'chunked\x0c', 'chunked\x00', 'xchunked',
    'chunke', '"chunked"', 'chunked;x', 'chunked chunked'].map((value) => post(`Transfer-Encoding: ${value}\r\n`, END)),
  'CVE-2020-8287 two lines of Transfer-Encoding': [
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', END),
    post('Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n', END),
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked-false\r\n', END),
  ],
  'CVE-2021-22959 CVE-2019-16869 a space before the colon': [
    post('Content-Length : 5\r\n', 'hello'), post('Transfer-Encoding : chunked\r\n', END),
    post('Transfer-Encoding\t: chunked\r\n', END), get('A : b\r\n'),
  ],
  'CVE-2021-22960 line ends of chunks that are none': [
    chunked('5;a=\n\r\nhello\r\n' + END), chunked('5\nhello\r\n' + END), chunked('5\r\nhello\n' + END),
    chunked('5;a\rb\r\nhello\r\n' + END), chunked('5\r\nhello\r\n0\r\n\n'),
  ],
  'CVE-2022-32213 CVE-2022-32215 Transfer-Encoding over several lines, or with other codings': [
    post('Transfer-Encoding: chunked,\r\n identity\r\n', END), post('Transfer-Encoding:\r\n chunked\r\n', END),
    post('Transfer-Encoding: chunked, identity\r\n', END), post('Transfer-Encoding: gzip, chunked\r\n', END),
    post('Transfer-Encoding: chunked, chunked\r\n', END),
  ],
  'CVE-2022-32214 lines that end otherwise': [
    `GET /hello HTTP/1.1\n${HOST}\r\n`, `GET /hello HTTP/1.1\r\nHost: a\nA: b\r\n\r\n`, get('A: b\rC: d\r\n'),
  ],
  'CVE-2022-35256 a header without its CRLF': [get('A: b\n'), get('A\r\n'), post('Content-Length: 5\n', 'hello')],
  'CVE-2023-30589 CVE-2025-23167 a bare CR in place of a line end': [
    post('A: b\rContent-Length: 5\r\n', 'hello'), `POST /echo HTTP/1.1\r\n${HOST}A: b\r\n\rX: y\r\n\r\n`,
    `GET /hello HTTP/1.1\r\n${HOST}\r\r\n\r\n`,
  ],
  'CVE-2024-27982 a Content-Length folded into the line before': [
    post('A: b\r\n Content-Length: 5\r\n', 'hello'), post(' Content-Length: 5\r\n', 'hello'),
  ],
  'CVE-2019-20444 a line without a colon': [get('A\r\n'), get('A b\r\n'), post('Content-Length\r\n', 'hello')],
  'CVE-2019-20445 Content-Length beside Transfer-Encoding': [
    post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', END),
    post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', END),
    post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello'), post('Content-Length: 5, 5\r\n', 'hello'),
  ],
  'uWebSockets 399204d the size of a chunk': [
    chunked('FFFFFFFFFFFFFFFF1\r\nx\r\n' + END), chunked('FFFFFFFFFFFFFFFF\r\nx\r\n' + END), chunked('g\r\nx\r\n' + END),
    chunked('0x1\r\nx\r\n' + END), chunked('-1\r\nx\r\n' + END), chunked('+1\r\nx\r\n' + END), chunked('1 1\r\nx\r\n' + END),
  ],
  'RFC 9112 3.2 a Host that is none, or two': [
    'GET /hello HTTP/1.1\r\n\r\n', get('Host: other\r\n'), get(HOST), 'GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n',
  ],
  'RFC 9112 6.1 Transfer-Encoding in HTTP/1.0': [
    `POST /echo HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${END}`,
  ],
  'CVE-2023-44487 HTTP/2 is not spoken': [
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', `GET /hello HTTP/2.0\r\n${HOST}\r\n`,
  ],
};

for (const [label, cases] of Object.entries(SMUGGLING)) {
  hostile(`${label}: refused, and what follows is not a request`, async () => {
    for (const bytes of cases) {
      const wire = await Wire.open(server);
      wire.write(Buffer.from(bytes + SECOND, 'latin1'));
      const all = (await wire.ended()).toString('latin1');
      assert.match(all, /^HTTP\/1\.1 (400|417|431|501|505) /, JSON.stringify(bytes));
      assert.equal(all.split('HTTP/1.1 ').length, 2, `one answer to ${JSON.stringify(bytes)}`);
      wire.destroy();
    }
  });
}

hostile('CVE-2024-22019 an extension of a chunk without end', async () => {
  for (const start of [chunked('1;'), chunked('1;a='), chunked('1;a="'), chunked('1\r\nx\r\n0\r\nA: ')]) {
    const wire = await Wire.open(server);
    wire.write(Buffer.concat([Buffer.from(start), Buffer.alloc(1_000_000, 'a')]));
    assert.ok([400, 431].includes((await wire.response({ method: 'POST' })).status));
    wire.destroy();
  }
  const wire = await Wire.open(server);
  wire.write(chunked(`1;${'a'.repeat(40)}\r\nx\r\n`.repeat(5000)));
  assert.ok([400, 413, 431].includes((await wire.response({ method: 'POST' })).status));
  wire.destroy();
});

hostile('CVE-2024-47764 GHSA-pxg6-pf52-xh8x a cookie that would break its header', async () => {
  for (const options of [
    { cookie: 'a;b' }, { cookie: 'a\r\nX: y' }, { cookie: 'a b' }, { cookie: 'a,b' },
    { cookie: 'io', 'cookie-path': '/\r\nX: y' }, { cookie: 'io', 'cookie-domain': 'a;b' },
  ]) {
    await assert.rejects(startServer('eio4', options), /bad_config cookie_/);
  }
  const own = await startServer('eio4', { ...QUIET, cookie: 'io' });
  try {
    const { handshake, sid } = await Polling.open(own);
    assert.equal(handshake.header('set-cookie'), `io=${sid}; Path=/; HttpOnly; SameSite=Lax`);
  } finally {
    await own.stop();
  }
});

hostile('CVE-2019-13503 CVE-2019-19307 heads and bodies that end anywhere', async () => {
  const whole = post('Content-Type: text/plain\r\nCookie: a="b\r\nTransfer-Encoding: chunked\r\n', '5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n');
  for (let length = 0; length < whole.length; length += 1) {
    const wire = await Wire.open(server);
    wire.write(whole.slice(0, length)).finish();
    const rest = (await wire.ended()).toString('latin1');
    assert.ok(rest === '' || rest.startsWith('HTTP/1.1 400 '), `${length}: ${rest}`);
    wire.destroy();
  }
});
