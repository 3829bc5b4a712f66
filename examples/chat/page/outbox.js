// Messages that the server has not confirmed.  They leave one by one, in
// order, and each keeps its id over all attempts: the server answers a second
// arrival like the first and stores it once.  Text outlives a reload of the
// page (sessionStorage); pictures live as long as the page.

const ANSWER_LIMIT = 8000; // ms
const AGAIN_AFTER = 1500; // ms

export class Outbox {
  #socket;
  #key;
  #busy = false;
  #timer = 0;
  items = []; // {cid, room, text, image, at, state: 'sending' | 'waiting' | 'failed'}

  /** `changed(item)` is told of each change; `sent(item, receipt)` of the end. */
  constructor(socket, key, { changed, sent }) {
    this.#socket = socket;
    this.#key = key;
    this.changed = changed;
    this.sent = sent;
    try {
      const kept = JSON.parse(sessionStorage.getItem(key) ?? '[]');
      this.items = kept.map((item) => ({ ...item, image: null, state: 'waiting' }));
    } catch {
      this.items = [];
    }
  }

  add(item) {
    this.items.push({ ...item, state: this.#socket.connected ? 'sending' : 'waiting' });
    this.#keep();
    this.changed(this.items.at(-1));
    this.pump();
  }

  in(room) {
    return this.items.filter((item) => item.room === room);
  }

  /** The connection is gone: what was under way will be tried again. */
  pause() {
    clearTimeout(this.#timer);
    this.#mark('sending', 'waiting');
  }

  /** Sends what waits, if it is possible now. */
  async pump() {
    if (this.#busy) return;
    this.#busy = true;
    clearTimeout(this.#timer);
    try {
      let item;
      while (this.#socket.connected && (item = this.items.find((i) => i.state !== 'failed'))) {
        this.#mark('waiting', 'sending');
        if (!(await this.#send(item))) break;
      }
    } finally {
      this.#busy = false;
    }
  }

  async #send(item) {
    const { cid, room, text, image } = item;
    const head = { id: cid, room, text };
    const args = [head];
    if (image) {
      Object.assign(head, { width: image.width, height: image.height });
      args.push(await image.blob.arrayBuffer());
    }
    let receipt;
    try {
      receipt = await this.#socket.timeout(ANSWER_LIMIT).emitWithAck('message', ...args);
    } catch {
      this.#later();
      return false;
    }
    if (receipt.error && receipt.retry) {
      this.#later();
      return false;
    }
    if (receipt.error) {
      item.state = 'failed';
      item.why = receipt.error;
      this.changed(item);
    } else {
      this.items.splice(this.items.indexOf(item), 1);
      this.sent(item, receipt);
    }
    this.#keep();
    return true;
  }

  #later() {
    this.#mark('sending', 'waiting');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.pump(), AGAIN_AFTER);
  }

  #mark(from, to) {
    for (const item of this.items) {
      if (item.state !== from) continue;
      item.state = to;
      this.changed(item);
    }
  }

  #keep() {
    const texts = this.items
      .filter((item) => item.state !== 'failed' && !item.image)
      .map(({ cid, room, text, at }) => ({ cid, room, text, at }));
    sessionStorage.setItem(this.#key, JSON.stringify(texts));
  }
}
