// Ties the page to the server: one socket, one open room.

import { prepare, watchForPictures } from './images.js';
import { Outbox } from './outbox.js';
import { paint, plural, randomId, suggestName, typingLine } from './text.js';
import { make, MessageList } from './view.js';

const TYPING_EVERY = 2000; // ms between two reports of our own typing
const TYPING_LASTS = 5000; // ms after which others have stopped
const ANSWER_LIMIT = 8000; // ms

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);

// ------------------------------------------------------------- who we are --

// A name in the address is a person of its own, so that two tabs can talk.
const asked = query.get('name')?.trim();
const slot = asked ? `chat:${asked}:` : 'chat:';
const stored = (key, otherwise) => localStorage.getItem(slot + key) ?? otherwise;
const store = (key, value) => localStorage.setItem(slot + key, value);

const self = {
  id: 0, // as others know us; given by the server
  token: stored('token', '') || randomId(), // proves that we are who we were
  name: stored('name', '') || asked || '',
};
store('token', self.token);

const read = JSON.parse(stored('read', '{}')); // room → last message seen
const rooms = new Map(); // name → {room, people, last}
let people = new Map(); // id → name, of the open room
let typing = new Map(); // id → {name, timer}
let current = query.get('room') || stored('room', 'lobby');
let opened = null; // the room the server has us in
let more = false; // whether earlier messages exist

// ------------------------------------------------------------- connection --

const transports = ['polling', 'websocket'].includes(query.get('transports'))
  ? [query.get('transports')]
  : ['polling', 'websocket'];

const socket = io({
  transports,
  autoConnect: false,
  reconnectionDelay: 400,
  reconnectionDelayMax: 3000,
  auth: (done) => done({ token: self.token, name: self.name }),
});

/** Asks the server; the promise fails with words for people. */
async function ask(event, ...args) {
  let answer;
  try {
    answer = await socket.timeout(ANSWER_LIMIT).emitWithAck(event, ...args);
  } catch {
    throw new Error('The server did not answer.');
  }
  if (answer?.error) throw new Error(answer.error);
  return answer;
}

function showStatus(state) {
  const transport = state === 'online' ? socket.io.engine.transport.name : '';
  const via = { websocket: 'WebSocket', polling: 'polling' }[transport];
  $('status').dataset.state = state;
  $('status').dataset.transport = transport;
  const words = { connecting: 'connecting…', reconnecting: 'reconnecting…', offline: 'offline' };
  $('status-text').replaceChildren(...(via ? ['online', make('span', { class: 'via' }, ` · ${via}`)] : [words[state]]));
}

socket.io.on('open', () => {
  socket.io.engine.on('upgrade', () => socket.connected && showStatus('online'));
});

socket.on('disconnect', (reason) => {
  opened = null;
  outbox.pause();
  showStatus('reconnecting');
  // The client takes a goodbye from the server as final; we come back.
  if (reason === 'io server disconnect') setTimeout(() => socket.connect(), 1000);
});

socket.on('connect_error', (err) => {
  if (socket.active) return showStatus($('status').dataset.state === 'connecting' ? 'connecting' : 'reconnecting');
  showStatus('offline');
  if (err.data?.field === 'name') return askName(err.message);
  hint(err.message);
  setTimeout(() => socket.connect(), 5000);
});

socket.on('welcome', async (welcome) => {
  self.id = welcome.user;
  setName(welcome.name);
  messages.me = self.id;
  rooms.clear();
  for (const room of welcome.rooms) {
    rooms.set(room.room, room);
    read[room.room] ??= room.last;
  }
  showStatus('online');
  await openRoom(current);
  outbox.pump();
});

// ------------------------------------------------------------------ rooms --

