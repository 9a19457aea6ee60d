/**
 * The times of a chunk. On a grid they are runs: how many samples stand a step apart, then how many steps are
 * missing. Off the grid, the change of the distance between two, which is small where the distance is steady.
 */
import { type ByteReader, ByteWriter, signedOf } from "./chunk-bytes.js";

/** A grid that is finer is none: the runs of one would cost more than the distances. */
const STEP_MIN_MS = 1_000;

/** Milliseconds, ascending, none before `start`. */
export function writeGrid(start: number, times: Float64Array): ByteWriter | null {
  const step = stepOf(times);
  if (step < STEP_MIN_MS) return null;
  const bytes = new ByteWriter();
  bytes.unsigned(times[0]! - start);
  bytes.unsigned(step);
  let run = 1;
  for (let i = 1; i < times.length; i += 1) {
    const steps = (times[i]! - times[i - 1]!) / step;
    if (steps === 1) run += 1;
    else {
      bytes.unsigned(run);
      bytes.unsigned(steps - 1);
      run = 1;
    }
  }
  bytes.unsigned(run);
  return bytes;
}

/** The largest step of which all distances are multiples; 0 for a single sample. */
function stepOf(times: Float64Array): number {
  let step = 0;
  for (let i = 1; i < times.length && step !== 1; i += 1) {
    let distance = times[i]! - times[i - 1]!;
    while (distance !== 0) [step, distance] = [distance, step % distance];
  }
  return step;
}

export function writeDistances(start: number, times: Float64Array): ByteWriter {
  const bytes = new ByteWriter();
  let before = start;
  let distance = 0;
  for (const time of times) {
    bytes.signed(time - before - distance);
    distance = time - before;
    before = time;
  }
  return bytes;
}

/** Fills `times` from `place` on. False when the runs do not add up to `count`. */
export function readGrid(
  reader: ByteReader,
  start: number,
  count: number,
  times: Float64Array,
  place: number,
): boolean {
  let time = start + reader.unsigned();
  const step = reader.unsigned();
  const end = place + count;
  let at = place;
  for (;;) {
    const run = reader.unsigned();
    if (run < 1 || at + run > end) return false;
    for (const stop = at + run; at < stop; at += 1) {
      times[at] = time;
      time += step;
    }
    if (at === end) return true;
    time += reader.unsigned() * step;
  }
}

export function readDistances(
  reader: ByteReader,
  start: number,
  count: number,
  times: Float64Array,
  place: number,
): void {
  let time = start;
  let distance = 0;
  for (let i = place; i < place + count; i += 1) {
    distance += signedOf(reader.unsigned());
    time += distance;
    times[i] = time;
  }
}
