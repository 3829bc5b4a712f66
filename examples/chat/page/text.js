// Words, colours and times: pure functions, no page, no connection.

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;
const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u200d\ufe0f]*\s*){1,3}$/u;

/** Text with its links as nodes; what people write never becomes markup. */
export function linked(text) {
  const out = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    out.append(text.slice(from, match.index));
    const a = document.createElement('a');
    a.href = match[0];
    a.textContent = match[0];
    a.target = '_blank';
    a.rel = 'noopener noreferrer';
    out.append(a);
    from = match.index + match[0].length;
  }
  out.append(text.slice(from));
  return out;
}

export function isOnlyEmoji(text) {
  return ONLY_EMOJI.test(text);
}

export function initials(name) {
  const words = name.trim().split(/\s+/);
  const first = [...(words[0] ?? '')][0] ?? '?';
  const last = words.length > 1 ? [...words.at(-1)][0] : '';
  return (first + last).toUpperCase();
}

/** Neighbouring user numbers get hues far apart: turns of the golden angle. */
export function paint(avatar, user, name) {
  avatar.style.setProperty('--hue', String(Math.round((user * 137.508 + 20) % 360)));
  avatar.textContent = initials(name);
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const fullDay = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });

export const timeOf = (at) => clock.format(at);
export const longTimeOf = (at) => fullTime.format(at);
export const dayKey = (at) => new Date(at).toDateString();

export function dayName(at) {
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (dayKey(at) === dayKey(Date.now())) return 'Today';
  if (dayKey(at) === dayKey(yesterday)) return 'Yesterday';
  return fullDay.format(at);
}

export function plural(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}

export function typingLine(names) {
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
  return `${names[0]} and ${names.length - 1} others are typing…`;
}

const FIRST = ['Amber', 'Brisk', 'Calm', 'Clever', 'Gentle', 'Keen', 'Merry', 'Quiet', 'Swift', 'Witty'];
const SECOND = ['Badger', 'Falcon', 'Fox', 'Heron', 'Lynx', 'Marten', 'Otter', 'Robin', 'Sparrow', 'Wren'];
const anyOf = (list) => list[Math.floor(Math.random() * list.length)];

export const suggestName = () => `${anyOf(FIRST)} ${anyOf(SECOND)}`;

/** 128 random bits; crypto.randomUUID() would need a secure context. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}