function showRooms() {
  const list = [...rooms.values()].sort(
    (a, b) => (b.room === 'lobby') - (a.room === 'lobby') || a.room.localeCompare(b.room),
  );
  if (!rooms.has(current)) list.unshift({ room: current, people: 0, last: 0 });
  const focused = document.activeElement?.dataset?.room;
  $('rooms').replaceChildren(
    ...list.map(({ room, people: here, last }) => {
      const button = make('button', { type: 'button', 'data-room': room });
      button.append(make('span', { class: 'name', dir: 'auto' }, room));
      button.append(make('span', { class: 'count' }, here ? String(here) : ''));
      if (here) button.lastChild.title = plural(here, 'person', 'people');
      if (room === current) button.setAttribute('aria-current', 'true');
      button.classList.toggle('unread', room !== current && last > (read[room] ?? 0));
      button.addEventListener('click', () => openRoom(room));
      return make('li', {}, button);
    }),
  );
  if (focused) $('rooms').querySelector(`[data-room="${CSS.escape(focused)}"]`)?.focus();
}

function markRead() {
  const last = Math.max(read[current] ?? 0, ...messages.items.map((i) => i.id ?? 0));
  if (last === read[current] && rooms.get(current)?.last <= last) return;
  read[current] = last;
  store('read', JSON.stringify(read));
}

function messageFrom(head, data) {
  const message = { ...head, state: 'sent' };
  if (!message.image) return message;
  const url = pictures.get(message.id);
  message.image = { ...message.image, url: data ? keepPicture(message.id, message.image.type, data) : url };
  return message;
}

async function openRoom(room) {
  const before = current;
  closeDrawers();
  if (room !== before) {
    stopTyping();
    hint('');
  }
  current = room;
  showRoom();
  if (!socket.connected) return;
  let answer;
  try {
    answer = await ask('open', room);
  } catch (err) {
    if (current !== room || !socket.connected) return;
    hint(err.message);
    if (room !== 'lobby') openRoom(before === room ? 'lobby' : before);
    return;
  }
  if (current !== room) return;
  opened = room;
  store('room', room);
  more = answer.more;
  people = new Map(answer.people.map(({ user, name }) => [user, name]));
  dropTyping();
  const history = answer.messages.map(({ data, ...head }) => messageFrom(head, data));
  messages.reset(withUnsent(history, room));
  markRead();
  showRoom();
  showPeople(answer.count);
}

/** Behind what the server has, what it does not have yet. */
function withUnsent(history, room) {
  const unsent = outbox.in(room).filter((item) => !history.some((m) => m.cid === item.cid && m.user === self.id));
  return [...history, ...unsent.map(unsentMessage)];
}

function showRoom() {
  const there = opened === current;
  $('room-name').textContent = current;
  document.title = `${current} · Chat`;
  $('main').setAttribute('aria-busy', String(!there));
  $('older').hidden = !there || !more;
  $('empty').hidden = !there || messages.items.some((i) => !i.notice);
  $('text').placeholder = `Message ${current}`;
  showRooms();
}

$('older').addEventListener('click', async () => {
  const first = messages.items.find((i) => i.id);
  if (!first) return;
  try {
    const room = current;
    const answer = await ask('history', room, first.id);
    if (room !== opened) return;
    more = answer.more;
    messages.prepend(answer.messages.map(({ data, ...head }) => messageFrom(head, data)));
    showRoom();
  } catch (err) {
    hint(err.message);
  }
});

$('new-room').addEventListener('submit', (e) => {
  e.preventDefault();
  const room = $('new-room-name').value.trim().replace(/\s+/g, ' ');
  $('new-room-name').value = '';
  if (room) openRoom(room).then(() => $('text').focus());
});

socket.on('room', (change) => {
  if (change.gone) rooms.delete(change.room);
  else rooms.set(change.room, change);
  if (change.room === opened) showPeople(change.people);
  showRooms();
});

// ----------------------------------------------------------------- people --

function showPeople(count) {
  const list = [...people].sort(([a, an], [b, bn]) => (b === self.id) - (a === self.id) || an.localeCompare(bn));
  $('people-count').textContent = String(count ?? list.length);
  $('room-people').textContent = count > 1 ? `${count} people here` : 'Just you, for now';
  $('people-list').replaceChildren(
    ...list.map(([id, name]) => {
      const avatar = make('span', { class: 'avatar', 'aria-hidden': 'true' });
      paint(avatar, id, name);
      const item = make('li', {}, avatar, make('span', { class: 'name', dir: 'auto' }, name));
      if (id === self.id) item.append(make('small', {}, 'you'));
      return item;
    }),
  );
}

