// Pages of other origins in a real browser, with and without credentials: see
// harness.mjs for what it needs, and ../support/server.mjs for the server.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { QUIET, request } from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';
import { launch, WAIT } from './harness.mjs';

const LIMIT = { timeout: 90_000 };

let browser;
let pages; // a server of pages: one port, so one origin for each name of it
before(async () => {
  browser = await launch();
  pages = createServer((req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>A page</title>');
  });
  await new Promise((done) => pages.listen(0, '127.0.0.1', done));
});
after(async () => {
  await browser?.close();
  pages?.close();
  pages?.closeAllConnections();
});

/** Two origins; to a server at 127.0.0.1 the first is of the same site. */
const here = () => `http://127.0.0.1:${pages.address().port}`;
const there = () => `http://localhost:${pages.address().port}`;

/** `run` gets a server, and open(origin) for a page with storage of its own. */
async function withServer(options, run) {
  const server = await startServer('rows', { ...QUIET, 'client-dir': process.env.CLIENT_DIR, ...options });
  const contexts = [];
  const open = async (origin) => {
    const context = await browser.newContext();
    contexts.push(context);
    context.setDefaultTimeout(WAIT);
    const page = await context.newPage();
    await page.goto(`${origin}/hello`);
    await page.addScriptTag({ url: `${server.url}/socket.io/socket.io.js` });
    return page;
  };
  try {
    await run(server, open);
  } finally {
    for (const context of contexts) await context.close();
    await server.stop();
  }
}

/** Connects in the page: what the server echoed and saw of the handshake, or
 *  the text of the error. */
function talk(page, server, options = {}) {
  return page.evaluate(
    async ([url, more]) => {
      const socket = window.io(url, { forceNew: true, reconnection: false, timeout: 10_000, ...more });
      try {
        await new Promise((done, fail) => {
          socket.on('connect', done);
          socket.on('connect_error', fail);
        });
        const echoed = [];
        for (let i = 0; i < 3; i++) echoed.push(await new Promise((done) => socket.emit('echo', i, done)));
        const { headers } = await new Promise((done) => socket.emit('handshake', done));
        return { echoed, headers, sid: socket.io.engine.id, transport: socket.io.engine.transport.name };
      } catch (err) {
        return { error: err.message };
      } finally {
        socket.disconnect();
      }
    },
    [server.url, options],
  );
}

const POLLING = { transports: ['polling'] };

async function assertTalks(page, server, options = POLLING) {
  const result = await talk(page, server, options);
  assert.deepEqual(result.echoed, [0, 1, 2], JSON.stringify(result));
  return result;
}

async function assertCannot(page, server, options = POLLING) {
  assert.match((await talk(page, server, options)).error ?? 'it can', /^(xhr poll|websocket) error$/);
}

/** In the page: what fetch() gives to read, or the text of its error. */
function read(page, url, options = {}) {
  return page.evaluate(
    async ([target, more]) => {
      try {
        const response = await fetch(target, more);
        return { status: response.status, text: await response.text(), headers: Object.fromEntries(response.headers) };
      } catch (err) {
        return { error: err.message };
      }
    },
    [url, options],
  );
}

// -------------------------------------------------------------- whose pages --

test('CO01 without CORS a page of another origin cannot poll', LIMIT, () =>
  withServer({}, async (server, open) => {
    await assertCannot(await open(here()), server);
    await assertTalks(await open(server.url), server);
  }));

test('CO01 with * all pages can', LIMIT, () =>
  withServer({ 'cors-origin': '*' }, async (server, open) => {
    for (const origin of [here(), there(), server.url]) await assertTalks(await open(origin), server);
  }));

test('CO02 CO03 those that are named can, by polling and through the upgrade', LIMIT, async () => {
  const port = pages.address().port;
  for (const options of [
    { 'cors-origin': here() },
    { 'cors-origin': `https://a.example ${here()}` },
    { 'cors-origin': 'http://127.0.0.1:*' },
    { 'cors-origin': `http://127.*.0.1:${port}` },
    { 'cors-ask': here() },
  ]) {
    await withServer(options, async (server, open) => {
      const page = await open(here());
      const { headers } = await assertTalks(page, server);
      assert.equal(headers.origin, here());
      await assertTalks(page, server, {});
      await assertCannot(await open(there()), server);
    });
  }
});

