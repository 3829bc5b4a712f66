// Polling where requests come in on other loops than the session's.

import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { ask, assertNumbered, collect, connected, eventually } from '../support/client.mjs';
import { Polling, UNKNOWN_SID, assertError, encodeRequest, request, settle } from '../support/raw.mjs';
import {
  PATH, POST_HEADERS, askOn, counted, deserted, everywhere, foreignWire, loopOf, loops, pollOn,
  postOn, sessionOn, sum, withThreads,
} from '../support/threads.mjs';

const POLLING = [['polling']];
const BIG = 'x'.repeat(300_000);

const post = (session, body, headers = {}) => encodeRequest(session.server, {
  method: 'POST', target: session.target(), headers: { ...POST_HEADERS, ...headers }, body,
});
const poll = (session) => encodeRequest(session.server, { target: session.target() });
const get = (server, target) => encodeRequest(server, { target });

/** A session, and a connection on another loop. */
async function apart(t, server) {
  const session = await sessionOn(t, server);
  return { session, wire: await foreignWire(t, server, session.loop) };
}

/** Runs `what`, which has to hand over as often as that. */
async function handsOver(server, times, what) {
  const old = await counted(server, 'handed_over');
  await what();
  assert.equal((await counted(server, 'handed_over')) - old, times, 'connections handed over');
}

/** Rounds of numbered echoes, some with binary, of all clients at once. */
async function echoAll(all, rounds) {
  await Promise.all(all.map(async (socket) => {
    const got = collect(socket, 'echo');
    for (let n = 0; n < rounds * 4;) {
      for (let i = 0; i < 4; i++, n++) socket.emit('echo', n, n % 4 ? socket.id : Buffer.alloc(100, n));
      await got.reach(n);
    }
    assertNumbered(got, rounds * 4);
    for (const [n, what] of got) assert.deepEqual(what, n % 4 ? socket.id : Buffer.alloc(100, n));
  }));
}