let notices = 0;
function notice(words) {
  if (messages.items.at(-1)?.notice) messages.items.pop();
  messages.add({ notice: words, key: ++notices, at: Date.now() });
}

socket.on('joined', ({ room, user, name }) => {
  if (room !== opened) return;
  people.set(user, name);
  showPeople(people.size);
  notice(`${name} joined`);
});

socket.on('left', ({ room, user, name }) => {
  if (room !== opened) return;
  people.delete(user);
  forgetTyping(user);
  showPeople(people.size);
  notice(`${name} left`);
});

socket.on('renamed', ({ user, name }) => {
  if (user === self.id) setName(name);
  if (people.has(user)) people.set(user, name);
  messages.rename(user, name);
  showPeople(people.size);
});

// --------------------------------------------------------------- messages --

const pictures = new Map(); // message id → blob URL

function keepPicture(id, type, data) {
  if (!pictures.has(id)) pictures.set(id, URL.createObjectURL(new Blob([data], { type })));
  return pictures.get(id);
}

async function fetchPicture(id) {
  if (!pictures.has(id)) {
    const { type, data } = await ask('image', id);
    keepPicture(id, type, data);
  }
  return pictures.get(id);
}

const messages = new MessageList({
  scroll: $('scroll'),
  list: $('messages'),
  fetch: fetchPicture,
  open: (url) => {
    $('viewer').querySelector('img').src = url;
    $('viewer').showModal();
  },
  moved: (atEnd) => {
    if (atEnd) $('latest').hidden = true;
  },
});

const unsentMessage = (item) => ({
  ...item,
  id: null,
  user: self.id,
  name: self.name,
  image: item.image && { width: item.image.width, height: item.image.height, url: item.image.url },
});

const outbox = new Outbox(socket, `${slot}outbox`, {
  changed: (item) => {
    if (item.room !== current) return;
    const shown = messages.find(item.cid, self.id);
    if (shown?.state === 'sent') return;
    if (shown) Object.assign(shown, { state: item.state, why: item.why });
    else messages.add(unsentMessage(item));
    messages.layout();
    $('empty').hidden = true;
  },
  sent: (item, { id, at }) => {
    if (item.image) pictures.set(id, item.image.url);
    const shown = item.room === current && messages.find(item.cid, self.id);
    if (!shown) return;
    Object.assign(shown, { id, at, state: 'sent' });
    messages.items.sort((a, b) => (a.id && b.id ? a.id - b.id : 0));
    messages.layout();
    markRead();
  },
});

socket.on('message', (head, data) => {
  forgetTyping(head.user);
  if (head.room !== opened) return;
  if (!messages.add(messageFrom(head, data))) return;
  $('empty').hidden = true;
  $('latest').hidden = messages.atEnd;
  markRead();
});

$('latest').addEventListener('click', () => messages.toEnd());
$('viewer').addEventListener('click', () => $('viewer').close());

// --------------------------------------------------------------- composer --

let draft = null; // a prepared picture: {blob, width, height, url}

function hint(words) {
  $('hint').textContent = words;
}

function showDraft(picture) {
  draft = picture;
  $('preview').hidden = !picture;
  if (picture) {
    $('preview').querySelector('img').src = picture.url;
    const kb = Math.max(1, Math.round(picture.blob.size / 1024));
    $('preview-text').textContent = `${picture.width} × ${picture.height}, ${kb} kB`;
  }
  showComposer();
}

