// Long-polling: payloads, the poll that waits, and what ends a session.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  Polling, QUIET, RS, UNKNOWN_SID, Wire, assertEmpty, assertError, encodeRequest, request, settle,
} from '../support/raw.mjs';
import { startServer } from '../support/server.mjs';

const server = await startServer('eio4', QUIET);
const small = await startServer('eio4', { ...QUIET, 'max-payload': 1000 });
after(() => Promise.all([server.stop(), small.stop()]));

/** The head of a POST and the first bytes of its body, which is longer. */
async function beginPost(session, body = '4par') {
  const wire = await Wire.open(session.server);
  const head = encodeRequest(session.server, {
    method: 'POST',
    target: session.target(),
    headers: { 'Content-Length': 100 },
  });
  wire.write(Buffer.concat([head, Buffer.from(body)]));
  await settle(session.server);
  return wire;
}

describe('payloads', () => {
  test('PL01 what waits comes in one answer, in order', async () => {
    const session = await Polling.open(server);
    await session.postOk('4one');
    await session.postOk('4two');
    await session.postOk('bAwQ=');
    await session.pollText(['4one', '4two', 'bAwQ='].join(RS));
  });

  test('PL01 PL04 the echo of one POST comes in one answer', async () => {
    const session = await Polling.open(server);
    await session.postOk(`4hello${RS}bAQIDBA==`);
    await session.pollText(`4hello${RS}bAQIDBA==`);
  });

  test('PL01 hundreds of packets', async () => {
    const session = await Polling.open(server);
    const packets = Array.from({ length: 900 }, (_, i) => (i % 3 ? `4message ${i}` : 'bAQIDBA=='));
    await session.postOk(packets.join(RS));
    assert.deepEqual(await session.packets(packets.length), packets);
  });

  test('PL02 a poll is held until there is something', async () => {
    const session = await Polling.open(server);
    for (const text of ['4first', '4second']) {
      const wire = await session.hold();
      await session.postOk(text);
      assert.equal((await wire.response()).text, text);
      wire.destroy();
    }
  });

  test('PL02 a held poll and a POST wait on each other on no connection', async () => {
    const sessions = await Promise.all(Array.from({ length: 30 }, () => Polling.open(server)));
    const wires = await Promise.all(sessions.map((session) => session.hold()));
    await Promise.all(sessions.map((session, i) => session.postOk(`4${i}`)));
    const answers = await Promise.all(wires.map((wire) => wire.response()));
    assert.deepEqual(answers.map(({ text }) => text), sessions.map((_, i) => `4${i}`));
    for (const wire of wires) wire.destroy();
  });

  test('PL03 several packets in a POST, in order', async () => {
    const session = await Polling.open(server);
    const wire = await session.hold();
    const packets = ['4a', '4b', '4c', '4d'];
    const post = await session.post(packets.join(RS));
    assert.equal(post.text, 'ok');
    const first = (await wire.response()).text.split(RS);
    const rest = await session.packets(packets.length - first.length);
    assert.deepEqual([...first, ...rest], packets);
    wire.destroy();
  });

  const BINARIES = ['', 'AA==', 'AAA=', 'AAAA', '/+8=', '+/+/', Buffer.from([...Array(256).keys()]).toString('base64')];

  for (const base64 of BINARIES) {
    test(`PL04 binary ${base64.slice(0, 12) || '(empty)'} comes back as it went`, async () => {
      const session = await Polling.open(server);
      await session.postOk(`b${base64}`);
      await session.pollText(`b${base64}`);
    });
  }

  test('PL04 base64 without padding or of the URL kind is read', async () => {
    const session = await Polling.open(server);
    await session.postOk(`bAQ${RS}bAQI${RS}b_-8`);
    await session.pollText(`bAQ==${RS}bAQI=${RS}b/+8=`);
  });

  test('PL04 b64 makes no difference', async () => {
    const session = await Polling.open(server, { query: { b64: 1 } });
    await session.postOk('bAQIDBA==');
    await session.pollText('bAQIDBA==');
  });

  test('PL04 a large binary', async () => {
    const session = await Polling.open(server);
    const base64 = Buffer.alloc(700_000, 'abcdefg').toString('base64');
    await session.postOk(`b${base64}`);
    assert.equal(await session.pollText(), `b${base64}`);
  });

  const TEXTS = ['utf8 — string', 'пойду спать', 'てすと', 'é€😀𝄞', '\u{10ffff}\uffff\ufeff', 'Ä'.repeat(5000), '\0\x01\x7f', '"\\\n\r\t'];

  for (const text of TEXTS) {
    test(`PL15 ${JSON.stringify(text.slice(0, 20))} comes back as it went`, async () => {
      const session = await Polling.open(server);
      await session.postOk('4' + text);
      await session.pollText('4' + text);
    });
  }

  test('PL15 characters split between segments and chunks', async () => {
    const session = await Polling.open(server);
    const body = Buffer.from('4é€😀');
    const head = encodeRequest(server, {
      method: 'POST',
      target: session.target(),
      headers: { 'Transfer-Encoding': 'chunked' },
    });
    const wire = await Wire.open(server);
    const chunks = Array.from(body, (byte) => Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]));
    await wire.writePieces([head, ...chunks, '0\r\n\r\n']);
    assert.equal((await wire.response()).text, 'ok');
    await session.pollText('4é€😀');
    wire.destroy();
  });

  test('PL15 what is not UTF-8 does no harm', async () => {
    const session = await Polling.open(server);
    const { status } = await session.post(Buffer.from('4a\xffb\xc3', 'latin1'));
    assert.ok(status === 200 || status === 400, String(status));
    await (await Polling.open(server)).assertEchoes();
  });

  test('PL15 an empty message', async () => {
    const session = await Polling.open(server);
    await session.postOk(`4${RS}4x`);
    const [last] = (await session.packets(1)).slice(-1);
    assert.ok(last === '4' || last === '4x', last);
  });
});