withThreads('polling over several loops', {}, (on) => {
  on('each request on a connection of its own', async (t, server) => {
    const agent = new Agent({ keepAlive: false });
    const all = await everywhere(t, server, 4, { ways: POLLING, agent });
    const old = await loops(server);
    await echoAll(all, 12);
    const young = await loops(server);
    for (const [i, loop] of young.entries()) {
      assert.ok(loop.sessions >= 4, `loop ${i} has sessions`);
      assert.ok(loop.handed_over > old[i].handed_over, `loop ${i} hands over`);
    }
    assert.ok(sum(young, 'handed_over') - sum(old, 'handed_over') >= all.length);
    assert.equal(sum(young, 'sessions'), all.length);
  });

  on('clients of different loops share connections that are kept alive', async (t, server) => {
    await deserted(server);
    const agent = new Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    const all = await Promise.all(Array.from({ length: 24 }, () => connected(t, server, '/', { transports: ['polling'], agent })));
    const old = await loops(server);
    for (const [i, loop] of old.entries()) assert.ok(loop.sessions > 0, `loop ${i} has sessions`);
    await echoAll(all, 12);
    const young = await loops(server);
    assert.ok(sum(young, 'handed_over') - sum(old, 'handed_over') >= all.length);
  });

  on('a poll is handed over, and its connection stays where it has come', async (t, server) => {
    const { session, wire } = await apart(t, server);
    await postOn(session, session.wire, '42["echo",1]');
    await handsOver(server, 1, async () => {
      assert.equal(await pollOn(session, wire), '42["echo",1]');
      assert.equal(await loopOf(server, wire), session.loop);
      await postOn(session, wire, '42["echo",2]');
      assert.equal(await pollOn(session, wire), '42["echo",2]');
    });
  });

  on('a poll that waits is handed over', async (t, server) => {
    const { session, wire } = await apart(t, server);
    wire.write(poll(session));
    await settle(server);
    assert.equal(wire.buffered, 0);
    await postOn(session, session.wire, '42["echo","later"]');
    assert.equal((await wire.response()).text, '42["echo","later"]');
  });

  on('two polls at once overlap, from whichever loops they come', async (t, server) => {
    const { session, wire } = await apart(t, server);
    wire.write(poll(session));
    session.wire.write(poll(session));
    const answers = await Promise.all([wire.response(), session.wire.response()]);
    assert.deepEqual(answers.map((r) => [r.status, r.text]).sort(), [[200, '1'], [400, '']]);
    assertError(await request(server, { target: session.target() }), ...UNKNOWN_SID);
  });

  on('a POST is handed over', async (t, server) => {
    const { session, wire } = await apart(t, server);
    await handsOver(server, 1, () => postOn(session, wire, '42["echo","über"]'));
    assert.equal(await loopOf(server, wire), session.loop);
    assert.equal(await pollOn(session, session.wire), '42["echo","über"]');
  });

  on('a POST that is longer than what is read at once', async (t, server) => {
    const { session, wire } = await apart(t, server);
    await handsOver(server, 1, () => postOn(session, wire, `42["echo","${BIG}"]`));
    assert.equal(await pollOn(session, wire), `42["echo","${BIG}"]`);
  });

  on('a POST that comes in pieces', async (t, server) => {
    const body = Buffer.from(`42["echo","${BIG}ü"]`);
    for (const cut of ['in the head', 'behind the head', 'in the body']) {
      const { session, wire } = await apart(t, server);
      const bytes = post(session, body);
      const head = bytes.length - body.length;
      const at = { 'in the head': head - 20, 'behind the head': head, 'in the body': head + 1000 }[cut];
      await handsOver(server, 1, async () => {
        wire.write(bytes.subarray(0, at));
        await settle(server);
        await wire.writePieces([bytes.subarray(at, at + 70_000), bytes.subarray(at + 70_000, -1)]);
        await settle(server);
        assert.equal(wire.buffered, 0);
        wire.write(bytes.subarray(-1));
        assert.equal((await wire.response()).text, 'ok', cut);
      });
      assert.equal(await pollOn(session, wire), body.toString(), cut);
    }
  });

  on('a POST byte by byte', async (t, server) => {
    const { session, wire } = await apart(t, server);
    await wire.writePieces(Array.from(post(session, '42["echo",3]'), (byte) => Buffer.of(byte)));
    assert.equal((await wire.response()).text, 'ok');
    assert.equal(await pollOn(session, wire), '42["echo",3]');
  });

  on('a chunked POST, with trailing bytes of the next request', async (t, server) => {
    const { session, wire } = await apart(t, server);
    const [head] = post(session, undefined, { 'Transfer-Encoding': 'chunked' }).toString('latin1').split('\r\n\r\n');
    wire.write(`${head}\r\n\r\n8\r\n42["echo\r\n`);
    await settle(server);
    wire.write(Buffer.concat([Buffer.from('4\r\n",4]\r\n0\r\n\r\n'), poll(session), get(server, '/hello')]));
    assert.equal((await wire.response()).text, 'ok');
    assert.equal((await wire.response()).text, '42["echo",4]');
    assert.equal((await wire.response()).text, 'hello');
  });

  on('100 Continue is said once', async (t, server) => {
    const { session, wire } = await apart(t, server);
    const body = '42["echo",5]';
    const bytes = post(session, body, { Expect: '100-continue' });
    wire.write(bytes.subarray(0, bytes.length - body.length));
    assert.match((await wire.takeThrough('\r\n\r\n')).toString(), /^HTTP\/1\.1 100 /);
    wire.write(body);
    const response = await wire.response();
    assert.deepEqual([response.text, response.interim], ['ok', []]);
    assert.equal(await pollOn(session, wire), body);
  });

  on('pipelined requests before and behind the one that is handed over', async (t, server) => {
    const { session, wire } = await apart(t, server);
    await handsOver(server, 1, async () => {
      wire.write(Buffer.concat([
        get(server, '/hello'), get(server, '/slow'), post(session, '42["echo",6]'), poll(session),
        get(server, '/slow'), post(session, `42["echo","${BIG}"]`), poll(session), get(server, '/hello'),
      ]));
      const texts = [];
      for (let i = 0; i < 8; i++) texts.push((await wire.response()).text);
      assert.deepEqual(texts, [
        'hello', 'slow', 'ok', '42["echo",6]', 'slow', 'ok', `42["echo","${BIG}"]`, 'hello',
      ]);
    });
    assert.equal(await loopOf(server, wire), session.loop);
  });

  on('requests to sessions of several loops, pipelined on one connection', async (t, server) => {
    const one = await sessionOn(t, server);
    const two = await sessionOn(t, server, (loop) => loop !== one.loop);
    const wire = await foreignWire(t, server, one.loop);
    await handsOver(server, 40, async () => {
      const pair = (session, n) => [post(session, `42["echo",${n}]`), poll(session)];
      const all = Array.from({ length: 20 }, (_, n) => [...pair(one, n), ...pair(two, n)]);
      wire.write(Buffer.concat(all.flat()));
      for (let n = 0; n < 20; n++) {
        for (const text of ['ok', `42["echo",${n}]`, 'ok', `42["echo",${n}]`]) {
          assert.equal((await wire.response()).text, text);
        }
      }
    });
  });

  on('a connection that is to close does so behind the hand-over', async (t, server) => {
    const { session, wire } = await apart(t, server);
    await postOn(session, wire, '42["echo",7]', { Connection: 'close' });
    await wire.endedSilently();
    const old = await foreignWire(t, server, session.loop);
    const response = await askOn(server, old, { target: session.target(), version: '1.0' });
    assert.equal(response.text, '42["echo",7]');
    await old.endedSilently();
  });

  on('a client that has ended its side is answered', async (t, server) => {
    const { session, wire } = await apart(t, server);
    wire.write(post(session, '42["echo",8]')).finish();
    assert.equal((await wire.response()).text, 'ok');
    await wire.endedSilently();
    assert.equal(await pollOn(session, session.wire), '42["echo",8]');
  });

  on('a client that is gone before the hand-over ends costs nothing', async (t, server) => {
    const session = await sessionOn(t, server);
    for (let i = 0; i < 30; i++) {
      const wire = await foreignWire(t, server, session.loop);
      await new Promise((done) => wire.socket.write(post(session, '42["join","gone"]'), done));
      wire.abort();
    }
    await settle(server);
    await postOn(session, session.wire, '42["echo",9]');
    assert.equal(await pollOn(session, session.wire), '42["echo",9]');
  });

  on('a client that is gone with half of a body takes its session along', async (t, server) => {
    for (let i = 0; i < 12; i++) {
      const { session, wire } = await apart(t, server);
      await new Promise((done) => wire.socket.write(post(session, '42["echo",9]').subarray(0, -1), done));
      if (i % 2) await settle(server);
      wire.abort();
      const target = session.target();
      await eventually(() => askOn(server, session.wire, { method: 'HEAD', target }), (r) => r.status === 400, 'unknown');
    }
  });

  on('an id that nobody has is unknown on every loop', async (t, server) => {
    const wire = await foreignWire(t, server, -1);
    for (let i = 0; i < 40; i++) {
      const session = new Polling(server, PATH, `nobody${i}`);
      assertError(await askOn(server, wire, { target: session.target() }), ...UNKNOWN_SID);
      const response = await request(server, { method: 'POST', target: session.target(), headers: POST_HEADERS, body: '42["echo"]' });
      assertError(response, ...UNKNOWN_SID);
    }
  });

  on('a body that is too long is refused after the hand-over', async (t, server) => {
    const { session, wire } = await apart(t, server);
    const bytes = post(session, undefined, { 'Content-Length': 1_000_001 });
    wire.write(bytes);
    assert.equal((await wire.response()).status, 413);
    await wire.ended();
  });

  on('an ack of 300 kB each way, over polling by an official client', async (t, server) => {
    const all = await everywhere(t, server, 1, { ways: POLLING });
    const answers = await Promise.all(all.map((socket) => ask(socket, 'ack', BIG, Buffer.alloc(100_000, 1))));
    for (const answer of answers) assert.deepEqual(answer, [BIG, Buffer.alloc(100_000, 1)]);
  });
});
