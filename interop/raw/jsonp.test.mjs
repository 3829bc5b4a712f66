// JSONP: scripts for answers, forms for posts, with Engine.IO 3 and 4.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Jsonp, encodeText, formOf, runScript, upgrade3 } from '../support/eio3.mjs';
import {
  QUIET, RS, Wire, assertEmpty, assertError, encodeRequest, request, splitPayload,
} from '../support/raw.mjs';
import { isOfficial, oursOnly, startServer } from '../support/server.mjs';

const server = await startServer('eio3', QUIET);
const small = await startServer('eio3', { ...QUIET, 'max-payload': 100 });
const off = await startServer('eio4', QUIET);
const sio = await startServer('sio-client', { ...QUIET, eio3: true, cookie: 'io' });
const cors = await startServer('eio3', { ...QUIET, 'cors-origin': 'http://a.example', 'cors-credentials': true });
after(() => Promise.all([server, small, off, sio, cors].map((each) => each.stop())));

const FORM = { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } };

describe('scripts', () => {
  test('JP01 the handshake, and every poll, calls the function of the index', async () => {
    const response = await request(server, { target: '/engine.io/?EIO=3&transport=polling&j=7&b64=1' });
    assert.equal(response.status, 200);
    assert.match(response.text, /^___eio\[7\]\("\d+:0\{\\"sid\\":/);
    assert.ok(response.text.endsWith('}");'));
    assert.equal(response.header('cache-control'), 'no-store');
    const session = await Jsonp.open(server);
    await session.send('4a');
    assert.equal((await session.poll()).text, '___eio[0]("2:4a");');
  });

  const TEXTS = ['"\\', '\u2028', '\u2029', '\u2027\u202a', '</script>', '<!--</SCRIPT >-->', '\n\r\t\b\f\v\x00\x1f\x7f', 'é€😀', "'`${x}"];

  test('JP01 whatever a message holds, the script is one string in one line', async () => {
    const session = await Jsonp.open(server);
    for (const text of [...TEXTS, TEXTS.join('')]) {
      await session.send(`4${text}`);
      const response = await session.poll();
      assert.equal(runScript(response.text, '0'), encodeText(`4${text}`));
      assert.doesNotMatch(response.text, /[\u2028\u2029\n\r]/);
    }
  });

  test('JP01 no script element ends in it', { skip: oursOnly('escapes line ends only') }, async () => {
    const session = await Jsonp.open(server);
    await session.send('4</script><script>alert(1)</script>');
    assert.doesNotMatch((await session.poll()).text, /<\//);
  });

  test('JP01 noop, close and errors', async () => {
    const session = await Jsonp.open(server);
    const held = await session.hold();
    assertEmpty(await session.poll(), 400);
    assert.equal((await held.response()).text, '___eio[0]("1:1");');
    await session.assertGone();
    held.destroy();
    const bad = { target: '/engine.io/?EIO=3&transport=polling&j=0&sid=x' };
    assertError(await request(server, bad), 400, 1, 'Session ID unknown');
  });

  test('JP01 and upgrades, as any session', async () => {
    const session = await Jsonp.open(server);
    const ws = await upgrade3(session);
    await ws.assertEchoes();
    ws.destroy();
  });

  test('JP01 Engine.IO 4', async () => {
    const target = '/engine.io/?EIO=4&transport=polling';
    const opened = runScript((await request(server, { target: `${target}&j=1` })).text, '1');
    const poll = `${target}&sid=${JSON.parse(opened.slice(1)).sid}`;
    const body = formOf(`4a\n${RS}bAQID`);
    assert.equal((await request(server, { method: 'POST', target: poll, body, ...FORM })).text, 'ok');
    const packets = splitPayload(runScript((await request(server, { target: poll })).text, '1'));
    assert.deepEqual(packets, ['4a\n', 'bAQID']);
  });

  test('JP01 is a part of allow_eio3', { skip: oursOnly('is always on') }, async () => {
    const { text } = await request(off, { target: '/engine.io/?EIO=4&transport=polling&j=0' });
    assert.match(text, /^0\{/);
  });

  test('JP01 is compressed where the client takes that', async () => {
    const { gunzipSync } = await import('node:zlib');
    const session = await Jsonp.open(server);
    await session.send(`4${'x'.repeat(5000)}`);
    const response = await session.poll({ headers: { 'Accept-Encoding': 'gzip' } });
    assert.equal(response.header('content-encoding'), 'gzip');
    assert.equal(runScript(gunzipSync(response.body).toString(), '0'), `5001:4${'x'.repeat(5000)}`);
  });
});

describe('the index', () => {
  const CASES = [
    ['alert(1)', '1'], ['1];alert(2);//', '12'], ['%32', '2'], ['-3', '3'], ['4.5', '45'], ['0', '0'], ['00', '00'],
    ['9999999999', '9999999999'],
  ];
  for (const [value, index] of CASES) {
    test(`JP04 j=${value} is ${index}`, async () => {
      const target = `/engine.io/?EIO=3&transport=polling&j=${value}`;
      const { text } = await request(server, { target });
      assert.match(text.slice(0, 30), new RegExp(`^___eio\\[${index}\\]\\("\\d+:0\\{`));
    });
  }

  test('JP04 is the handshake\'s for good', async () => {
    const { text } = await request(server, { target: '/engine.io/?EIO=3&transport=polling&j=3' });
    const { sid } = JSON.parse(runScript(text, '3').replace(/^\d+:0/, ''));
    const target = `/engine.io/?EIO=3&transport=polling&sid=${sid}&j=5`;
    await request(server, { method: 'POST', target, body: formOf('2:4a'), ...FORM });
    assert.equal((await request(server, { target })).text, '___eio[3]("2:4a");');
  });

  test('JP04 on a later request it makes no script of a plain session', async () => {
    const { text } = await request(server, { target: '/engine.io/?EIO=3&transport=polling' });
    const { sid } = JSON.parse(text.replace(/^\d+:0/, ''));
    const target = `/engine.io/?EIO=3&transport=polling&sid=${sid}&j=5`;
    await request(server, { method: 'POST', target, body: '2:4a' });
    assert.equal((await request(server, { target })).text, '2:4a');
  });

  test('JP04 more digits than any client counts are refused', { skip: oursOnly('has no limit') }, async () => {
    for (const j of ['12345678901', '1'.repeat(60), '1'.repeat(3000), 'a'.repeat(100) + '12345678901']) {
      const target = `/engine.io/?EIO=3&transport=polling&j=${j}`;
      assertError(await request(server, { target }), 400, 3, 'Bad request');
    }
  });
});

describe('forms', () => {
  const TEXTS = [
    'a\nb', '\\n', '\\\\n', 'a\\nb\nc', '\\', '\n\\n\n', '+ &=%', 'é€😀', '%41', '\r\n', '\x00', "'\"", '\\\n', '\\\\\n',
  ];
  test('JP02 line feeds and backslashes come through as clients write them', async () => {
    const session = await Jsonp.open(server);
    for (const text of TEXTS) {
      // A backslash before a line feed is what their two steps cannot tell.
      if (text.includes('\\\n')) continue;
      await session.assertEchoes(`4${text}`);
    }
  });

  test('JP02 the two steps, to the byte', async () => {
    const session = await Jsonp.open(server);
    for (const [form, packet] of [
      ['d=3:4%5Cnb', '4\nb'], ['d=4:4%5C%5Cnb', '4\\nb'], ['d=5:4%5C%5C%5Cnb', '4\\\\nb'], ['d=4:4\\\\nb', '4\\nb'],
      ['d=3:4+b', '4 b'], ['d=3:4%2Bb', '4+b'], ['d=3%3a4%f0%9f%98%80', '4😀'], ['x=1&d=2:4a&y', '4a'], ['%64=2:4a', '4a'],
      ['d=4:4%zz', '4%zz'], ['d=3:4=b', '4=b'],
    ]) {
      await session.postForm(form);
      await session.receive(packet);
    }
  });

  test('JP02 several packets, in order, and cut anywhere', async () => {
    const session = await Jsonp.open(server);
    const body = formOf(encodeText('4é\n😀', '2', '4z'));
    const bytes = encodeRequest(server, { method: 'POST', target: session.target(), body, ...FORM });
    const wire = await Wire.open(server);
    for (let cut = bytes.length - body.length; cut <= bytes.length; cut++) {
      await wire.writePieces([bytes.subarray(0, cut), bytes.subarray(cut)].filter((piece) => piece.length));
      assert.equal((await wire.response()).text, 'ok');
      await session.receive('4é\n😀', '3', '4z');
    }
    wire.destroy();
  });

  test('JP02 the content type is not looked at', async () => {
    const session = await Jsonp.open(server);
    for (const type of ['text/plain', ...(isOfficial ? [] : ['application/octet-stream']), undefined]) {
      await session.postOk(formOf('2:4a'), { headers: { 'Content-Type': type } });
      await session.receive('4a');
    }
  });

  test('JP03 binary is base64, also without b64', async () => {
    for (const b64 of isOfficial ? [1] : [1, undefined]) {
      const session = await Jsonp.open(server, { query: { b64 } });
      for (const packet of ['b4', 'b4AQ==', 'b4AQI=', 'b4AQID', 'b4+/+/']) {
        await session.send('4a', packet);
        await session.receive('4a', packet);
      }
    }
  });

  for (const body of ['', '&', 'e=1', 'D=2:4a', '2:4a', 'd=2:4a&d=2:4b', '=2:4a', 'd[]=2:4a', 'dd=2:4a']) {
    test(`JP05 ${JSON.stringify(body)} is no payload, and ignored`, async () => {
      const session = await Jsonp.open(server);
      await session.postForm(body);
      await session.assertEchoes();
    });
  }

  for (const body of ['d=', 'd', 'd=x', 'd=2:4', 'd=3:4a', 'd=2:4a2', 'd=4a', 'd=1:7', 'd=%00']) {
    test(`JP05 ${JSON.stringify(body)} is a wrong payload, and closes`, async () => {
      const session = await Jsonp.open(server);
      await session.postForm(body);
      await session.assertGone();
    });
  }

  test('JP05 every prefix of a form is answered', async () => {
    const body = formOf(encodeText('4é\n😀', 'b4AQID', '4z'));
    for (let length = 0; length < body.length; length++) {
      const session = await Jsonp.open(server);
      await session.postForm(body.slice(0, length));
    }
    const session = await Jsonp.open(server);
    await session.assertEchoes();
  });

  test('JP05 a form over the limit is refused, and the session lives', async () => {
    const session = await Jsonp.open(small);
    assertEmpty(await session.post(formOf(encodeText(`4${'x'.repeat(100)}`)), FORM), 413);
    await session.assertEchoes(`4${'x'.repeat(90)}`);
  });
});

test('JP01 Socket.IO 2 over JSONP, with its cookie', async () => {
  const session = await Jsonp.open(sio, { path: '/socket.io/' });
  assert.match(session.handshake.header('set-cookie'), new RegExp(`^io=${session.sid};`));
  await session.receive('40');
  await session.send('420["echo","a\\n\u2028"]', '421["getId"]');
  await session.receive('430["a\\n\u2028"]', `431["${session.sid}"]`);
  await session.send('42["doge"]');
  await session.receive('451-["doge",{"_placeholder":true,"num":0}]', `b4${Buffer.from('asdfasdf').toString('base64')}`);
});

test('JP01 CORS headers stand on its answers, too', async () => {
  const target = '/engine.io/?EIO=3&transport=polling&j=0';
  const response = await request(cors, { target, headers: { Origin: 'http://a.example' } });
  assert.equal(response.header('access-control-allow-origin'), 'http://a.example');
  assert.match(response.text, /^___eio\[0\]/);
});