function showComposer() {
  const area = $('text');
  $('send').disabled = !draft && area.value.trim() === '';
  if (CSS.supports('field-sizing', 'content')) return;
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight}px`;
}

function send() {
  const text = $('text').value.trim();
  if (!text && !draft) return;
  outbox.add({ cid: randomId(), room: current, text, image: draft, at: Date.now() });
  $('text').value = '';
  hint('');
  showDraft(null);
  stopTyping();
  $('text').focus();
}

$('composer').addEventListener('submit', (e) => {
  e.preventDefault();
  send();
});

$('text').addEventListener('keydown', (e) => {
  if (e.key !== 'Enter' || e.shiftKey || e.isComposing) return;
  e.preventDefault();
  send();
});

$('text').addEventListener('input', () => {
  showComposer();
  if ($('text').value.trim()) reportTyping();
  else stopTyping();
});

$('preview-remove').addEventListener('click', () => {
  showDraft(null);
  $('text').focus();
});

watchForPictures({
  area: $('main'),
  cover: $('drop'),
  button: $('pick'),
  input: $('file'),
  take: async (file) => {
    try {
      const picture = await prepare(file);
      showDraft({ ...picture, url: URL.createObjectURL(picture.blob) });
      hint('');
      $('text').focus();
    } catch (err) {
      hint(err.message);
    }
  },
});

// ----------------------------------------------------------------- typing --

let reported = 0; // when we last said that we type; 0: we do not

function reportTyping() {
  if (!opened || Date.now() - reported < TYPING_EVERY) return;
  reported = Date.now();
  socket.volatile.emit('typing', true);
}

function stopTyping() {
  if (reported && opened) socket.volatile.emit('typing', false);
  reported = 0;
}

function showTyping() {
  const names = [...typing.values()].map(({ name }) => name);
  $('typing').replaceChildren();
  if (names.length === 0) return;
  const dots = make('span', { class: 'dots', 'aria-hidden': 'true' }, make('i'), make('i'), make('i'));
  $('typing').append(dots, make('span', {}, typingLine(names)));
}

function forgetTyping(user) {
  clearTimeout(typing.get(user)?.timer);
  if (typing.delete(user)) showTyping();
}

function dropTyping() {
  for (const { timer } of typing.values()) clearTimeout(timer);
  typing = new Map();
  showTyping();
}

socket.on('typing', (user, on) => {
  forgetTyping(user);
  if (!on || !people.has(user) || user === self.id) return;
  typing.set(user, { name: people.get(user), timer: setTimeout(() => forgetTyping(user), TYPING_LASTS) });
  showTyping();
});

// ------------------------------------------------------------------- name --

function setName(name) {
  self.name = name;
  store('name', name);
  $('me-name').textContent = name;
  paint($('me-avatar'), self.id, name);
}

function askName(problem = '') {
  $('name').value = self.name || suggestName();
  $('name-error').textContent = problem;
  paint($('name-avatar'), self.id, $('name').value);
  if (!$('name-dialog').open) $('name-dialog').showModal();
  $('name').select();
}

$('name').addEventListener('input', () => paint($('name-avatar'), self.id, $('name').value));

$('name-form').addEventListener('submit', async (e) => {
  e.preventDefault();
  const name = $('name').value.trim().replace(/\s+/g, ' ');
  if (!name) return;
  try {
    if (socket.connected) {
      await ask('rename', name);
      messages.rename(self.id, name);
      people.set(self.id, name);
    }
    setName(name);
    showPeople(people.size);
    if (!socket.connected) socket.connect();
    $('name-dialog').close();
    $('text').focus();
  } catch (err) {
    $('name-error').textContent = err.message;
  }
});

$('name-dialog').addEventListener('cancel', (e) => {
  if (!socket.connected) e.preventDefault(); // without a name there is no chat
});

$('me').addEventListener('click', () => {
  closeDrawers();
  askName();
});

// ---------------------------------------------------------------- drawers --

function openDrawer(drawer, first) {
  drawer.classList.add('open');
  first.focus();
}

function closeDrawers() {
  $('sidebar').classList.remove('open');
  $('people').classList.remove('open');
}

$('open-sidebar').addEventListener('click', () => openDrawer($('sidebar'), $('close-sidebar')));
$('open-people').addEventListener('click', () => openDrawer($('people'), $('close-people')));
for (const [button, back] of [['close-sidebar', 'open-sidebar'], ['close-people', 'open-people']]) {
  $(button).addEventListener('click', () => {
    closeDrawers();
    $(back).focus();
  });
}
$('shade').addEventListener('click', closeDrawers);
document.addEventListener('keydown', (e) => {
  if (e.key === 'Escape') closeDrawers();
});

// ------------------------------------------------------------------ start --

showRoom();
if (self.name) {
  setName(self.name);
  socket.connect();
} else {
  askName();
}