describe('what ends a session', () => {
  test('PL05 overlapping GET: first gets 1, second 400, session closed', async () => {
    const session = await Polling.open(server);
    const first = await session.hold();
    assertEmpty(await session.poll(), 400);
    const answer = await first.response();
    assert.equal(answer.status, 200);
    assert.equal(answer.text, '1');
    await session.assertGone();
    first.destroy();
  });

  test('PL05 the connection of the first stays of use', async () => {
    const session = await Polling.open(server);
    const wire = await session.hold();
    await session.poll();
    assert.equal((await wire.response()).text, '1');
    wire.write(encodeRequest(server, { target: '/hello' }));
    assert.equal((await wire.response()).text, 'hello');
    wire.destroy();
  });

  test('PL06 overlapping POST: second 400, the first is cut off, session closed', async () => {
    const session = await Polling.open(server);
    const first = await beginPost(session);
    assertEmpty(await session.post('4x'), 400);
    await first.endedSilently();
    await session.assertGone();
  });

  test('PL06 a GET and a POST at a time are no overlap', async () => {
    const session = await Polling.open(server);
    const get = await session.hold();
    const post = await beginPost(session, '4');
    post.write('x'.repeat(99));
    assert.equal((await post.response()).text, 'ok');
    assert.equal((await get.response()).text, '4' + 'x'.repeat(99));
    get.destroy();
    post.destroy();
  });

  for (const how of ['finish', 'destroy', 'abort']) {
    test(`PL07 a GET that is given up (${how}) closes the session`, async () => {
      const session = await Polling.open(server);
      const wire = await session.hold();
      wire[how]();
      await settle(server);
      await session.assertGone();
    });

    test(`PL07 a POST that is given up (${how}) closes the session`, async () => {
      const session = await Polling.open(server);
      const poll = await session.hold();
      const wire = await beginPost(session);
      wire[how]();
      await settle(server);
      await session.assertGone();
    });
  }

  test('PL07 the end is seen before a request that comes later', async () => {
    for (let i = 0; i < 30; i++) {
      const session = await Polling.open(server);
      const wire = await session.hold();
      wire.destroy();
      await new Promise((done) => wire.socket.once('close', done));
      await session.assertGone();
    }
  });

  test('PL07 a connection that ends between requests closes nothing', async () => {
    const session = await Polling.open(server);
    const wire = await Wire.open(server);
    wire.write(encodeRequest(server, { method: 'POST', target: session.target(), body: '4x' }));
    await wire.response();
    wire.abort();
    await settle(server);
    await session.pollText('4x');
  });

  const INVALID = ['', 'abc', '7', '9x', 'x4', '4ok' + RS, RS, RS + '4x', `4ok${RS}${RS}4no`, `4ok${RS}abc`, ' 4x', '\u00e9'];

  for (const body of INVALID) {
    test(`PL09 payload ${JSON.stringify(body)}: ok, the poll gets 1, session closed`, async () => {
      const session = await Polling.open(server);
      const wire = await session.hold();
      const post = await session.post(body);
      assert.equal(post.status, 200);
      assert.equal(post.text, 'ok');
      const [answer, ...rest] = (await wire.response()).text.split(RS);
      assert.ok(answer === '1' || (answer === '4ok' && body.startsWith('4ok')), answer);
      assert.deepEqual(rest.filter((packet) => packet !== '1'), []);
      await session.assertGone();
      wire.destroy();
    });
  }

  test('PL09 no poll waits: the next gets 400', async () => {
    const session = await Polling.open(server);
    await session.postOk('abc');
    await session.assertGone();
    assertError(await session.post('4x'), ...UNKNOWN_SID);
  });

  for (const type of ['0', '5', '6', '0{}', '6x']) {
    test(`PL09 ${type} from a client is passed over`, async () => {
      const session = await Polling.open(server);
      await session.postOk(`${type}${RS}4x`);
      await session.pollText('4x');
    });
  }

  test('PL10 application/octet-stream: 400, session closed', async () => {
    const session = await Polling.open(server);
    const headers = { 'Content-Type': 'application/octet-stream' };
    assertEmpty(await session.post(Buffer.from([0, 4, 1, 255, 4]), { headers }), 400);
    await session.assertGone();
  });

  test('PL10 any other type, or none, is text', async () => {
    const session = await Polling.open(server);
    for (const type of [undefined, 'application/json', 'text/plain', 'application/octet-stream; charset=UTF-8']) {
      await session.postOk('4x', { headers: { 'Content-Type': type } });
      await session.pollText('4x');
    }
  });
});

