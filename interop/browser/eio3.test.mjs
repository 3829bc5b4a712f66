// Old bundles of the official client, and the newest with its msgpack parser,
// in a page of a real browser: see harness.mjs for what it needs, and
// ../versions for the old ones.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import msgpack from 'socket.io-msgpack-parser';
import { next } from '../support/client.mjs';
import { QUIET, request } from '../support/raw.mjs';
import { startServer } from '../support/server.mjs';
import { fileOf, opened } from '../versions/clients.mjs';
import { launch, WAIT } from './harness.mjs';

const LIMIT = { timeout: 90_000 };
const PATH = '/socket.io/';
const TEXTS = [
  'plain', 'wörd 世界 😀 𝒳', 'line \u2028 and paragraph \u2029', 'new\nline', 'no\\nnew line', 'both \\\n \\\\n \r\n',
  '"quotes" \\ </script> %20 +&=', '😀'.repeat(500), '\u0001\u001e\u00ff',
];
const SIZES = [1, 3, 255, 20_000];

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/** `run` gets a server and a page of its origin, with what the page asked for:
 *  { kind, method, query, sent, got }, the last two content types. */
async function withPage(options, script, run) {
  const server = await startServer('rows', { ...QUIET, 'client-dir': process.env.CLIENT_DIR, ...options });
  const context = await browser.newContext();
  const asked = [];
  const errors = [];
  try {
    context.setDefaultTimeout(WAIT);
    const page = await context.newPage();
    page.on('pageerror', (err) => errors.push(err.stack ?? String(err)));
    page.on('response', (response) => {
      const of = response.request();
      const url = new URL(of.url());
      if (url.pathname !== PATH) return;
      asked.push({
        kind: of.resourceType(), method: of.method(), query: url.searchParams,
        sent: of.headers()['content-type'], got: response.headers()['content-type'],
      });
    });
    await page.goto(`${server.url}/hello`);
    await page.addScriptTag(script(server));
    await run(page, server, asked);
    assert.deepEqual(errors, []);
  } finally {
    await context.close();
    await server.stop();
  }
}

/** In the page: does with a client all that there is to do, and gives what
 *  came back; binary as { bytes } and so that the page tells its kind. */
