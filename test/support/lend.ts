/** Something that is built by nested lending, handed to all tests of a file, and taken back after the last. */
import { afterAll, beforeAll } from "vitest";

const BUILD_MAX_MS = 120_000;
const RETURN_MAX_MS = 60_000;

/** Ask for it inside a test: before the first it is not there. */
export function lendToFile<T>(lend: (work: (lent: T) => Promise<void>) => Promise<void>): () => T {
  let lent: T | undefined;
  let done: () => void = () => {};
  let lending: Promise<void>;
  beforeAll(async () => {
    await new Promise<void>((resolve, reject) => {
      lending = lend(async (thing) => {
        lent = thing;
        resolve();
        await new Promise<void>((end) => {
          done = end;
        });
      });
      lending.catch(reject);
    });
  }, BUILD_MAX_MS);
  afterAll(async () => {
    done();
    await lending;
  }, RETURN_MAX_MS);
  return () => lent!;
}
