/**
 * Values of six digits whose sizes differ too much for one exponent: three bytes each, whatever they are. Twenty
 * bits of digits, one of sign, and three that say by how many places its exponent is above the chunk's.
 */
import { type ByteReader, ByteWriter } from "./chunk-bytes.js";

const DIGITS_MAX = 2 ** 20 - 1;
const SPREAD_MAX = 7;
/** Places behind the point; below zero, noughts before it. */
const PLACES = { min: -15, max: 22 };
/** Exact as doubles, which `10 ** n` need not be. */
const POWERS = Array.from({ length: PLACES.max + 1 }, (_, n) => Number(`1e${n}`));

/** Null when some value has more digits, or two are more than seven places apart. */
export function writeDigits(values: Float64Array): ByteWriter | null {
  const fewest = new Int8Array(values.length);
  let most = PLACES.min;
  for (let i = 0; i < values.length; i += 1) {
    const places = placesOf(values[i]!);
    if (places === null) return null;
    fewest[i] = places;
    most = Math.max(most, places);
  }
  const least = Math.max(most - SPREAD_MAX, PLACES.min);
  const bytes = new ByteWriter();
  bytes.byte(least - PLACES.min);
  for (let i = 0; i < values.length; i += 1) {
    const places = Math.max(fewest[i]!, least);
    const digits = Math.abs(Math.round(shifted(values[i]!, places)));
    if (digits > DIGITS_MAX) return null;
    const sign = values[i]! < 0 ? 1 : 0;
    bytes.byte(digits & 255);
    bytes.byte((digits >>> 8) & 255);
    bytes.byte((digits >>> 16) | (sign << 4) | ((places - least) << 5));
  }
  return bytes;
}

/** Fills `values` from `place` on. False when the data cannot have been written by `writeDigits`. */
export function readDigits(
  reader: ByteReader,
  count: number,
  values: Float64Array,
  place: number,
): boolean {
  const least = reader.byte() + PLACES.min;
  const { bytes } = reader;
  let at = reader.at;
  if (at + 3 * count > bytes.length) return false;
  for (let i = place; i < place + count; i += 1) {
    const high = bytes[at + 2]!;
    const digits = bytes[at]! | (bytes[at + 1]! << 8) | ((high & 15) << 16);
    const places = least + (high >>> 5);
    if (places > PLACES.max) return false;
    const size = places >= 0 ? digits / POWERS[places]! : digits * POWERS[-places]!;
    values[i] = high & 16 ? -size : size;
    at += 3;
  }
  reader.at = at;
  return true;
}

/** The fewest places behind the point by which it is written in six digits. */
function placesOf(value: number): number | null {
  if (value === 0) return PLACES.min;
  // The first digit's place says where the sixth stands; the fewest lie at or before it.
  const sixth = 5 - Math.floor(Math.log10(Math.abs(value)));
  const most = Math.min(sixth + 1, PLACES.max);
  for (let places = Math.max(sixth - 6, PLACES.min); places <= most; places += 1) {
    const digits = Math.round(shifted(value, places));
    if (Math.abs(digits) > DIGITS_MAX) return null;
    if (digits !== 0 && shifted(digits, -places) === value) return places;
  }
  return null;
}

function shifted(value: number, places: number): number {
  return places >= 0 ? value * POWERS[places]! : value / POWERS[-places]!;
}