async function converse([url, options, texts, sizes, last, hasBlobs, witness]) {
  const LATE = 10_000;
  const within = (what, begin) => new Promise((done, fail) => {
    setTimeout(() => fail(new Error(`${what}: nothing came`)), LATE);
    begin(done, fail);
  });
  const show = (x) => {
    if (x instanceof ArrayBuffer) return { bytes: Array.from(new Uint8Array(x)) };
    if (ArrayBuffer.isView(x)) return { bytes: Array.from(new Uint8Array(x.buffer, x.byteOffset, x.byteLength)) };
    if (Array.isArray(x)) return x.map(show);
    if (x === null || typeof x !== 'object') return x;
    if (Object.getPrototypeOf(x) !== Object.prototype) return String(x);
    return Object.fromEntries(Object.entries(x).map(([name, value]) => [name, show(value)]));
  };
  const filled = (size) => Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) & 255).buffer;
  const bytes = sizes.map(filled);
  const nested = { one: bytes[0], list: [bytes[1], [{ deep: bytes[2] }], 'text 😀', null] };
  const open = (nsp) => {
    const socket = window.io(url + nsp, { forceNew: true, reconnection: false, ...options });
    socket.first = socket.io.engine.transport.name;
    return within(`connecting to ${nsp}`, (done, fail) => {
      socket.on('connect', () => done(socket));
      for (const event of ['error', 'connect_error']) socket.on(event, (why) => fail(new Error(why.message ?? why)));
    });
  };
  const ask = (socket, ...list) => within(`the ack of ${list[0]}`, (done) => socket.emit(...list, (...answer) => done(show(answer))));

  const socket = await open('/');
  const { engine } = socket.io;
  const found = { first: socket.first, sent: show(nested), sentBytes: show(bytes), blobs: [] };
  const got = [];
  const came = within('messages', (done) => socket.on('message', (...list) => {
    got.push(show(list));
    if (got.length === texts.length + bytes.length + (hasBlobs ? 2 : 1)) done(got);
  }));
  for (const text of texts) socket.emit('message', text);
  for (const one of bytes) socket.emit('message', one);
  socket.emit('message', nested, 'end');
  if (hasBlobs) {
    socket.emit('message', new Blob([filled(300)]));
    found.blobs.push([show(filled(300))]);
  }
  found.messages = await came;
  found.acks = await Promise.all(texts.map((text) => ask(socket, 'echo', text)));
  found.binaryAck = await ask(socket, 'echo', nested, bytes[3]);
  socket.on('question', (x, answer) => answer('answer', x, bytes[2]));
  found.call = await ask(socket, 'call', { event: 'question' }, nested);
  if (engine.transport.name !== last) await within('the upgrade', (done) => engine.on('upgrade', done));
  found.last = engine.transport.name;
  found.afterUpgrade = await ask(socket, 'echo', nested);
  const made = [];
  const allMade = within('bytes', (done) => socket.on('made', (...list) => made.push(show(list)) === 3 && done(made)));
  await ask(socket, 'burst', { event: 'made', count: 3, binary: true });
  found.made = await allMade;
  found.witnessed = await ask(socket, 'to', { to: witness, event: 'said' }, nested, ...bytes);
  const [told] = await ask(socket, 'info');
  Object.assign(found, { protocol: told.protocol, transport: told.transport, isSessions: told.id === engine.id, isOwn: told.id === socket.id });

  const foo = await open('/foo');
  found.foo = await ask(foo, 'echo', 'foo', bytes[0]);
  found.refusal = await open('/nowhere').then(() => 'none', (err) => err.message);
  const end = within('the end', (done) => foo.on('disconnect', done));
  foo.emit('disconnect-me');
  found.end = await end;
  socket.disconnect();
  return found;
}

/** The same value, in which binary is as the page shows it. */
function shown(value) {
  if (Buffer.isBuffer(value)) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(shown);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, x]) => [name, shown(x)]));
}

/** Has a client talk in the page, to another one in Node too, and checks what
 *  they found. */
async function assertTalks(page, server, options, { first, last, protocol, hasBlobs = true, parser }) {
  const ends = [];
  const witness = await opened({ after: (end) => ends.push(end) }, '4.8.4', server.url, '/', { ...(parser && { parser }) });
  const heard = next(witness, 'said');
  const found = await page.evaluate(converse, [server.url, options, TEXTS, SIZES, last, hasBlobs, witness.id]);
  const { sent, sentBytes } = found;
  assert.equal(sentBytes.length, SIZES.length);
  const texts = TEXTS.map((text) => [text]);
  const wanted = [...texts, ...sentBytes.map((one) => [one]), [sent, 'end'], ...found.blobs];
  assert.deepEqual(found.messages, wanted);
  assert.deepEqual(found.acks, texts);
  assert.deepEqual(found.binaryAck, [sent, sentBytes[3]]);
  assert.deepEqual(found.call, ['success', 'answer', sent, sentBytes[2]]);
  assert.deepEqual(found.afterUpgrade, [sent]);
  assert.deepEqual(found.foo, ['foo', sentBytes[0]]);
  assert.equal(found.refusal, 'Invalid namespace');
  assert.equal(found.end, 'io server disconnect');
  assert.deepEqual(found.made, [0, 1, 2].map((i) => [i, { bytes: [1, 2, 3, 4] }]));
  assert.deepEqual(found.witnessed, ['success']);
  assert.deepEqual(shown(await heard), [sent, ...sentBytes]);
  ends.forEach((end) => end());
  assert.equal(found.first, first);
  assert.equal(found.last, last);
  assert.equal(found.transport, last);
  assert.equal(found.protocol, protocol);
  assert.equal(found.isOwn, true);
  assert.equal(found.isSessions, protocol === 3);
}

