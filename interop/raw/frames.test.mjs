// WebSocket frames (RFC 6455, sections 5 to 7): fragments, control frames,
// UTF-8, lengths, masks and close codes.

import { after, describe, test } from 'node:test';
import {
  OP, QUIET, WebSocketWire, closePayload, encodeFrame, settle,
} from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const server = await startServer('eio4', QUIET);
after(server.stop);

const on = (name, run, options = {}) =>
  test(name, options, async () => {
    const ws = await WebSocketWire.session(server);
    try {
      await run(ws);
    } finally {
      ws.destroy();
    }
  });

describe('fragments', () => {
  on('WS04 a text message in three', async (ws) => {
    ws.send(OP.TEXT, '4a', { fin: false });
    ws.send(OP.CONTINUATION, 'b', { fin: false });
    ws.send(OP.CONTINUATION, 'c');
    await ws.text('4abc');
    await ws.assertEchoes();
  });

  on('WS04 a binary message in two', async (ws) => {
    ws.send(OP.BINARY, 'ab', { fin: false });
    ws.send(OP.CONTINUATION, 'cd');
    await ws.binary('abcd');
  });

  on('WS04 empty fragments', async (ws) => {
    ws.send(OP.TEXT, '', { fin: false });
    ws.send(OP.CONTINUATION, '', { fin: false });
    ws.send(OP.CONTINUATION, '4x', { fin: false });
    ws.send(OP.CONTINUATION, '');
    await ws.text('4x');
  });

  on('WS04 control frames between fragments', async (ws) => {
    ws.send(OP.TEXT, '4a', { fin: false });
    ws.send(OP.PING, 'one');
    await ws.pong('one');
    ws.send(OP.CONTINUATION, 'b', { fin: false });
    ws.send(OP.PONG, 'unasked');
    ws.send(OP.PING, '');
    await ws.pong('');
    ws.send(OP.CONTINUATION, 'c');
    await ws.text('4abc');
  });

  on('WS04 a close frame between fragments', async (ws) => {
    ws.send(OP.TEXT, '4a', { fin: false });
    ws.send(OP.CLOSE, closePayload(1000));
    await ws.closed(1000);
  });

  on('WS04 a thousand fragments', async (ws) => {
    const frames = [encodeFrame(OP.TEXT, '4', { fin: false })];
    for (let i = 0; i < 1000; i++) frames.push(encodeFrame(OP.CONTINUATION, 'x', { fin: false }));
    frames.push(encodeFrame(OP.CONTINUATION, ''));
    ws.wire.write(Buffer.concat(frames));
    await ws.text('4' + 'x'.repeat(1000));
  });

  on('WS04 fragments without end: 1008', async (ws) => {
    const piece = Buffer.concat(Array.from({ length: 1000 }, () => encodeFrame(OP.CONTINUATION, 'x', { fin: false })));
    ws.send(OP.BINARY, 'x', { fin: false });
    for (let i = 0; i < 17; i++) ws.wire.write(piece);
    await ws.closed(1008);
  });

  on('WS04 every split of a message', async (ws) => {
    const bytes = Buffer.concat([
      encodeFrame(OP.TEXT, '4h\u00e9', { fin: false }),
      encodeFrame(OP.PING, 'p'),
      encodeFrame(OP.CONTINUATION, 'llo€😀'),
      encodeFrame(OP.BINARY, Buffer.alloc(130, 5), { form: 16 }),
    ]);
    for (let at = 1; at < bytes.length; at++) {
      await ws.wire.writePieces([bytes.subarray(0, at), bytes.subarray(at)]);
      await ws.pong('p');
      await ws.text('4héllo€😀');
      await ws.binary(Buffer.alloc(130, 5));
    }
    await ws.wire.writePieces(Array.from(bytes, (byte) => Buffer.from([byte])));
    await ws.pong('p');
    await ws.text('4héllo€😀');
    await ws.binary(Buffer.alloc(130, 5));
  });
});

describe('masks and lengths', () => {
  for (const mask of [[0, 0, 0, 0], [255, 255, 255, 255], [1, 2, 3, 4], [0, 0, 0, 1]]) {
    on(`WS04 the mask ${mask}`, async (ws) => {
      for (const size of [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 1000, 4097]) {
        const data = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7) % 256));
        ws.send(OP.BINARY, data, { mask: Buffer.from(mask) });
        await ws.binary(data);
      }
    });
  }

  for (const size of [0, 1, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537]) {
    on(`WS04 a message of ${size} bytes`, async (ws) => {
      ws.send(OP.BINARY, Buffer.alloc(size, 3));
      await ws.binary(Buffer.alloc(size, 3));
    });
  }
});

