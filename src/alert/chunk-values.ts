/**
 * The values of a chunk, by whichever of four ways is the shortest. Decimals become whole numbers by one power
 * of ten, and of these the change is written, or the change of the change (counters, clocks); what stays the same
 * is written once, with how often. Sizes that differ too much for that have their digits written (chunk-digits);
 * what is no decimal is compared with the value before it, byte by byte.
 */
import { type ByteReader, ByteWriter, signedOf } from "./chunk-bytes.js";
import { readDigits, writeDigits } from "./chunk-digits.js";

/** How values are written; the numbers stand in the data. */
export const VALUE_MODES = { delta: 0, deltaOfDelta: 1, digits: 2, bytes: 3 } as const;

/** Exact as doubles, which `10 ** n` need not be. */
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/** What a value costs in chunk-digits: not tried where changes cost less. */
const BYTES_BY_DIGITS = 3;
/** So that a change of changes, twice as long for its sign, is still a whole number. */
const WHOLE_MAX = 2 ** 50;

interface Written {
  readonly mode: number;
  readonly bytes: ByteWriter;
}

export function writeValues(values: Float64Array): Written {
  const wholes = wholesOf(values);
  const decimals = wholes === null ? null : shorter(...writeBothWays(wholes));
  if (decimals !== null && decimals.bytes.length <= BYTES_BY_DIGITS * values.length) {
    return decimals;
  }
  const digits = writeDigits(values);
  if (digits !== null) return { mode: VALUE_MODES.digits, bytes: digits };
  const bytes = { mode: VALUE_MODES.bytes, bytes: writeBytes(values) };
  return decimals === null ? bytes : shorter(decimals, bytes);
}

function writeBothWays(wholes: Wholes): [Written, Written] {
  return [
    { mode: VALUE_MODES.delta, bytes: writeWholes(wholes, false) },
    { mode: VALUE_MODES.deltaOfDelta, bytes: writeWholes(wholes, true) },
  ];
}

function shorter(one: Written, other: Written): Written {
  return one.bytes.length <= other.bytes.length ? one : other;
}

/** Fills `values` from `place` on. False when the data cannot have been written by `writeValues`. */
export function readValues(
  reader: ByteReader,
  mode: number,
  count: number,
  values: Float64Array,
  place: number,
): boolean {
  if (mode === VALUE_MODES.digits) return readDigits(reader, count, values, place);
  if (mode === VALUE_MODES.bytes) return readBytes(reader, count, values, place);
  return readWholes(reader, mode === VALUE_MODES.deltaOfDelta, count, values, place);
}

interface Wholes {
  readonly exponent: number;
  readonly numbers: Float64Array;
}

/** Null when some value is no decimal of at most 15 places, or too large for one exponent. */
function wholesOf(values: Float64Array): Wholes | null {
  let exponent = 0;
  for (const value of values) {
    while (!isWhole(value, exponent)) {
      exponent += 1;
      if (exponent === POWERS.length) return null;
    }
  }
  const numbers = new Float64Array(values.length);
  for (let i = 0; i < values.length; i += 1) {
    // A later value may have asked for a larger exponent than this one bears.
    if (!isWhole(values[i]!, exponent)) return null;
    numbers[i] = Math.round(values[i]! * POWERS[exponent]!);
  }
  return { exponent, numbers };
}

function isWhole(value: number, exponent: number): boolean {
  const power = POWERS[exponent]!;
  const whole = Math.round(value * power);
  return Math.abs(whole) <= WHOLE_MAX && whole / power === value;
}

function writeWholes({ exponent, numbers }: Wholes, isSecond: boolean): ByteWriter {
  const bytes = new ByteWriter();
  bytes.byte(exponent);
  let [before, delta, still] = [0, 0, 0];
  for (const number of numbers) {
    const change = number - before - (isSecond ? delta : 0);
    delta = number - before;
    before = number;
    if (change === 0) still += 1;
    else {
      if (still > 0) writeStill(bytes, still);
      still = 0;
      bytes.signed(change);
    }
  }
  if (still > 0) writeStill(bytes, still);
  return bytes;
}

/** A zero, and how many more of them follow. */
function writeStill(bytes: ByteWriter, count: number): void {
  bytes.byte(0);
  bytes.unsigned(count - 1);
}

/** The inner loop of every backtest: it reads the bytes itself. */
function readWholes(
  reader: ByteReader,
  isSecond: boolean,
  count: number,
  values: Float64Array,
  place: number,
): boolean {
  const power = POWERS[reader.byte()];
  if (power === undefined) return false;
  const { bytes } = reader;
  const end = place + count;
  let [at, number, delta] = [reader.at, 0, 0];
  for (let i = place; i < end; ) {
    let zigzag: number = bytes[at++]!;
    if (zigzag >= 128) {
      zigzag &= 127;
      let byte: number;
      let scale = 128;
      do {
        byte = bytes[at++]!;
        zigzag += (byte & 127) * scale;
        scale *= 128;
      } while (byte >= 128);
    }
    let times = 1;
    if (zigzag === 0) {
      reader.at = at;
      times += reader.unsigned();
      at = reader.at;
      if (i + times > end) return false;
    }
    const change = signedOf(zigzag);
    delta = isSecond ? delta + change : change;
    for (const stop = i + times; i < stop; i += 1) {
      number += delta;
      values[i] = number / power;
    }
  }
  reader.at = at;
  return true;
}

const BYTES = 8;

/** What differs from the value before: how many bytes are alike in front, how many follow, and these. */
function writeBytes(values: Float64Array): ByteWriter {
  const bytes = new ByteWriter();
  const view = new DataView(new ArrayBuffer(BYTES));
  const before = new Uint8Array(BYTES);
  const now = new Uint8Array(view.buffer);
  for (const value of values) {
    view.setFloat64(0, value);
    let from = 0;
    while (from < BYTES && now[from] === before[from]) from += 1;
    let until = BYTES;
    while (until > from && now[until - 1] === before[until - 1]) until -= 1;
    bytes.byte((from << 4) | (until - from));
    for (let i = from; i < until; i += 1) bytes.byte(now[i]!);
    before.set(now);
  }
  return bytes;
}

function readBytes(
  reader: ByteReader,
  count: number,
  values: Float64Array,
  place: number,
): boolean {
  const view = new DataView(new ArrayBuffer(BYTES));
  const now = new Uint8Array(view.buffer);
  for (let i = place; i < place + count; i += 1) {
    const head = reader.byte();
    const from = head >>> 4;
    const until = from + (head & 15);
    if (until > BYTES) return false;
    for (let k = from; k < until; k += 1) now[k] = reader.byte();
    values[i] = view.getFloat64(0);
  }
  return true;
}