const count = (asked, wanted) =>
  asked.filter((one) => Object.entries(wanted).every(([name, value]) => one[name] === value)).length;

const OCTETS = 'application/octet-stream';
const isJsonp = ({ query }) => query.has('j');

for (const version of ['2.0.4', '2.5.0']) {
  const script = () => ({ path: fileOf(version, 'dist/socket.io.js') });
  const withOld = (run) => withPage({ eio3: true }, script, run);

  describe(`the bundle of ${version}`, () => {
    test(`V301 V303 V306 V308 V312 browser: ${version} with its defaults`, LIMIT, () =>
      withOld(async (page, server, asked) => {
        await assertTalks(page, server, {}, { first: 'polling', last: 'websocket', protocol: 3 });
        assert.ok(asked.every((one) => !isJsonp(one)));
      }));

    test(`V303 V310 browser: ${version} polls in binary`, LIMIT, () =>
      withOld(async (page, server, asked) => {
        await assertTalks(page, server, { transports: ['polling'] }, { first: 'polling', last: 'polling', protocol: 3 });
        assert.ok(count(asked, { kind: 'xhr', method: 'GET', got: OCTETS }) > 0, 'answers of bytes');
        assert.ok(count(asked, { kind: 'xhr', method: 'POST', sent: OCTETS }) > 0, 'bodies of bytes');
        assert.ok(asked.every(({ query }) => query.get('EIO') === '3' && !query.has('b64')));
      }));

    test(`V304 browser: ${version} polls in base64 where it is told to`, LIMIT, () =>
      withOld(async (page, server, asked) => {
        const options = { transports: ['polling'], forceBase64: true };
        await assertTalks(page, server, options, { first: 'polling', last: 'polling', protocol: 3 });
        assert.ok(asked.every(({ query, sent, got }) => query.has('b64') && sent !== OCTETS && got !== OCTETS));
      }));

    test(`V301 V310 browser: ${version} over WebSocket alone`, LIMIT, () =>
      withOld(async (page, server, asked) => {
        await assertTalks(page, server, { transports: ['websocket'] }, { first: 'websocket', last: 'websocket', protocol: 3 });
        assert.equal(count(asked, { method: 'GET', kind: 'xhr' }), 0);
      }));

    test(`JP01 JP02 JP03 browser: ${version} over JSONP`, LIMIT, () =>
      withOld(async (page, server, asked) => {
        const options = { forceJSONP: true, transports: ['polling'] };
        await assertTalks(page, server, options, { first: 'polling', last: 'polling', protocol: 3 });
        assert.ok(asked.length > 0 && asked.every(isJsonp));
        assert.ok(count(asked, { kind: 'script', method: 'GET' }) > 0, 'polls by scripts');
        assert.ok(count(asked, { kind: 'document', method: 'POST', sent: 'application/x-www-form-urlencoded' }) > 0, 'forms');
        assert.equal(count(asked, { kind: 'xhr' }), 0);
      }));

    test(`JP01 JP02 V312 browser: ${version} gets from JSONP to WebSocket`, LIMIT, () =>
      withOld(async (page, server, asked) => {
        await assertTalks(page, server, { forceJSONP: true }, { first: 'polling', last: 'websocket', protocol: 3 });
        assert.ok(count(asked, { kind: 'script', method: 'GET' }) > 0, 'polls by scripts');
        assert.equal(count(asked, { kind: 'xhr' }), 0);
      }));
  });
}