const PROTOCOL_ERRORS = [
  ['RSV1 without an extension', encodeFrame(OP.TEXT, '4x', { rsv: 4 }), true],
  ['RSV2', encodeFrame(OP.TEXT, '4x', { rsv: 2 }), true],
  ['RSV3', encodeFrame(OP.TEXT, '4x', { rsv: 1 }), true],
  ['RSV1 in a control frame', encodeFrame(OP.PING, '', { rsv: 4 }), true],
  ['opcode 3', encodeFrame(3, 'x'), true],
  ['opcode 7', encodeFrame(7, 'x'), true],
  ['opcode 11', encodeFrame(11, ''), true],
  ['opcode 15', encodeFrame(15, ''), true],
  ['an unmasked message', encodeFrame(OP.TEXT, '4x', { mask: null }), true],
  ['an unmasked ping', encodeFrame(OP.PING, '', { mask: null }), true],
  ['an unmasked close', encodeFrame(OP.CLOSE, '', { mask: null }), true],
  ['a continuation of nothing', encodeFrame(OP.CONTINUATION, 'x'), true],
  ['a continuation of nothing, not the last', encodeFrame(OP.CONTINUATION, 'x', { fin: false }), true],
  ['a message within a message', Buffer.concat([encodeFrame(OP.TEXT, '4a', { fin: false }), encodeFrame(OP.TEXT, '4b')]), true],
  ['binary within text', Buffer.concat([encodeFrame(OP.TEXT, '4a', { fin: false }), encodeFrame(OP.BINARY, 'b')]), true],
  ['a ping in fragments', encodeFrame(OP.PING, 'x', { fin: false }), true],
  ['a close in fragments', encodeFrame(OP.CLOSE, '', { fin: false }), true],
  ['a ping of 126 bytes', encodeFrame(OP.PING, Buffer.alloc(126)), true],
  ['a close of 126 bytes', encodeFrame(OP.CLOSE, closePayload(1000, 'x'.repeat(124))), true],
  ['a length of 5 in 16 bits', encodeFrame(OP.TEXT, '4xxxx', { form: 16 }), false],
  ['a length of 125 in 16 bits', encodeFrame(OP.TEXT, '4'.repeat(125), { form: 16 }), false],
  ['a length of 5 in 64 bits', encodeFrame(OP.TEXT, '4xxxx', { form: 64 }), false],
  ['a length of 65535 in 64 bits', encodeFrame(OP.TEXT, '4'.repeat(65_535), { form: 64 }), false],
  ['a length with its highest bit', encodeFrame(OP.BINARY, 'x', { announce: 2n ** 63n, form: 64 }), false],
  ['a close payload of one byte', encodeFrame(OP.CLOSE, '\x03'), true],
];

describe('protocol errors', () => {
  for (const [label, bytes, strict] of PROTOCOL_ERRORS) {
    on(`WS04 ${label}: 1002`, async (ws) => {
      ws.wire.write(bytes);
      await ws.closed(1002);
    }, { skip: !strict && oursOnly('is not as strict') });
  }

  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
    on(`WS04 close code ${code}: 1002`, async (ws) => {
      ws.send(OP.CLOSE, closePayload(code));
      await ws.closed(1002);
    });
  }

  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    on(`WS04 close code ${code} is echoed`, async (ws) => {
      ws.send(OP.CLOSE, closePayload(code, 'why — not'));
      await ws.closed(code, { reason: 'why — not' });
    });
  }

  on('WS04 a close without a code is answered by one', async (ws) => {
    ws.send(OP.CLOSE, '');
    await ws.closed(undefined);
  });

  on('WS04 a close of 125 bytes', async (ws) => {
    ws.send(OP.CLOSE, closePayload(1000, 'x'.repeat(123)));
    await ws.closed(1000, { reason: 'x'.repeat(123) });
  });
});

const BAD_TEXTS = [
  ['a lone continuation byte', [0x80]],
  ['an overlong form of two', [0xc0, 0xaf]],
  ['an overlong form of three', [0xe0, 0x80, 0xaf]],
  ['an overlong form of four', [0xf0, 0x80, 0x80, 0xaf]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['0xfe', [0xfe]],
  ['0xff', [0xff]],
  ['a character cut off at the end', [0xe2, 0x82]],
  ['a character cut off by another', [0xe2, 0x82, 0x41]],
];

describe('UTF-8', () => {
  for (const [label, bytes] of BAD_TEXTS) {
    const text = Buffer.from([0x34, ...bytes]);

    on(`WS04 text with ${label}: 1007`, async (ws) => {
      ws.send(OP.TEXT, text);
      await ws.closed(1007);
    });

    on(`WS04 fragments with ${label}: 1007`, async (ws) => {
      const frames = Array.from(text, (byte, i) =>
        encodeFrame(i ? OP.CONTINUATION : OP.TEXT, [byte], { fin: i === text.length - 1 }),
      );
      ws.wire.write(Buffer.concat(frames));
      await ws.closed(1007);
    });

    on(`WS04 a close reason with ${label}: 1007`, async (ws) => {
      ws.send(OP.CLOSE, Buffer.concat([closePayload(1000), Buffer.from(bytes)]));
      await ws.closed(1007);
    });
  }

  on('WS04 binary need not be UTF-8', async (ws) => {
    for (const [, bytes] of BAD_TEXTS) {
      ws.send(OP.BINARY, bytes);
      await ws.binary(bytes);
    }
  });

  on('WS04 characters split between fragments, one byte each', async (ws) => {
    const bytes = Buffer.from('4é€😀\u{10ffff}\ud7ff\ue000');
    const frames = Array.from(bytes, (byte, i) =>
      encodeFrame(i ? OP.CONTINUATION : OP.TEXT, [byte], { fin: i === bytes.length - 1 }),
    );
    ws.wire.write(Buffer.concat(frames));
    await ws.text(bytes.toString());
  });

  on('WS04 bad UTF-8 is found before the message ends', async (ws) => {
    ws.send(OP.TEXT, [0x34, 0xff], { fin: false });
    await ws.closed(1007);
  }, { skip: oursOnly('looks at whole messages') });
});

test('WS04 after all that the server serves', async () => {
  await settle(server);
  const ws = await WebSocketWire.session(server);
  await ws.assertEchoes();
  ws.destroy();
});
