/** Writing tar archives (POSIX ustar) that are the same, byte for byte, whenever they have the same contents. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';

export type TarEntry =
  | { readonly path: string; readonly type: 'directory'; readonly mode: number }
  | { readonly path: string; readonly type: 'link'; readonly target: string }
  | { readonly path: string; readonly type: 'file'; readonly mode: number; readonly content: Buffer }
  | { readonly path: string; readonly type: 'file'; readonly mode: number; readonly source: string };

const BLOCK_BYTES = 512;
const COPY_BYTES = 1 << 20;
const TYPE_FLAGS = { file: '0', link: '2', directory: '5' } as const;

/** Writes an archive; resolves paths of no kind: they are relative and use `/`. */
export class TarFile {
  readonly #file: number;
  readonly #hash: Hash = createHash('sha256');
  #sizeBytes = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  add(entry: TarEntry): void {
    if (entry.type !== 'file') {
      this.#write(header(entry, 0));
      return;
    }
    const content = 'content' in entry ? entry.content : null;
    const sizeBytes = content?.length ?? statSync((entry as { source: string }).source).size;
    this.#write(header(entry, sizeBytes));
    if (content !== null) this.#write(content);
    else this.#copy((entry as { source: string }).source, sizeBytes);
    this.#write(Buffer.alloc((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES));
  }

  /** Ends the archive. The digest is a SHA-256 in hexadecimal. */
  close(): { digest: string; sizeBytes: number } {
    this.#write(Buffer.alloc(2 * BLOCK_BYTES));
    closeSync(this.#file);
    return { digest: this.#hash.digest('hex'), sizeBytes: this.#sizeBytes };
  }

  #copy(source: string, sizeBytes: number): void {
    if (sizeBytes <= COPY_BYTES) {
      this.#write(exactly(readFileSync(source), sizeBytes, source));
      return;
    }
    const from = openSync(source, 'r');
    const buffer = Buffer.alloc(COPY_BYTES);
    let copied = 0;
    for (let read = readSync(from, buffer); read > 0; read = readSync(from, buffer)) {
      this.#write(buffer.subarray(0, read));
      copied += read;
    }
    closeSync(from);
    if (copied !== sizeBytes) throw new Error(`${source} changed while it was read`);
  }

  #write(bytes: Buffer): void {
    for (let written = 0; written < bytes.length; ) written += writeSync(this.#file, bytes, written);
    this.#hash.update(bytes);
    this.#sizeBytes += bytes.length;
  }
}

function exactly(bytes: Buffer, sizeBytes: number, source: string): Buffer {
  if (bytes.length !== sizeBytes) throw new Error(`${source} changed while it was read`);
  return bytes;
}

function header(entry: TarEntry, sizeBytes: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const text = (value: string, offset: number): number => block.write(value, offset, 'utf8');
  const octal = (value: number, offset: number, digits: number): number =>
    block.write(value.toString(8).padStart(digits, '0'), offset, 'latin1');
  const { name, prefix } = splitPath(entry.type === 'directory' ? `${entry.path}/` : entry.path);
  text(name, 0);
  octal(entry.type === 'link' ? 0o777 : entry.mode, 100, 7);
  octal(0, 108, 7); // owner: root
  octal(0, 116, 7);
  octal(sizeBytes, 124, 11);
  octal(0, 136, 11); // time: 1970
  text(' '.repeat(8), 148); // the checksum counts itself as blanks
  text(TYPE_FLAGS[entry.type], 156);
  if (entry.type === 'link') text(entry.target, 157);
  text('ustar\x0000', 257);
  text(prefix, 345);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  block.write('\0 ', 154, 'latin1');
  return block;
}

/** A path of up to 100 bytes, or one of up to 155 before a slash and up to 100 after it. */
function splitPath(path: string): { name: string; prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' };
  const slash = path.indexOf('/', path.length - 101);
  const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)];
  if (slash === -1 || Buffer.byteLength(prefix) > 155 || name === '')
    throw new Error(`path too long for tar: ${path}`);
  return { name, prefix };
}
