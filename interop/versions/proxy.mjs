// A wire that can be cut: a TCP proxy in front of a server.

import { connect, createServer } from 'node:net';

/**
 * Listens on a free port of the loopback, as long as the test `t` lives.
 * cut() ends what passes and refuses what comes until mend(); refused() gives
 * a promise for the next that is refused.
 */
export async function startProxy(t, server) {
  const wires = new Set();
  let isCut = false;
  let tellRefused = () => {};

  const keep = (socket) => {
    wires.add(socket);
    socket.on('error', () => {}); // one that is cut
    socket.on('close', () => wires.delete(socket));
  };
  const proxy = createServer((near) => {
    keep(near);
    if (isCut) {
      near.destroy();
      tellRefused();
      return;
    }
    const far = connect(server.port, server.host);
    keep(far);
    near.setNoDelay();
    far.setNoDelay();
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
  t.after(() => {
    proxy.close();
    wires.forEach((socket) => socket.destroy());
  });

  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    cut: () => {
      isCut = true;
      wires.forEach((socket) => socket.destroy());
    },
    mend: () => (isCut = false),
    refused: () => new Promise((done) => (tellRefused = done)),
  };
}
