import { FIELD_VALUE, TOKEN } from './characters.ts';
import { type HeadLimits, type MessageHead, PHASE, type ScanStatus, STRIDE } from './head.ts';
import { recognise } from './known.ts';

const HTAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const COLON = 0x3a;

/**
 * Scans field lines up to and with the empty line that ends them (RFC 9112 §5). The loop keeps its state in local
 * variables and writes it to `head` only when the bytes run out, so that every byte is looked at once however the
 * head arrives in pieces.
 *
 * @param base where the head begins in `buffer`
 * @param end where the bytes end
 */
export function scanFields(
  head: MessageHead,
  buffer: Uint8Array,
  base: number,
  end: number,
  limits: HeadLimits,
): ScanStatus {
  let position = base + head.position;
  let nameStart = base + head.nameStart;
  let nameEnd = base + head.nameEnd;
  let valueStart = base + head.valueStart;
  let phase = head.phase;

  while (position < end) {
    switch (phase) {
      case PHASE.fieldStart: {
        const byte = buffer[position]!;
        if (byte === CR) {
          position++;
          phase = PHASE.endLineFeed;
          break;
        }
        if (byte === LF) return head.fail('BARE_LF');
        if (byte === SP || byte === HTAB) return head.fail('LINE_FOLDING');
        if (byte === COLON) return head.fail('FIELD_NAME_EMPTY');
        if (head.fieldCount === limits.maxFields) return head.fail('TOO_MANY_FIELDS');
        nameStart = position;
        phase = PHASE.name;
        break;
      }
      case PHASE.name: {
        while (position < end && TOKEN[buffer[position]!] === 1) position++;
        if (position === end) break;
        const byte = buffer[position]!;
        if (byte !== COLON) return head.fail(nameError(byte));
        nameEnd = position++;
        phase = PHASE.space;
        break;
      }
      case PHASE.space: {
        while (position < end && isSpace(buffer[position]!)) position++;
        if (position === end) break;
        valueStart = position;
        phase = PHASE.value;
        break;
      }
      case PHASE.value: {
        while (position < end && FIELD_VALUE[buffer[position]!] === 1) position++;
        if (position === end) break;
        const byte = buffer[position]!;
        if (byte !== CR) return head.fail(byte === LF ? 'BARE_LF' : 'FIELD_VALUE');
        position++;
        phase = PHASE.valueLineFeed;
        break;
      }
      case PHASE.valueLineFeed: {
        if (buffer[position] !== LF) return head.fail('BARE_CR');
        let valueEnd = position - 1;
        while (valueEnd > valueStart && isSpace(buffer[valueEnd - 1]!)) valueEnd--;
        position++;
        const known = recognise(buffer, nameStart, nameEnd);
        const at = head.fieldCount * STRIDE;
        if (at === head.fields.length) head.grow();
        const fields = head.fields;
        fields[at] = nameStart - base;
        fields[at + 1] = nameEnd - base;
        fields[at + 2] = valueStart - base;
        fields[at + 3] = valueEnd - base;
        fields[at + 4] = known;
        head.fieldCount++;
        if (known !== 0) note(head, known);
        phase = PHASE.fieldStart;
        break;
      }
      default: {
        // PHASE.endLineFeed
        if (buffer[position] !== LF) return head.fail('BARE_CR');
        head.phase = PHASE.done;
        head.byteLength = position + 1 - base;
        return 'complete';
      }
    }
  }

  head.position = position - base;
  head.nameStart = nameStart - base;
  head.nameEnd = nameEnd - base;
  head.valueStart = valueStart - base;
  head.phase = phase;
  return 'incomplete';
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB;
}

function nameError(byte: number): 'SPACE_BEFORE_COLON' | 'BARE_LF' | 'FIELD_NAME' {
  if (byte === SP || byte === HTAB) return 'SPACE_BEFORE_COLON';
  return byte === LF ? 'BARE_LF' : 'FIELD_NAME';
}

function note(head: MessageHead, known: number): void {
  if (known < 31) {
    const bit = 1 << known;
    head.repeatedLow |= head.presentLow & bit;
    head.presentLow |= bit;
  } else {
    const bit = 1 << (known - 31);
    head.repeatedHigh |= head.presentHigh & bit;
    head.presentHigh |= bit;
  }
}
