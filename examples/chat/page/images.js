// Pictures on their way in: picked, pasted or dropped, made small enough.

const LIMIT = 1_000_000; // bytes; the server's limit
const SIDE = 4096; // pixels; larger ones are scaled
const SCALED_SIDE = 1600;
const AS_IT_IS = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

async function scaled(bitmap) {
  const factor = Math.min(1, SCALED_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * factor));
  canvas.height = Math.max(1, Math.round(bitmap.height * factor));
  canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  for (const quality of [0.88, 0.7, 0.5]) {
    const blob = await new Promise((done) => canvas.toBlob(done, 'image/jpeg', quality));
    if (blob && blob.size <= LIMIT) return { blob, width: canvas.width, height: canvas.height };
  }
  throw new Error('The picture is too large.');
}

/** Gives {blob, width, height}; throws what can be shown to people. */
export async function prepare(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error('That is not a picture this browser can read.');
  }
  try {
    const { width, height } = bitmap;
    if (AS_IT_IS.includes(file.type) && file.size <= LIMIT && Math.max(width, height) <= SIDE) {
      return { blob: file, width, height };
    }
    return await scaled(bitmap);
  } finally {
    bitmap.close();
  }
}

const firstPicture = (list) => Array.from(list ?? []).find((f) => f.type.startsWith('image/'));

/** Calls `take` with a file from the picker, the clipboard or a drop on
 *  `area`; `cover` is shown while something hangs over it. */
export function watchForPictures({ area, cover, button, input, take }) {
  button.addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const file = firstPicture(input.files);
    if (file) take(file);
    input.value = '';
  });

  document.addEventListener('paste', (e) => {
    const file = firstPicture(e.clipboardData?.files);
    if (!file) return;
    e.preventDefault();
    take(file);
  });

  let depth = 0; // enter and leave also fire for the children
  const hasFiles = (e) => e.dataTransfer?.types.includes('Files');
  const show = (on) => {
    if (!on) depth = 0;
    cover.hidden = !on;
  };
  area.addEventListener('dragenter', (e) => {
    if (!hasFiles(e)) return;
    e.preventDefault();
    depth++;
    show(true);
  });
  area.addEventListener('dragleave', (e) => {
    if (hasFiles(e) && --depth <= 0) show(false);
  });
  document.addEventListener('dragover', (e) => {
    if (hasFiles(e)) e.preventDefault();
  });
  document.addEventListener('drop', (e) => {
    if (!hasFiles(e)) return;
    e.preventDefault();
    show(false);
    const file = firstPicture(e.dataTransfer.files);
    if (file) take(file);
  });
}
