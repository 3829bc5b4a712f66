// A client that behaves, on a thread of its own, so that what the test does
// meanwhile does not delay it: says something, waits for the echo, and says
// how long that took, in ms, when it is asked.

import { parentPort, workerData } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketWire, now } from './raw.mjs';

const ws = await WebSocketWire.session(workerData.server);
const times = [];
let asked = false;
parentPort.once('message', () => (asked = true));
parentPort.postMessage('ready');
while (!asked) {
  const start = now();
  await ws.assertEchoes(`4${times.length}`);
  times.push(now() - start);
  await sleep(5);
}
ws.destroy();
parentPort.postMessage(times);