test('JP04 browser: clients of a page have callbacks of their own', LIMIT, () =>
  withPage({ eio3: true }, () => ({ path: fileOf('2.5.0', 'dist/socket.io.js') }), async (page, server, asked) => {
    const answers = await page.evaluate(async (url) => {
      const options = { forceNew: true, reconnection: false, forceJSONP: true, transports: ['polling'] };
      const sockets = [0, 1, 2].map(() => window.io(url, options));
      const all = sockets.map((socket, i) => new Promise((done) => {
        socket.on('message', (x) => x === `end ${i}` && done(x));
        for (const x of ['a', 'b', `end ${i}`]) socket.emit('message', x);
      }));
      const answers = await Promise.all(all);
      sockets.forEach((socket) => socket.disconnect());
      return answers;
    }, server.url);
    assert.deepEqual(answers, ['end 0', 'end 1', 'end 2']);
    assert.deepEqual([...new Set(asked.map(({ query }) => query.get('j')))].sort(), ['0', '1', '2']);
  }));

/** Without a browser: `run` gets the target of a request with more in its
 *  query, and opens(index) for a session's `{ call, sid }`. */
async function withJsonp(run) {
  const server = await startServer('rows', { ...QUIET, eio3: true });
  const target = (more) => `${PATH}?${new URLSearchParams({ EIO: 3, transport: 'polling', ...more })}`;
  const opens = async (j) => {
    const { status, text } = await request(server, { target: target({ j }) });
    assert.equal(status, 200);
    const [, call, packets] = /^(.*?)\((".*")\);$/s.exec(text) ?? assert.fail(text);
    return { call, sid: JSON.parse(/^\d+:0(\{.*\})/.exec(JSON.parse(packets))[1]).sid };
  };
  try {
    await run(server, target, opens);
  } finally {
    await server.stop();
  }
}

test('JP04 the index is the digits of what the handshake says', LIMIT, () =>
  withJsonp(async (server, target, opens) => {
    for (const [j, wanted] of [['0', '0'], ['12', '12'], ['', ''], ['alert(1);2', '12'], ['1"]=2;//', '12'], ['é', '']]) {
      const { call, sid } = await opens(j);
      assert.equal(call, `___eio[${wanted}]`);
      const poll = await request(server, { target: target({ j: '7', sid }) });
      assert.equal(poll.text, `___eio[${wanted}]("2:40");`);
    }
  }));

test('JP01 JP02 JP05 scripts escape line ends, and a form without d is no body', LIMIT, () =>
  withJsonp(async (server, target, opens) => {
    const { sid } = await opens('3');
    const poll = () => request(server, { target: target({ sid }) });
    assert.equal((await poll()).text, '___eio[3]("2:40");');
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const post = (body) => request(server, { method: 'POST', target: target({ j: '3', sid }), headers, body });
    for (const body of ['x=1', 'dd=2:40', 'D=2:40', '']) {
      const { status, text } = await post(body);
      assert.deepEqual({ status, text }, { status: 200, text: 'ok' }, `the form ${body}`);
    }
    const says = async (form, script) => {
      assert.equal((await post(`d=${encodeURIComponent(form)}`)).text, 'ok');
      assert.equal((await poll()).text, `___eio[3](${script});`);
    };
    await says('15:42["message",1]', String.raw`"15:42[\"message\",1]"`);
    await says('20:42["message","\u2028\u2029😀"]', String.raw`"20:42[\"message\",\"\u2028\u2029😀\"]"`);
  }));

for (const [way, transports, first, last] of [
  ['polling', ['polling'], 'polling', 'polling'],
  ['websocket', ['websocket'], 'websocket', 'websocket'],
  ['upgrade', ['polling', 'websocket'], 'polling', 'websocket'],
]) {
  test(`PR02 browser: the bundle with the msgpack parser (${way})`, LIMIT, () =>
    withPage({ parser: 'msgpack' }, (server) => ({ url: `${server.url}${PATH}socket.io.msgpack.min.js` }),
      async (page, server) => {
        await assertTalks(page, server, { transports }, { first, last, protocol: 4, hasBlobs: false, parser: msgpack });
      }));
}
