// The bundles of the official client, served under the path.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { assertError, encodeRequest, request, Wire } from '../support/raw.mjs';
import { isOfficial, oursOnly, startServer } from '../support/server.mjs';

const SCRIPTS = ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js'];
const FILES = [...SCRIPTS, ...SCRIPTS.map((name) => `${name}.map`)];
const DIST = new URL('../node_modules/socket.io/client-dist/', import.meta.url);

const clientDir = process.env.CLIENT_DIR;
const noFiles = !isOfficial && !clientDir && 'CLIENT_DIR is not set';
const options = clientDir ? { 'client-dir': clientDir } : {};

const DECODERS = { br: brotliDecompressSync, gzip: gunzipSync, deflate: inflateSync };

describe('client files', { skip: noFiles }, () => {
  let server;
  before(async () => {
    server = await startServer('rows', { ...options, 'cors-origin': 'http://a.example' });
  });
  after(() => server?.stop());

  const get = (name, headers = {}, method = 'GET') =>
    request(server, { method, target: `/socket.io/${name}`, headers });

  for (const name of FILES) {
    test(`CF01 ${name}`, async () => {
      const response = await get(name);
      assert.equal(response.status, 200);
      const type = name.endsWith('.map') ? 'application/json' : 'application/javascript';
      assert.equal(response.header('content-type'), `${type}; charset=utf-8`);
      assert.equal(response.header('cache-control'), 'public, max-age=0');
      assert.match(response.header('etag'), /^"[^"]+"$/);
      assert.equal(response.header('content-encoding'), undefined);
      assert.equal(response.header('access-control-allow-origin'), 'http://a.example');
      const wanted = clientDir ? join(clientDir, name) : new URL(name, DIST);
      assert.ok(response.body.equals(await readFile(wanted)), 'the bytes of the file');
      if (!name.endsWith('.map')) assert.ok(response.body.length > 10_000);
    });
  }

  test('CF01 the query is ignored, HEAD gives headers alone', async () => {
    const whole = await get('socket.io.min.js?v=1&x');
    assert.equal(whole.status, 200);
    const head = await get('socket.io.min.js', {}, 'HEAD');
    assert.equal(head.status, 200);
    for (const name of ['content-type', 'etag', 'cache-control']) {
      assert.equal(head.header(name), whole.header(name));
    }
    if (!isOfficial) assert.equal(head.header('content-length'), String(whole.body.length));
  });

  test('CF02 an ETag that matches gives 304', async () => {
    for (const name of ['socket.io.js', 'socket.io.min.js.map']) {
      const etag = (await get(name)).header('etag');
      for (const value of [etag, `W/${etag}`]) {
        const response = await get(name, { 'If-None-Match': value });
        assert.equal(response.status, 304);
        assert.equal(response.body.length, 0);
      }
      for (const value of ['"other"', etag.slice(1, -1), '']) {
        assert.equal((await get(name, { 'If-None-Match': value })).status, 200, value);
      }
    }
  });

  test('CF02 the connection goes on after 304', async () => {
    const etag = (await get('socket.io.js')).header('etag');
    const wire = await Wire.open(server);
    for (let i = 0; i < 3; i++) {
      wire.write(encodeRequest(server, { target: '/socket.io/socket.io.js', headers: { 'If-None-Match': etag } }));
      assert.equal((await wire.response()).status, 304);
      wire.write(encodeRequest(server, { target: '/socket.io/socket.io.min.js' }));
      assert.equal((await wire.response()).status, 200);
    }
    wire.destroy();
  });

  const accepts = [
    ['br', ['br']],
    ['gzip', ['gzip']],
    ['gzip, deflate, br', ['gzip', 'deflate', 'br']],
    ['br;q=1.0, gzip;q=0.5', ['br']],
    ['gzip;q=0.5, br;q=0.8, identity;q=0.1', ['br']],
    ['GZIP', ['gzip', undefined]],
    ['gzip;q=0, br;q=0', [undefined]],
    ['identity', [undefined]],
    ['deflate', ['deflate', undefined]],
    ['zstd', [undefined]],
    ['', [undefined]],
  ];
  for (const [accept, wanted] of accepts) {
    test(`CF03 Accept-Encoding "${accept}"`, async () => {
      const plain = await get('socket.io.js');
      const response = await get('socket.io.js', { 'Accept-Encoding': accept });
      assert.equal(response.status, 200);
      const encoding = response.header('content-encoding');
      assert.ok(wanted.includes(encoding), `${encoding}`);
      const text = encoding ? DECODERS[encoding](response.body) : response.body;
      assert.ok(text.equals(plain.body));
      if (encoding) assert.ok(response.body.length < plain.body.length / 2);
      assert.equal(response.header('content-type'), plain.header('content-type'));
      if (!isOfficial) assert.match(response.header('vary') ?? '', /accept-encoding/i);
    });
  }

  test('CF03 every file that comes compressed is the same', async () => {
    for (const name of FILES) {
      for (const coding of ['br', 'gzip']) {
        const [plain, coded] = [await get(name), await get(name, { 'Accept-Encoding': coding })];
        const encoding = coded.header('content-encoding');
        const text = encoding ? DECODERS[encoding](coded.body) : coded.body;
        assert.ok(text.equals(plain.body), `${name} ${coding}`);
      }
    }
  });

  test('CF03 an ETag holds for each coding', async () => {
    const coded = await get('socket.io.js', { 'Accept-Encoding': 'br' });
    const headers = { 'Accept-Encoding': 'br', 'If-None-Match': coded.header('etag') };
    assert.equal((await get('socket.io.js', headers)).status, 304);
  });

  test('CF04 unknown files are no handshake either', async () => {
    const names = [
      'socket.io.mjs', 'SOCKET.IO.JS', 'socket.io.js.gz', 'socket.io.js.br', 'VERSION', 'socket.io.js/', '../socket.io.js',
      '..%2f..%2fetc%2fpasswd', 'socket%2eio.js%00', 'package.json', '.', 'socket.io.msgpack.min.js.map.map',
    ];
    for (const name of names) {
      const response = await get(name);
      if (isOfficial && response.status === 404) continue; // `..` resolved
      assertError(response, 400, 0, 'Transport unknown');
    }
  });

  test('CF01 files are at the custom path', async () => {
    const other = await startServer('rows', { ...options, path: '/custom/io' });
    try {
      assert.equal((await request(other, { target: '/custom/io/socket.io.js' })).status, 200);
      assert.equal((await request(other, { target: '/socket.io/socket.io.js' })).status, 404);
    } finally {
      await other.stop();
    }
  });
});

describe('without client files', () => {
  let server;
  before(async () => {
    server = await startServer('rows', { ...options, 'no-serve-client': true });
  });
  after(() => server?.stop());

  test('CF04 serveClient off', async () => {
    for (const name of FILES) {
      assertError(await request(server, { target: `/socket.io/${name}` }), 400, 0, 'Transport unknown');
    }
  });
});

test('CF04 a folder without the files', { skip: oursOnly('its folder is fixed') }, async (t) => {
  const server = await startServer('rows', { 'client-dir': '/nonexistent' });
  t.after(() => server.stop());
  const response = await request(server, { target: '/socket.io/socket.io.js' });
  assert.ok(response.status === 400 || response.status === 404, String(response.status));
});