describe('PL08 limits', () => {
  const full = '4' + 'x'.repeat(999);

  test('PL08 a body of the limit is fine', async () => {
    const session = await Polling.open(small);
    await session.postOk(full);
    await session.pollText(full);
  });

  test('PL08 one byte more: 413, empty, the session lives', async () => {
    const session = await Polling.open(small);
    assertEmpty(await session.post(full + 'x'), 413);
    await session.assertEchoes();
  });

  test('PL08 the limit counts bytes, not characters', async () => {
    const session = await Polling.open(small);
    assertEmpty(await session.post('4' + '€'.repeat(334)), 413);
    await session.postOk('4' + '€'.repeat(333));
    await session.pollText('4' + '€'.repeat(333));
  });

  test('PL08 in chunks as well', async () => {
    for (const [size, status] of [[1000, 200], [1001, 413]]) {
      const session = await Polling.open(small);
      const chunk = `64\r\n${'4'.repeat(100)}\r\n`.repeat(10) + (size > 1000 ? '1\r\nx\r\n' : '') + '0\r\n\r\n';
      const response = await request(small, {
        method: 'POST',
        target: session.target(),
        headers: { 'Transfer-Encoding': 'chunked' },
        body: chunk,
      });
      assert.equal(response.status, status);
      if (status === 200) await session.pollText('4'.repeat(1000));
      else await session.assertEchoes();
    }
  });

  test('PL08 413 while a poll waits leaves the poll', async () => {
    const session = await Polling.open(small);
    const wire = await session.hold();
    assertEmpty(await session.post(full + 'x'), 413);
    await session.postOk('4x');
    assert.equal((await wire.response()).text, '4x');
    wire.destroy();
  });

  test('PL08 a body far too large is not delivered and does no harm', async () => {
    const session = await Polling.open(small);
    const wire = await Wire.open(small);
    const body = '4' + 'x'.repeat(3_000_000);
    wire.write(encodeRequest(small, { method: 'POST', target: session.target(), body }));
    assertEmpty(await wire.response(), 413);
    wire.destroy();
    await session.assertEchoes();
  });
});

describe('headers', () => {
  const AGENTS = [
    ['Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)', '0'],
    ['Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko', '0'],
    ['Mozilla/4.0 (compatible;MSIE 7.0)', '0'],
    ['Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0', undefined],
    ['MSIE', undefined],
  ];

  for (const [agent, expected] of AGENTS) {
    test(`PL13 X-XSS-Protection ${expected} for ${agent}`, async () => {
      const headers = { 'User-Agent': agent };
      const session = await Polling.open(server, { headers });
      const post = await session.post('4x', { headers });
      const poll = await session.poll({ headers });
      for (const response of [session.handshake, post, poll]) {
        assert.equal(response.header('x-xss-protection'), expected);
      }
    });
  }

  test('PL14 the headers of poll and POST', async () => {
    const session = await Polling.open(server);
    const post = await session.post('4é');
    assert.equal(post.status, 200);
    assert.equal(post.text, 'ok');
    assert.equal(post.header('content-type'), 'text/html');
    assert.equal(post.header('content-length'), '2');
    assert.equal(post.header('cache-control'), 'no-store');
    const poll = await session.poll();
    assert.equal(poll.header('content-type'), 'text/plain; charset=UTF-8');
    assert.equal(poll.header('content-length'), '3');
    assert.equal(poll.header('cache-control'), 'no-store');
    assert.equal(poll.header('content-encoding'), undefined);
  });

  test('PL14 errors are JSON, without cache-control', async () => {
    const response = await request(server, { target: '/engine.io/?EIO=4&transport=polling&sid=x' });
    assertError(response, ...UNKNOWN_SID);
    assert.equal(response.header('cache-control'), undefined);
  });
});
