/**
 * A series' day in few bytes: version, flags, how many samples, their times, their values. What stands on a grid
 * costs nothing for its time; a value costs what it differs from the one before. Decided in docs/decisions/0043.
 */
import { DAY_MS } from "../base/duration.js";
import { fault } from "../base/fault.js";
import type { Metric, Unit } from "../policy/policy.js";
import { ByteReader, ByteWriter } from "./chunk-bytes.js";
import { readDistances, readGrid, writeDistances, writeGrid } from "./chunk-times.js";
import { readValues, VALUE_MODES, writeValues } from "./chunk-values.js";

/** Of equal lengths; times in milliseconds since the epoch, strictly ascending; values finite. */
export interface Samples {
  readonly times: Float64Array;
  readonly values: Float64Array;
}

const VERSION = 1;
const ON_GRID = 1;
const MODE_SHIFT = 1;

/** Times from `dayStartMs` on. Reading gives the same numbers to the last bit; only -0 comes back as 0. */
export function encodeChunk(dayStartMs: number, { times, values }: Samples): Uint8Array {
  const grid = writeGrid(dayStartMs, times);
  const distances = writeDistances(dayStartMs, times);
  const isOnGrid = grid !== null && grid.length <= distances.length;
  const { mode, bytes } = writeValues(values);
  const data = new ByteWriter();
  data.byte(VERSION);
  data.byte((isOnGrid ? ON_GRID : 0) | (mode << MODE_SHIFT));
  data.unsigned(times.length);
  data.append(isOnGrid ? grid : distances);
  data.append(bytes);
  return data.take();
}

/** Throws a data Fault CHUNK_CORRUPT. */
export function decodeChunk(dayStartMs: number, data: Uint8Array): Samples {
  const reader = new ByteReader(data);
  const count = readHead(reader).count;
  const samples = { times: new Float64Array(count), values: new Float64Array(count) };
  decodeChunkInto(dayStartMs, data, samples, 0);
  return samples;
}

/** From `place` on, so that a month is decoded without copies. Returns the place behind it. Throws a data Fault CHUNK_CORRUPT. */
export function decodeChunkInto(
  dayStartMs: number,
  data: Uint8Array,
  into: Samples,
  place: number,
): number {
  const reader = new ByteReader(data);
  const { count, isOnGrid, mode } = readHead(reader);
  const { times, values } = into;
  if (place + count > times.length) throw corrupt(`${count} samples, more than its row says`);
  if (isOnGrid) {
    if (!readGrid(reader, dayStartMs, count, times, place)) throw corrupt("times do not add up");
  } else readDistances(reader, dayStartMs, count, times, place);
  if (!readValues(reader, mode, count, values, place)) throw corrupt("values do not add up");
  if (reader.at !== data.length) {
    throw corrupt(`${data.length} bytes, of which its samples take ${reader.at}`);
  }
  return place + count;
}

function readHead(reader: ByteReader): { count: number; isOnGrid: boolean; mode: number } {
  const version = reader.byte();
  if (version !== VERSION) throw corrupt(`version ${version}, expected ${VERSION}`);
  const flags = reader.byte();
  const isOnGrid = (flags & ON_GRID) === ON_GRID;
  const mode = flags >>> MODE_SHIFT;
  const count = reader.unsigned();
  if (mode > VALUE_MODES.bytes) throw corrupt(`unknown flags ${flags}`);
  // On a grid at most one a second, off it at least one byte each: what says more would only ask for memory.
  if (count > (isOnGrid ? DAY_MS / 1_000 : reader.bytes.length)) throw corrupt(`${count} samples`);
  return { count, isOnGrid, mode };
}

function corrupt(what: string): Error {
  return fault.data("CHUNK_CORRUPT", `a chunk of samples cannot be read: ${what}`, {
    hint: "its day is lost for this series; restore control.sample_chunk from a backup, or delete the row",
  });
}

/** In order of time; of two at the same time the newer one wins. */
export function mergeSamples(older: Samples, newer: Samples): Samples {
  if (older.times.length === 0) return newer;
  if (newer.times.length === 0) return older;
  if (older.times.at(-1)! < newer.times[0]!) return joined(older, newer);
  const length = older.times.length + newer.times.length;
  const times = new Float64Array(length);
  const values = new Float64Array(length);
  let [i, k, n] = [0, 0, 0];
  while (i < older.times.length || k < newer.times.length) {
    const oldTime = older.times[i] ?? Number.POSITIVE_INFINITY;
    const newTime = newer.times[k] ?? Number.POSITIVE_INFINITY;
    times[n] = Math.min(oldTime, newTime);
    values[n] = newTime <= oldTime ? newer.values[k]! : older.values[i]!;
    if (oldTime <= newTime) i += 1;
    if (newTime <= oldTime) k += 1;
    n += 1;
  }
  return { times: times.slice(0, n), values: values.slice(0, n) };
}

function joined(first: Samples, second: Samples): Samples {
  const both = (a: Float64Array, b: Float64Array) => {
    const all = new Float64Array(a.length + b.length);
    all.set(a);
    all.set(b, a.length);
    return all;
  };
  return { times: both(first.times, second.times), values: both(first.values, second.values) };
}

/** Digits that a measured figure keeps: more is noise of the measurement, and noise cannot be compressed. */
const DIGITS = 6;
const COUNTER_PLACES = 1e6;

/**
 * What may be stored, and therefore judged: production and replay then see the same number. Counters keep a
 * millionth, times a thousandth, counts all of it if they are whole; every other figure has six digits.
 */
export function storable(value: number, kind: Metric["kind"], unit: Unit): number {
  if (!Number.isFinite(value)) return value;
  if (kind !== "gauge") return rounded(value, COUNTER_PLACES);
  if (unit === "timestamp") return rounded(value, 1_000);
  if (unit === "count" && Number.isInteger(value)) return value;
  return Number(value.toPrecision(DIGITS));
}

/** Whole numbers stay, also those beyond what a multiple could hold. */
function rounded(value: number, places: number): number {
  return Number.isInteger(value) ? value : Math.round(value * places) / places;
}