test('CO03 every page can where its origin is sent back', LIMIT, () =>
  withServer({ 'cors-reflect': true }, async (server, open) => {
    for (const origin of [here(), there()]) await assertTalks(await open(origin), server);
    // A sandboxed frame has the origin "null".
    const page = await open(here());
    await page.setContent(`<iframe sandbox="allow-scripts" srcdoc="<title>A frame</title>"></iframe>`);
    const frame = page.frames()[1];
    await frame.addScriptTag({ url: `${server.url}/socket.io/socket.io.js` });
    assert.equal((await assertTalks(frame, server)).headers.origin, 'null');
  }));

test('CO03 WebSockets know no CORS, unless it is enforced', { ...LIMIT, skip: oursOnly('it never is') }, async () => {
  const transports = ['websocket'];
  await withServer({ 'cors-origin': here() }, async (server, open) => {
    await assertTalks(await open(there()), server, { transports });
  });
  await withServer({ 'cors-origin': here(), 'cors-enforce': true }, async (server, open) => {
    await assertTalks(await open(here()), server, { transports });
    await assertTalks(await open(here()), server);
    await assertCannot(await open(there()), server, { transports });
  });
});

// ------------------------------------------------------------- credentials --

const CREDENTIALS = { ...POLLING, withCredentials: true };

test('CO04 credentials need leave', LIMIT, async () => {
  for (const options of [{ 'cors-origin': here() }, { 'cors-origin': '*' }, { 'cors-reflect': true }]) {
    await withServer(options, async (server, open) => {
      const page = await open(here());
      await assertTalks(page, server);
      await assertCannot(page, server, CREDENTIALS);
    });
  }
});

test('CO04 CO07 with credentials the cookie is kept and sent', LIMIT, async () => {
  for (const rule of [{ 'cors-origin': here() }, { 'cors-origin': 'http://127.0.0.1:*' }, { 'cors-reflect': true }]) {
    await withServer({ ...rule, 'cors-credentials': true, cookie: 'io' }, async (server, open) => {
      const page = await open(here());
      const requests = [];
      const keep = (req) => req.url().includes('sid=') && requests.push(req);
      page.on('request', keep);
      const { sid, headers } = await assertTalks(page, server, CREDENTIALS);
      page.off('request', keep);
      assert.equal(headers.cookie, undefined, 'there was none yet');
      const [cookie] = await page.context().cookies(server.url);
      const { name, value, path, httpOnly, secure, sameSite, expires } = cookie;
      assert.deepEqual({ name, value, path, httpOnly, secure, sameSite, expires }, {
        name: 'io', value: sid, path: '/', httpOnly: true, secure: false, sameSite: 'Lax', expires: -1,
      });
      assert.ok(requests.length > 2);
      for (const req of requests) assert.equal((await req.allHeaders()).cookie, `io=${sid}`);
      const again = await assertTalks(page, server, CREDENTIALS);
      assert.equal(again.headers.cookie, `io=${sid}`);
      if (!rule['cors-reflect']) await assertCannot(await open(there()), server, CREDENTIALS);
    });
  }
});

test('CO04 CO07 without credentials no cookie is kept or sent', LIMIT, () =>
  withServer({ 'cors-origin': here(), 'cors-credentials': true, cookie: 'io' }, async (server, open) => {
    const page = await open(here());
    for (let i = 0; i < 2; i++) {
      const { headers } = await assertTalks(page, server);
      assert.equal(headers.cookie, undefined);
      assert.deepEqual(await page.context().cookies(server.url), []);
    }
  }));

// Chromium keeps cookies of third parties in private windows, such as these
// are, only where they are partitioned.
test('CO07 to another site a cookie goes by SameSite=None alone', LIMIT, async () => {
  const options = { 'cors-origin': there(), 'cors-credentials': true, cookie: 'io' };
  const across = { 'cookie-same-site': 'none', 'cookie-secure': true, 'cookie-partitioned': true };
  await withServer(options, async (server, open) => {
    const page = await open(there());
    await assertTalks(page, server, CREDENTIALS);
    assert.equal((await assertTalks(page, server, CREDENTIALS)).headers.cookie, undefined, 'Lax');
  });
  await withServer({ ...options, ...across }, async (server, open) => {
    const page = await open(there());
    const { sid } = await assertTalks(page, server, CREDENTIALS);
    assert.equal((await assertTalks(page, server, CREDENTIALS)).headers.cookie, `io=${sid}`, 'None');
  });
});

