// The list of messages.  It keeps one element per message and lays them out
// anew whenever the list changes: days, groups of one author, notices.

import { dayKey, dayName, isOnlyEmoji, linked, longTimeOf, paint, timeOf } from './text.js';

const GROUP_GAP = 5 * 60_000; // ms without a word that end a group
const PICTURE_WIDTH = 360; // px at most in the list
const PICTURE_HEIGHT = 400;
const AGAIN_AFTER = 3000; // ms until a picture that did not come is asked for again
const NEAR = 80; // px from the end that count as being at the end

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function symbol(name) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  const use = document.createElementNS(ns, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

const META = {
  sent: ['sent', (item) => timeOf(item.at)],
  sending: ['wait', () => 'Sending…'],
  waiting: ['wait', () => 'Not sent yet'],
  failed: ['failed', (item) => item.why ?? 'Not sent'],
};

/** Messages are {id, cid, user, name, text, at, state, image}; `id` is null
 *  until the server has them; notices are {notice, at}. */
export class MessageList {
  #nodes = new Map(); // key → element
  #scroll;
  #list;
  #fetch;
  #open;
  #eye;
  me = 0;
  items = [];

  /** `fetch(id)` gives a promise of a blob URL; `open(url)` shows one large. */
  constructor({ scroll, list, fetch, open, moved }) {
    this.#scroll = scroll;
    this.#list = list;
    this.#fetch = fetch;
    this.#open = open;
    this.#eye = new IntersectionObserver((seen) => this.#see(seen), { root: scroll, rootMargin: '300px' });
    scroll.addEventListener('scroll', () => moved(this.atEnd), { passive: true });
    // Pictures and the keyboard change heights; who was at the end stays there.
    let pinned = true;
    scroll.addEventListener('scroll', () => (pinned = this.atEnd), { passive: true });
    const keep = new ResizeObserver(() => pinned && this.toEnd());
    keep.observe(list);
    keep.observe(scroll);
  }

  get atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
    return scrollHeight - scrollTop - clientHeight < NEAR;
  }

  toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  /** Replaces all that is shown. */
  reset(items) {
    this.items = items;
    this.#eye.disconnect();
    this.#nodes.clear();
    this.#list.replaceChildren();
    this.layout();
    this.toEnd();
  }

  prepend(items) {
    const before = this.#scroll.scrollHeight - this.#scroll.scrollTop;
    this.items = [...items, ...this.items];
    this.layout();
    this.#scroll.scrollTop = this.#scroll.scrollHeight - before;
  }

  /** Adds a message or a notice, behind those before it and ahead of unsent
   *  ones.  A message that is known already changes nothing. */
  add(item) {
    if (!item.notice && this.find(item.cid, item.user)) return false;
    const wasAtEnd = this.atEnd;
    const unsent = this.items.findIndex((i) => i.state && i.state !== 'sent');
    const at = item.state === 'sent' || item.notice ? unsent : -1;
    this.items.splice(at < 0 ? this.items.length : at, 0, item);
    this.layout();
    if (!item.notice) this.#nodes.get(this.#key(item)).classList.add('arrive');
    if (wasAtEnd || item.user === this.me) this.toEnd();
    return true;
  }

  find(cid, user) {
    return this.items.find((i) => i.cid === cid && i.user === user);
  }

  rename(user, name) {
    for (const item of this.items) {
      if (item.user === user) item.name = name;
    }
    this.layout();
  }

  layout() {
    let last = null;
    let place = null; // the element before the next one
    const put = (node) => {
      const next = place ? place.nextSibling : this.#list.firstChild;
      if (node !== next) this.#list.insertBefore(node, next);
      place = node;
    };
    const kept = new Set();
    for (const [index, item] of this.items.entries()) {
      const day = dayKey(item.at);
      if (day !== last?.day) {
        put(this.#node(`day ${day}`, kept, () => make('li', { class: 'day' }, dayName(item.at))));
        last = { day };
      }
      const node = this.#node(this.#key(item), kept, () => this.#build(item));
      if (!item.notice) {
        const joins = last.user === item.user && item.at - last.at < GROUP_GAP;
        node.classList.toggle('first', !joins);
        node.classList.toggle('last', !this.#continues(item, this.items[index + 1]));
        this.#update(node, item);
        last = { day, user: item.user, at: item.at };
      } else {
        last = { day };
      }
      put(node);
    }
    for (const [key, node] of this.#nodes) {
      if (kept.has(key)) continue;
      node.remove();
      this.#nodes.delete(key);
    }
  }

  #continues(item, next) {
    return Boolean(next) && !next.notice && next.user === item.user && next.at - item.at < GROUP_GAP &&
      dayKey(next.at) === dayKey(item.at);
  }

  #key(item) {
    return item.notice ? `notice ${item.key}` : `${item.user} ${item.cid}`;
  }

  #node(key, kept, build) {
    kept.add(key);
    if (!this.#nodes.has(key)) this.#nodes.set(key, build());
    return this.#nodes.get(key);
  }

  #build(item) {
    if (item.notice) return make('li', { class: 'notice' }, make('bdi', {}, item.notice));
    const bubble = make('div', { class: 'bubble' });
    if (item.image) bubble.append(this.#picture(item));
    if (item.text) {
      const p = make('p', { dir: 'auto' }, linked(item.text));
      p.classList.toggle('large', !item.image && isOnlyEmoji(item.text));
      bubble.append(p);
    }
    return make(
      'li',
      { class: item.user === this.me ? 'msg mine' : 'msg' },
      make('span', { class: 'avatar', 'aria-hidden': 'true' }),
      make('div', { class: 'who' }, make('b', { dir: 'auto' }), make('time')),
      bubble,
      make('div', { class: 'meta' }),
    );
  }

  #update(node, item) {
    paint(node.querySelector('.avatar'), item.user, item.name);
    node.querySelector('.who b').textContent = item.name;
    node.querySelector('.who time').textContent = timeOf(item.at);
    node.querySelector('.bubble').title = longTimeOf(item.at);
    node.dataset.id = item.id ?? '';
    if (node.dataset.state === item.state) return;
    node.dataset.state = item.state;
    const [icon, words] = META[item.state];
    node.querySelector('.meta').replaceChildren(make('span', {}, words(item)), symbol(icon));
  }

  #picture(item) {
    const { width, height, url } = item.image;
    const figure = make('figure', { class: 'loading' });
    const shown = width * Math.min(1, PICTURE_WIDTH / width, PICTURE_HEIGHT / height);
    figure.style.width = `${Math.max(shown, 72)}px`;
    figure.style.setProperty('--ratio', `${width} / ${Math.min(height, width * 4)}`);
    if (url) {
      this.#show(figure, item, url);
    } else {
      figure.dataset.wants = String(item.id);
      this.#eye.observe(figure);
    }
    return figure;
  }

  #show(figure, item, url) {
    const button = make('button', { type: 'button', 'aria-label': `Picture by ${item.name}, show it large` });
    button.append(make('img', { src: url, alt: '' }));
    button.addEventListener('click', () => this.#open(url));
    figure.classList.remove('loading');
    figure.replaceChildren(button);
  }

  #see(seen) {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      this.#eye.unobserve(target);
      const item = this.items.find((i) => String(i.id) === target.dataset.wants);
      if (item) this.#load(target, item);
    }
  }

  async #load(figure, item) {
    try {
      item.image.url = await this.#fetch(item.id);
      this.#show(figure, item, item.image.url);
    } catch {
      setTimeout(() => figure.isConnected && this.#eye.observe(figure), AGAIN_AFTER);
    }
  }
}
