// Files from a folder (--static), beside the application and Engine.IO.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Polling, QUIET, Wire, encodeRequest, request } from '../support/raw.mjs';
import { isOfficial, oursOnly, startServer } from '../support/server.mjs';

const LARGE = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 31) % 251));

function makeFolder() {
  const top = mkdtempSync(join(tmpdir(), 'interop-static-'));
  const root = join(top, 'public');
  mkdirSync(join(root, 'sub'), { recursive: true });
  mkdirSync(join(root, 'empty'));
  const files = {
    'index.html': '<!doctype html><title>t</title>',
    'a.js': 'let a;',
    'a.css': 'b{}',
    'a.json': '{}',
    'a.svg': '<svg/>',
    'a.png': '\x89PNG',
    'a.txt': 'text',
    'noext': 'data',
    'with space é.txt': 'spaced',
    'empty.txt': '',
    'sub/index.html': 'sub index',
  };
  for (const [name, data] of Object.entries(files)) writeFileSync(join(root, name), data);
  writeFileSync(join(root, 'large.bin'), LARGE);
  writeFileSync(join(top, 'secret.txt'), 'secret');
  return { top, root };
}

describe('static files', { skip: oursOnly('serves none') }, () => {
  const { top, root } = makeFolder();
  const starting = isOfficial ? null : startServer('eio4', { ...QUIET, static: root });
  starting?.catch(() => {}); // each test tells
  after(async () => {
    rmSync(top, { recursive: true });
    await (await starting)?.stop();
  });
  const on = (name, run) => test(name, async () => run(await starting));
  const get = (server, target, rest = {}) => request(server, { target, ...rest });

  const TYPES = [
    ['/index.html', /^text\/html/],
    ['/a.js', /^(text|application)\/javascript/],
    ['/a.css', /^text\/css/],
    ['/a.json', /^application\/json/],
    ['/a.svg', /^image\/svg\+xml/],
    ['/a.png', /^image\/png/],
    ['/a.txt', /^text\/plain/],
    ['/noext', /^application\/octet-stream/],
  ];

  on('RT03 types by extension', async (server) => {
    for (const [target, type] of TYPES) {
      const response = await get(server, target);
      assert.equal(response.status, 200, target);
      assert.match(response.header('content-type'), type);
      assert.equal(response.header('content-length'), String(response.body.length));
    }
  });

  on('RT03 index.html stands for a folder', async (server) => {
    assert.match((await get(server, '/')).text, /^<!doctype html>/);
    assert.equal((await get(server, '/sub/')).text, 'sub index');
    assert.equal((await get(server, '/?a=b')).status, 200);
    assert.equal((await get(server, '/empty/')).status, 404);
  });

  on('RT03 a query is passed over, names are decoded', async (server) => {
    assert.equal((await get(server, '/a.txt?v=1')).text, 'text');
    assert.equal((await get(server, '/with%20space%20%C3%A9.txt')).text, 'spaced');
    assert.equal((await get(server, '/%61.txt')).text, 'text');
  });

  on('RT03 an empty file, and a large one', async (server) => {
    const empty = await get(server, '/empty.txt');
    assert.equal(empty.status, 200);
    assert.equal(empty.header('content-length'), '0');
    const large = await get(server, '/large.bin');
    assert.ok(large.body.equals(LARGE));
  });

  on('RT03 a large file for a slow reader, and for one that leaves', async (server) => {
    const leaving = await Wire.open(server);
    leaving.write(encodeRequest(server, { target: '/large.bin' }));
    await leaving.take(10_000);
    leaving.abort();
    const wire = await Wire.open(server);
    wire.pause();
    wire.write(Buffer.concat([encodeRequest(server, { target: '/large.bin' }), encodeRequest(server, { target: '/a.txt' })]));
    assert.equal((await get(server, '/a.txt')).text, 'text');
    wire.resume();
    assert.ok((await wire.response()).body.equals(LARGE));
    assert.equal((await wire.response()).text, 'text');
    wire.destroy();
  });

  on('RT03 ETag and 304', async (server) => {
    const first = await get(server, '/a.js');
    const etag = first.header('etag');
    assert.match(etag, /^(W\/)?"[^"]+"$/);
    for (const value of [etag, `W/${etag.replace('W/', '')}`, `"x", ${etag}`, '*']) {
      const again = await get(server, '/a.js', { headers: { 'If-None-Match': value } });
      assert.equal(again.status, 304, value);
    }
    for (const value of ['"x"', etag.slice(0, -2) + '"', '""']) {
      const other = await get(server, '/a.js', { headers: { 'If-None-Match': value } });
      assert.equal(other.status, 200, value);
      assert.equal(other.text, 'let a;');
    }
    assert.notEqual((await get(server, '/a.css')).header('etag'), etag);
  });

  on('RT03 the ETag changes with the file', async (server) => {
    writeFileSync(join(root, 'changing.txt'), 'one');
    const first = await get(server, '/changing.txt');
    writeFileSync(join(root, 'changing.txt'), 'longer');
    const headers = { 'If-None-Match': first.header('etag') };
    const second = await get(server, '/changing.txt', { headers });
    assert.equal(second.status, 200);
    assert.equal(second.text, 'longer');
  });

  on('RT03 304 keeps the connection in step', async (server) => {
    const etag = (await get(server, '/a.js')).header('etag');
    const wire = await Wire.open(server);
    wire.write(encodeRequest(server, { target: '/a.js', headers: { 'If-None-Match': etag } }));
    wire.write(encodeRequest(server, { target: '/a.txt' }));
    assert.equal((await wire.response()).status, 304);
    assert.equal((await wire.response()).text, 'text');
    wire.destroy();
  });

  on('RT03 HEAD: the headers of GET', async (server) => {
    const wire = await Wire.open(server);
    wire.write(encodeRequest(server, { method: 'HEAD', target: '/large.bin' }));
    const head = await wire.response({ method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.header('content-length'), String(LARGE.length));
    wire.write(encodeRequest(server, { target: '/a.txt' }));
    assert.equal((await wire.response()).text, 'text');
    wire.destroy();
  });

  on('RT03 other methods get no file', async (server) => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const { status, text } = await get(server, '/a.txt', { method, body: '' });
      assert.ok(status === 405 || status === 404, `${method}: ${status}`);
      assert.notEqual(text, 'text');
    }
  });

  const OUTSIDE = [
    '/../secret.txt', '/sub/../../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/%2e%2e%2fsecret.txt',
    '/..%5csecret.txt', '/..\\secret.txt', '//../secret.txt', '/sub/..%2f..%2fsecret.txt', '/./../secret.txt',
    '/%252e%252e/secret.txt', '/a.txt/../../secret.txt', '/a.txt%00.js', '/a.txt%00', '/%00', '/..', '/%2e%2e', '/../',
    '/....//secret.txt', '//etc/passwd', '///etc/passwd', '/%2fetc/passwd',
  ];

  for (const target of OUTSIDE) {
    on(`RT03 ${target} leads nowhere`, async (server) => {
      const { status, text } = await get(server, target);
      assert.ok(status === 404 || status === 400 || status === 403, String(status));
      assert.doesNotMatch(text, /secret|root:/);
    });
  }

  on('RT03 what is not there is 404', async (server) => {
    for (const target of ['/missing', '/sub/missing.txt', '/a.txt/', '/a.txt/x', '/' + 'x'.repeat(5000), '/%', '/%zz']) {
      const { status } = await get(server, target);
      assert.ok(status === 404 || status === 400, `${target.slice(0, 20)}: ${status}`);
    }
  });

  on('RT03 the application and Engine.IO come first', async (server) => {
    assert.equal((await get(server, '/hello')).text, 'hello');
    await (await Polling.open(server)).assertEchoes();
  });
});