test('CO07 scripts see the cookie only where they may', LIMIT, async () => {
  for (const [options, seen] of [[{}, ''], [{ 'no-cookie-http-only': true }, /^io=/]]) {
    await withServer({ cookie: 'io', ...options }, async (server, open) => {
      const page = await open(server.url);
      const { sid } = await assertTalks(page, server);
      assert.match(await page.evaluate(() => document.cookie), seen === '' ? /^$/ : seen);
      const [cookie] = await page.context().cookies(server.url);
      assert.equal(cookie.value, sid);
    });
  }
});

// --------------------------------------------------------------- preflights --

test('CO05 headers of a page pass a preflight', LIMIT, async () => {
  const extraHeaders = { 'X-Custom': 'one' };
  await withServer({ 'cors-origin': here() }, async (server, open) => {
    const { headers } = await assertTalks(await open(here()), server, { ...POLLING, extraHeaders });
    assert.equal(headers['x-custom'], 'one');
    await assertCannot(await open(there()), server, { ...POLLING, extraHeaders });
  });
  await withServer({ 'cors-origin': '*', 'cors-allowed-headers': 'X-Custom' }, async (server, open) => {
    const page = await open(here());
    await assertTalks(page, server, { ...POLLING, extraHeaders });
    await assertCannot(page, server, { ...POLLING, extraHeaders: { 'X-Other': 'one' } });
  });
});

test('CO05 methods, as far as browsers ask for them', LIMIT, () =>
  withServer({ 'cors-origin': '*', 'cors-methods': 'GET,PATCH' }, async (server, open) => {
    const page = await open(here());
    const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
    assert.equal((await read(page, url, { method: 'PATCH' })).status, 400);
    assert.equal((await read(page, url, { method: 'PUT' })).error, 'Failed to fetch');
    assert.equal((await read(page, url, { method: 'POST' })).status, 400, 'POST needs no preflight');
  }));

test('CO05 headers that a page may read', LIMIT, () =>
  withServer({ 'cors-origin': here(), 'cors-exposed-headers': 'Date, Connection' }, async (server, open) => {
    const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const { headers } = await read(await open(here()), url);
    assert.ok(headers.date);
    assert.equal(headers.vary, undefined, 'not exposed');
  }));

test('CO05 a preflight is remembered for its time', { ...LIMIT, skip: oursOnly('it does not count') }, async () => {
  for (const [age, requests] of [[0, 4], [600, 3]]) {
    await withServer({ 'cors-origin': here(), 'cors-max-age': age }, async (server, open) => {
      const page = await open(here());
      const url = `${server.url}/socket.io/?EIO=4&transport=none`;
      const count = async () => JSON.parse((await request(server, { target: '/counters' })).text).http_requests;
      const before = await count();
      for (let i = 0; i < 2; i++) {
        assert.equal((await read(page, url, { headers: { 'X-Custom': 'one' } })).status, 400);
      }
      assert.equal((await count()) - before - 1, requests, `max age ${age}`);
    });
  }
});

// --------------------------------------------------------------- everywhere --

test('CO06 a page can read errors', LIMIT, () =>
  withServer({ 'cors-origin': here(), 'max-payload': 100 }, async (server, open) => {
    const page = await open(here());
    const base = `${server.url}/socket.io/?EIO=4`;
    const bad = await read(page, `${base}&transport=none`);
    assert.deepEqual([bad.status, bad.text], [400, '{"code":0,"message":"Transport unknown"}']);
    const unknown = await read(page, `${base}&transport=polling&sid=x`);
    assert.deepEqual([unknown.status, unknown.text], [400, '{"code":1,"message":"Session ID unknown"}']);
    const open1 = await read(page, `${base}&transport=polling`);
    const { sid } = JSON.parse(open1.text.slice(1));
    const large = await read(page, `${base}&transport=polling&sid=${sid}`, { method: 'POST', body: 'x'.repeat(200) });
    assert.equal(large.status, 413);
    assert.equal((await read(await open(there()), `${base}&transport=none`)).error, 'Failed to fetch');
  }));

test('CO06 the client as a module comes from another origin', LIMIT, () =>
  withServer({ 'cors-origin': here() }, async (server, open) => {
    const load = (page) =>
      page.evaluate(
        (url) => import(url).then((module) => typeof module.io, () => 'refused'),
        `${server.url}/socket.io/socket.io.esm.min.js`,
      );
    assert.equal(await load(await open(here())), 'function');
    assert.equal(await load(await open(there())), 'refused');
  }));
